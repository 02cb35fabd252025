"""Linear regression three ways: as scalars, as a vector and as a matrix; and down the hill to the exact answer.

The one idea: the scalar, the vector and the matrix form are one function with one gradient, and gradient descent on it
arrives where the normal equations point. The data are real: how heavy is a penguin?
Run it with ``python tutorials/02_linear_regression.py``, in Korean with ``--language ko``, or cell by cell.
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


# %% The data: 342 penguins
penguins = gl.datasets.penguins()
X, scale = gl.datasets.standardize(penguins.X)  # each column now has mean 0 and deviation 1
Y = penguins.y / 1000  # body mass in kg
N = len(X)

say("\n1. The data\n", "\n1. 자료\n")
say(
    "   flipper length, bill length, bill depth (mm)  →  body mass (kg)",
    "   날개 길이, 부리 길이, 부리 깊이 (mm)  →  몸무게 (kg)",
)
for row, mass in zip(penguins.X[:3], Y[:3, 0], strict=True):
    print(f"   {row[0]:6.1f} {row[1]:6.1f} {row[2]:6.1f}  →  {mass:.3f}")
say(f"   ... {N} penguins", f"   ... 펭귄 {N}마리")

# %% Scalar form: y = w1 x1 + w2 x2 + w3 x3 + b, written out
x1, x2, x3 = (gl.input(f"x{k}", ("batch",)) for k in (1, 2, 3))
w1, w2, w3, b = (gl.parameter(name, ()) for name in ("w1", "w2", "w3", "b"))
t = gl.input("t", ("batch",))
y = (w1 * x1 + w2 * x2 + w3 * x3 + b).named("y")
e = (y - t).named("e")
scalar_loss = gl.mean(0.5 * gl.square(e)).named("L")  # which is gl.losses.half_squared_error(y, t)

# %% Vector form: y = x w + b, where w holds w1, w2 and w3
x = gl.input("x", ("batch", 3))
w = gl.parameter("w", (3,))
y_vector = (x @ w + b).named("y")
vector_loss = gl.losses.half_squared_error(y_vector, t).named("L")

# %% Matrix form: Y = A W, where a column of ones makes b one weight more
A = gl.input("A", ("batch", 4))
W = gl.parameter("W", (4, 1), init=gl.init.zeros())  # vectors and scalars start at zero anyway
T = gl.input("T", ("batch", 1))
y_matrix = (A @ W).named("Y")
E = (y_matrix - T).named("E")
matrix_loss = gl.mean(0.5 * gl.square(E)).named("L")
ones = np.column_stack([X, np.ones(N)])

# %% They are one function: the same loss and the same gradient anywhere
somewhere = np.random.default_rng(0).normal(size=4)
at_scalars = {
    x1: X[:, 0], x2: X[:, 1], x3: X[:, 2], t: Y[:, 0],
    w1: somewhere[0], w2: somewhere[1], w3: somewhere[2], b: somewhere[3],
}  # fmt: skip
at_vector = {x: X, t: Y[:, 0], w: somewhere[:3], b: somewhere[3]}
at_matrix = {A: ones, T: Y, W: somewhere[:, None]}

losses = [
    gl.evaluate(scalar_loss, at_scalars), gl.evaluate(vector_loss, at_vector), gl.evaluate(matrix_loss, at_matrix),
]  # fmt: skip
gradients = [
    np.array(gl.evaluate(gl.grad(scalar_loss, [w1, w2, w3, b]), at_scalars)),
    np.append(*gl.evaluate(gl.grad(vector_loss, [w, b]), at_vector)),
    gl.evaluate(gl.grad(matrix_loss, W), at_matrix)[:, 0],
]
say("\n2. Three forms, one function, at random weights\n", "\n2. 세 가지 형태, 하나의 함수 (임의의 가중치에서)\n")
FORMS = ("스칼라", "벡터  ", "행렬  ") if LANGUAGE == "ko" else ("scalar", "vector", "matrix")
for form, loss, gradient in zip(FORMS, losses, gradients, strict=True):
    print(f"   {form}   L = {loss:.12f}   ∂L/∂(w1,w2,w3,b) = {gradient.round(9)}")
assert np.allclose(losses, losses[0], rtol=1e-13)
assert np.allclose(gradients, gradients[0], rtol=1e-12)

# %% The gradient by derivation: scalar and matrix side by side
few = {A: ones[:3], T: Y[:3], W: somewhere[:, None]}
say("\n3. The gradient, step by step, for three penguins\n", "\n3. 펭귄 세 마리에 대한 기울기를 한 단계씩\n")
derivation = gl.derive(matrix_loss, W, at=few)
print(derivation.to_text(LANGUAGE))
assert derivation.check().ok
say("\n   ... and with every weight by itself:\n", "\n   ... 그리고 가중치를 하나씩 따로:\n")
alone = gl.derive(scalar_loss, [w1, w2, w3, b], at={n: v[:3] if np.ndim(v) else v for n, v in at_scalars.items()})
print(alone.to_text(LANGUAGE))
assert np.allclose([alone.gradients[n] for n in ("w1", "w2", "w3", "b")], derivation.gradients["W"][:, 0])
say(
    "\n   Look: in one line, ∂L/∂W = Aᵀ E / N with E = Y − T, and ∂L/∂w₁ = sum(e ⊙ x₁) / N is its first row.",
    "\n   살펴보기: 한 줄로 쓰면 ∂L/∂W = Aᵀ E / N 식이고(E = Y − T),\n   그 첫 행이 ∂L/∂w₁ = sum(e ⊙ x₁) / N 식입니다.",
)
picture = OUT / "02_linear_regression.svg"
gl.draw(scalar_loss, wrt=[w1, w2, w3, b], language=LANGUAGE).save(picture)
say(f"   The scalar form as a picture: {picture}", f"   스칼라 형태의 그림: {picture}")

# %% Where is the gradient zero? The normal equations: Aᵀ A W = Aᵀ T
exact = np.linalg.solve(ones.T @ ones, ones.T @ Y)
at_exact = {**at_matrix, W: exact}
lowest = gl.evaluate(matrix_loss, at_exact)

say("\n4. The exact answer: where the gradient is zero\n", "\n4. 정확한 답: 기울기가 0인 곳\n")
print(f"   W = {exact[:, 0].round(6)}   L = {lowest:.12f}")
assert np.abs(gl.evaluate(gl.grad(matrix_loss, W), at_exact)).max() < 1e-12

# %% Down the hill, in all three forms
models = [
    gl.Model(y, loss=scalar_loss, precision="float64"),
    gl.Model(y_vector, loss=vector_loss, precision="float64"),
    gl.Model(y_matrix, loss=matrix_loss, precision="float64"),
]
data = [{x1: X[:, 0], x2: X[:, 1], x3: X[:, 2], t: Y[:, 0]}, {x: X, t: Y[:, 0]}, {A: ones, T: Y}]
histories = []

say("\n5. Gradient descent: 500 steps, learning rate 0.5\n", "\n5. 경사 하강법: 500단계, 학습률 0.5\n")
for form, model, table in zip(FORMS, models, data, strict=True):
    history = model.fit(table, optimizer=gl.optim.SGD(0.5), epochs=500)
    histories.append(history)
    reached = float(gl.evaluate(model.loss, model.at(table)))
    print(f"   {form}   L: {history.losses[0]:.6f} → {history.losses[9]:.6f} → ... → {reached:.12f}")
    assert abs(reached - lowest) <= 1e-6 * lowest
say(
    f"""
   Look: all three take the same steps, and L ends where the exact answer has it: {lowest:.12f}.""",
    f"""
   살펴보기: 세 형태는 같은 단계를 밟고, L은 정확한 답의 손실에 도달합니다: {lowest:.12f}.""",
)
assert np.allclose([h.losses for h in histories], histories[0].losses, rtol=1e-9)
found = models[2].values["W"]
assert np.allclose(found, exact, rtol=1e-6)

# %% What it means
error, spread = 1000 * np.sqrt(2 * lowest), 1000 * Y.std()
longer, heavier = scale.scale[0], 1000 * found[0, 0]
say(
    f"""
6. Reading the answer

   Flippers {longer:.0f} mm longer, all else equal, go with {heavier:.0f} g more.
   Look: the typical error is {error:.0f} g; without the measurements it would be {spread:.0f} g.""",
    f"""
6. 답 읽기

   다른 값이 같을 때 날개가 {longer:.0f} mm 더 길면 몸무게는 {heavier:.0f} g 더 나갑니다.
   살펴보기: 전형적인 오차는 {error:.0f} g이고, 측정값을 쓰지 않으면 {spread:.0f} g입니다.""",
)
assert error < 0.5 * spread

# %% Your turn
say(
    "\nYour turn: leave out `standardize`. Which learning rate still works, and how many steps does it take then?",
    "\n직접 해 보기: `standardize` 없이 해 보세요. 어떤 학습률이라야 내려가고, 몇 단계나 걸릴까요?",
)
