"""XOR from nothing: a graph, its picture, every step of its gradient, and training the very same graph.

The one idea: a neural network is a formula. What you draw is what you differentiate and what you train.
Run it with ``python tutorials/01_xor.py``, in Korean with ``--language ko``, or cell by cell.
"""

# %% Setup
from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import graphlearn as gl

parser = argparse.ArgumentParser()
parser.add_argument("--language", choices=["en", "ko"], default="en")
LANGUAGE = parser.parse_args([] if "ipykernel" in sys.modules else None).language
OUT = (Path(__file__).parent if "__file__" in globals() else Path.cwd()) / "out"
OUT.mkdir(exist_ok=True)


def say(english: str, korean: str) -> None:
    print(korean if LANGUAGE == "ko" else english)


# %% The task: four questions and their answers
X, T = gl.datasets.xor()

say("\n1. The task\n", "\n1. 문제\n")
for question, answer in zip(X, T[:, 0], strict=True):
    print(f"   {question[0]:.0f} xor {question[1]:.0f} = {answer:.0f}")
say(
    "\n   Look: no straight line has (0,1) and (1,0) on one side and (0,0) and (1,1) on the other.",
    "\n   살펴보기: (0,1), (1,0) 두 점과 (0,0), (1,1) 두 점을 나누는 직선은 없습니다.",
)

# %% The graph: two inputs, three hidden units, one output
x = gl.input("x", ("batch", 2))  # rows are samples
t = gl.input("t", ("batch", 1))  # the right answers
W1, b1 = gl.parameter("W1", (2, 3)), gl.parameter("b1", (3,))
W2, b2 = gl.parameter("W2", (3, 1)), gl.parameter("b2", (1,))

z1 = (x @ W1 + b1).named("z1")
h = gl.tanh(z1).named("h")
z2 = (h @ W2 + b2).named("z2")
p = gl.sigmoid(z2).named("p")  # how sure the network is that the answer is 1
loss = gl.losses.binary_cross_entropy(z2, t).named("L")

model = gl.Model(p, loss=loss, precision="float64", seed=0)
start = model.at({x: X, t: T})  # the first values of the parameters, together with the data

say("\n2. The network, before it has learned anything\n", "\n2. 아직 아무것도 배우지 않은 신경망\n")
print(f"   p = {gl.evaluate(p, start)[:, 0].round(4)}")
print(f"   L = {gl.evaluate(loss, start):.4f}")

# %% See it
picture = OUT / "01_xor.svg"
gl.draw(loss, at=start, wrt=[W1, b1, W2, b2], direction="TB", language=LANGUAGE).save(picture)

say(
    f"\n3. The picture: {picture}\n\n"
    "   Look: every box has a name, a value and a gradient. The names are those of the code above.",
    f"\n3. 그림: {picture}\n\n"
    "   살펴보기: 상자마다 이름과 값과 기울기가 있습니다. 이름은 위의 코드에서 붙인 그대로입니다.",
)

# %% Derive it: every use of the chain rule, with its numbers
derivation = gl.derive(loss, [W1, b1, W2, b2], at=start)

say("\n4. How L changes with each parameter\n", "\n4. 매개변수마다 L이 얼마나 변하는가\n")
print(derivation.to_text(LANGUAGE))
say(
    "\n   Look: row 2. Sigmoid and cross-entropy together leave 'prediction minus target'.\n"
    "   All other rows carry it back.",
    "\n   살펴보기: 2행. 시그모이드와 교차 엔트로피가 만나면 '예측값 빼기 정답'만 남습니다.\n"
    "   다른 모든 행은 이 값을 뒤로 전달합니다.",
)
assert derivation.check().ok

# %% Believe it: turn one weight a little and watch
step = 1e-6
turned = model.values["W2"].copy()
turned[0, 0] += step
measured = (gl.evaluate(loss, {**start, W2: turned}) - gl.evaluate(loss, start)) / step
derived = derivation.gradients["W2"][0, 0]

say(
    "\n5. Is that true? Turn W2[0,0] by a millionth and watch L\n",
    "\n5. 정말일까요? W2[0,0] 값을 백만분의 1만큼 늘려 보고 L을 봅니다\n",
)
say(
    f"   derived  {derived:.6f}\n   measured {measured:.6f}", f"   유도한 값 {derived:.6f}\n   측정한 값 {measured:.6f}"
)
assert abs(measured - derived) < 1e-5

# %% Train it: the same graph, compiled
history = model.fit({x: X, t: T}, optimizer=gl.optim.SGD(1.0), epochs=10_000)

say("\n6. Ten thousand steps downhill, in one compiled loop\n", "\n6. 컴파일된 반복문 하나로 만 단계 내려가기\n")
for number in (1, 10, 100, 1000, 10_000):
    say(
        f"   step {number:6,}   L = {history.losses[number - 1]:.6f}",
        f"   {number:6,}단계   L = {history.losses[number - 1]:.6f}",
    )
say(
    f"\n   {history.seconds * 1000:.0f} ms in all.\n"
    f"   Look: the loss starts near log 2 = {np.log(2):.4f}, which is what guessing costs, and falls.",
    f"\n   모두 {history.seconds * 1000:.0f} ms 걸렸습니다.\n"
    f"   살펴보기: 손실은 어림짐작할 때의 값인 log 2 = {np.log(2):.4f} 근처에서 시작해 떨어집니다.",
)
assert history.losses[-1] < 0.001

# %% The truth table
answers = model.predict({x: X})[:, 0]

say("\n7. What it answers now\n", "\n7. 이제 무엇이라고 답하는가\n")
for question, answer, probability in zip(X, T[:, 0], answers, strict=True):
    print(f"   {question[0]:.0f} xor {question[1]:.0f} = {answer:.0f}   p = {probability:.4f}")
assert np.array_equal(answers.round(), T[:, 0])

# %% Your turn
say(
    "\nYour turn: give the hidden layer 2 units, then 1. From how many units on does every seed bring L below 0.001?",
    "\n직접 해 보기: 은닉층의 유닛을 2개, 1개로 줄여 보세요. 몇 개부터 어떤 seed로도 L이 0.001보다 작아질까요?",
)
