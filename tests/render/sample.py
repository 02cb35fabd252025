"""A derivation written by hand as a `Document`, in English and Korean, for the tests of the writers."""

from __future__ import annotations

from graphlearn.render.document import (
    Document,
    Formula,
    Heading,
    Math,
    Picture,
    Row,
    Rule,
    Sentence,
    Step,
    Table,
)
from graphlearn.render.numbers import array_math

H = [[0.09966, -0.09966], [0.29131, 0.60437], [0.53705, -0.37995], [0.66404, 0.37995]]
P = [[0.5398], [0.503], [0.6406], [0.5897]]
DELTA = [[0.135], [-0.1242], [-0.0899], [0.1474]]
WORDS = {
    "en": {
        "title": "Backpropagation of ",
        "aside": "N = 4 samples, 9 parameters",
        "forward": "Forward",
        "backward": "Backward",
        "heads": ("name", "definition", "shape", "value"),
        "adjoint": "An adjoint is ∂L/∂node; the chain rule multiplies it by the local derivative; where a node is used "
        "twice, the shares add.",
        "cross": "sigmoid + cross-entropy",
        "derivative": "derivative of ",
        "cancels": ("The factor ", " cancels:"),
        "textbook": "← the textbook form: “prediction minus target”",
        "check": "✓ finite difference < 1e-9",
        "matmul": "matrix product, right factor",
        "because": ("because ", ", so "),
        "shape": "✓ shape of W₂",
        "alt": "Diagram of the network: 4 inputs, 9 parameters, one loss",
        "start": "start",
    },
    "ko": {
        "title": "역전파: ",
        "aside": "표본 N = 4개, 파라미터 9개",
        "forward": "순전파",
        "backward": "역전파",
        "heads": ("이름", "정의", "모양", "값"),
        "adjoint": "수반값: ∂L/∂노드. 연쇄 법칙에 따라 여기에 국소 미분을 곱합니다. 한 노드가 두 번 이상 "
        "쓰이면 각 경로의 기여를 더합니다.",
        "cross": "시그모이드 + 교차 엔트로피",
        "derivative": "다음 식의 미분: ",
        "cancels": ("", " 인수가 약분됩니다:"),
        "textbook": "← 교과서에 나오는 형태: “예측값 빼기 정답”",
        "check": "✓ 유한 차분과의 차이 < 1e-9",
        "matmul": "행렬 곱, 오른쪽 인자",
        "because": ("다음 식에서 ", ", 따라서 "),
        "shape": "✓ W₂ 모양",
        "alt": "신경망 그림: 입력 4개, 파라미터 9개, 손실 하나",
        "start": "시작",
    },
}


def math(text: str) -> Math:
    """Return a formula whose LaTeX form does not matter here."""
    return Math(text, text)


def sample(language: str) -> Document:
    """Return the derivation in ``"en"`` or ``"ko"``."""
    say = WORDS[language]
    dz, dp = math("∂L/∂z₂"), math("∂L/∂p")
    cross = Formula(
        [
            Row(left=dz, right=math("∂L/∂p ⊙ ∂p/∂z₂"), shape=math("(N,1)")),
            Row(
                left=dp,
                right=math("(p − t) / (N p (1−p))"),
                note=(say["derivative"], math("−t log p − (1−t) log(1−p)")),
            ),
            Row(left=math("∂p/∂z₂"), right=math("p (1−p)"), note=math("σ′ = σ(1−σ)")),
        ]
    )
    values = Math(f"({array_math(P).text} − {array_math([[0], [1], [1], [0]]).text}) / 4", "")
    textbook = Formula(
        [
            Row(left=dz, right=math("(p − t)/N"), note=say["textbook"]),
            Row(right=values),
            Row(right=array_math(DELTA), check=say["check"]),
        ]
    )
    product = Formula(
        [
            Row(left=math("∂L/∂W₂"), right=math("hᵀ ∂L/∂z₂"), shape=math("(2,N)(N,1) = (2,1)"), check=say["shape"]),
            Row(right=array_math([[0.0269], [0.0016]]), check=say["check"]),
        ]
    )
    because = Sentence(
        (
            say["because"][0],
            math("z₂[n,0] = Σₖ h[n,k] W₂[k,0] + b₂"),
            say["because"][1],
            math("∂L/∂W₂[k,0] = Σₙ h[n,k] ∂L/∂z₂[n,0]"),
        )
    )
    values_table = Table(
        say["heads"],
        [
            (math("z₁"), math("x W₁ + b₁"), math("(N,2)(2,2) → (N,2)"), array_math([[0.1, -0.1]] * 4)),
            (math("h"), math("tanh(z₁)"), math("(N,2)"), array_math(H * 3)),
            (math("L"), math("−mean(t log p + (1−t) log(1−p))"), math("()"), array_math(0.699884, 6)),
        ],
        ("left", "left", "left", "left"),
    )
    return Document(
        (say["title"], math("L = mean BCE(σ(tanh(x W₁ + b₁) W₂ + b₂), t)")),
        [
            Picture("<svg/>", say["alt"]),
            Heading(say["forward"]),
            values_table,
            Heading(say["backward"]),
            Sentence(say["adjoint"]),
            Step(1, say["start"], [Formula([Row(left=math("∂L/∂L"), right=math("1"))])]),
            Step(2, say["cross"], [cross, Sentence((say["cancels"][0], math("p (1−p)"), say["cancels"][1])), textbook]),
            Step(3, say["matmul"], [product, because]),
            Rule(),
        ],
        language,
        say["aside"],
    )
