"""Derivatives that can be trusted: three ways to measure one, and the places where the obvious formula fails.

The one idea: a derivative is believed when ways that share nothing agree.
Run it with ``python tutorials/03_trust_the_derivative.py``, in Korean with ``--language ko``, or cell by cell.
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


# %% A function with more than one way from x to f
x = gl.input("x")
a = (x**2).named("a")
b = gl.sin(x).named("b")
c = (a * b).named("c")
f = (c + b).named("f")
slope = gl.grad(f, x)
here = {x: 1.2}

say("\n1. Every way from x to f, and what each contributes\n", "\n1. x에서 f로 가는 모든 경로와 각 경로의 몫\n")
print(gl.paths(f, x, at=here).to_text(LANGUAGE))
say(
    "\n   Look: three ways, three products of local derivatives, one sum. That sum is the chain rule.",
    "\n   살펴보기: 경로가 셋, 국소 미분의 곱도 셋, 합은 하나입니다. 이 합이 연쇄 법칙입니다.",
)
picture = OUT / "03_paths.svg"
gl.draw(f, at=here, wrt=[x], language=LANGUAGE).save(picture)
say(f"\n   The same as a picture: {picture}", f"\n   같은 내용을 그린 그림: {picture}")
assert gl.paths(f, x).count == 3

# %% How small should a step be?
by_hand = 2 * 1.2 * np.sin(1.2) + 1.2**2 * np.cos(1.2) + np.cos(1.2)


def value(point: float) -> float:
    return float(gl.evaluate(f, {x: point}))


say("\n2. The difference quotient, for smaller and smaller steps h\n", "\n2. 간격 h를 점점 줄여 가며 구한 차분 몫\n")
errors = {}
for digits in range(1, 14, 2):
    h = 10.0**-digits
    errors[digits] = abs((value(1.2 + h) - value(1.2 - h)) / (2 * h) - by_hand)
    say(f"   h = 1e-{digits:02d}   error {errors[digits]:.0e}", f"   h = 1e-{digits:02d}   오차 {errors[digits]:.0e}")
say(
    "\n   Look: the error falls, and then it rises again. A large h misses the bend of the curve;\n"
    "   a small one subtracts two numbers that agree in nearly all of their digits.",
    "\n   살펴보기: 오차는 줄어들다가 다시 커집니다. h가 크면 곡선이 휘는 것을 놓치고,\n"
    "   h가 작으면 거의 모든 자릿수가 같은 두 수를 빼게 됩니다.",
)
assert min(errors, key=errors.__getitem__) not in (1, 13)

# %% Ways that share nothing with the graph's derivative
say("\n3. The graph's slope, and three ways to measure it\n", "\n3. 그래프의 기울기와, 그것을 재는 세 가지 방법\n")
say(f"   graph            {gl.evaluate(slope, here):.16f}", f"   그래프           {gl.evaluate(slope, here):.16f}")
for method, name in (("central", "central"), ("ridders", "Ridders"), ("complex", "complex step")):
    print(f"   {name:14}   {gl.numeric_grad(f, x, here, method=method):.16f}")
say(
    "\n   Look: the complex step, Im f(x + ih) / h, subtracts nothing, so h may be tiny:\n"
    "   it agrees with the graph to 15 digits, the central difference to 10.",
    "\n   살펴보기: 복소수 차분 Im f(x + ih) / h는 뺄셈을 하지 않으므로 h가 아주 작아도 됩니다.\n"
    "   그래프의 값과 15자리까지 일치하고, 중앙 차분은 10자리까지 일치합니다.",
)
assert abs(gl.numeric_grad(f, x, here, method="complex") - gl.evaluate(slope, here)) < 3e-15
assert abs(gl.numeric_grad(f, x, here, method="central") - gl.evaluate(slope, here)) < 3e-10
assert gl.check_grad(f, x, at=here).ok
assert gl.check_grad(f, x, at=here, order=2).ok

# %% A wrong derivative is found
wrong = gl.elementwise(
    "almost_square",
    formula=lambda m, x: x * x,
    partials=(lambda m, x, y: 2 * x + 0.001,),  # who would see that?
)
report = gl.check_grad(gl.sum(wrong(gl.input("v", (3,)))), at={"v": [1.0, 2.0, 3.0]})

say(
    "\n4. An operation of your own, with a derivative that is slightly wrong\n",
    "\n4. 도함수를 살짝 틀리게 쓴 나만의 연산\n",
)
print("   " + report.to_text(LANGUAGE).replace("\n", "\n   "))
say(
    "\n   Look: it names the entry, what the graph says and what the difference says.",
    "\n   살펴보기: 어느 성분에서 그래프의 값과 차분의 값이 다른지 알려 줍니다.",
)
assert not report.ok

# %% Where the obvious formula fails
z = gl.input("z", ("N",))
obvious = gl.log(1 + gl.exp(z))
points = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
before = gl.evaluate(obvious, {z: points})
after = gl.evaluate(gl.simplify(obvious), {z: points})

say(
    "\n5. log(1 + exp(z)), as it is written and simplified\n",
    "\n5. log(1 + exp(z)): 쓰인 그대로, 그리고 간단히 한 뒤\n",
)
for point, one, other in zip(points, before, after, strict=True):
    print(f"   z = {point:6.0f}   {one:24.17g}   {other:24.17g}")
print("\n   " + gl.rewrites(obvious).to_text(LANGUAGE).replace("\n", "\n   "))
say(
    "\n   Look: on the left exp(800) is more than a number can hold, and exp(-40) is lost beside the 1.\n"
    "   Model.fit makes such rewrites by itself, and only those that lose no digits.",
    "\n   살펴보기: 왼쪽 열에서 exp(800)은 수로 나타낼 수 있는 범위를 넘고, exp(-40)은 1에 더해지면서 사라집니다.\n"
    "   Model.fit은 이런 변형을 스스로 적용하되, 자릿수를 잃지 않는 것만 적용합니다.",
)
assert np.isinf(before[-1])
assert after[-1] == 800.0
assert 0 < after[1] < 1e-17

# %% Second derivatives: Newton's step
X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 4.0]])
y = np.array([1.0, 3.0, 4.0, 9.0])
w = gl.input("w", (2,))
loss = gl.sum((X @ w - y) ** 2) / 2
gradient, curvature = gl.grad(loss, w), gl.hessian(loss, w)
newton = w - gl.solve(curvature, gradient)
arrived = gl.evaluate(newton, {w: np.zeros(2)})

say("\n6. The best line through four points, in one step\n", "\n6. 네 점을 지나는 가장 좋은 직선을 한 걸음에\n")
print(f"   w = {arrived.round(6)}")
say(
    "\n   Look: where the loss is a parabola, one step with the second derivative arrives.\n"
    "   Gradient descent takes hundreds.",
    "\n   살펴보기: 손실이 이차함수이면 이계도함수를 쓴 한 걸음으로 도착합니다. 경사 하강법은 수백 걸음이 걸립니다.",
)
assert np.allclose(arrived, np.linalg.lstsq(X, y)[0])
assert np.allclose(gl.evaluate(gradient, {w: arrived}), 0, atol=1e-12)

# %% Your turn
say(
    "\nYour turn: check np.sqrt(x) at 0, and gl.maximum(x, 0) at 0. What does the graph say there, and why?",
    "\n직접 해 보기: np.sqrt(x)와 gl.maximum(x, 0)을 0에서 확인해 보세요. 그래프는 무엇이라고 하고, 왜 그럴까요?",
)
