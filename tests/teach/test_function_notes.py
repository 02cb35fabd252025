"""The source of a compiled function that computes derivatives, in the words of `gl.derive`."""

from __future__ import annotations

import ast
import gc
import re
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.cuda.training import emit_training
from graphlearn.program.build import Batching, build_training
from graphlearn.program.narration import narrate
from graphlearn.program.notes import Annotations
from tests.backends.cuda import networks
from tests.teach.commented import comments, steps_of

X, T, W = gl.input("x", ("n", 3)), gl.input("t", ("n", 2)), gl.parameter("W", (3, 2))
LOSS = gl.losses.mse(gl.tanh(X @ W), T)


def same_code(one: str, two: str) -> bool:
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(two))


@pytest.mark.parametrize("backend", ["numba", "cuda"])
@pytest.mark.parametrize("with_value", [False, True])
def test_each_step_that_is_named_is_the_derivations(backend: str, with_value: bool) -> None:
    gradient = gl.grad(LOSS, W)
    assert isinstance(gradient, gl.Node)
    f = gl.compile([LOSS, gradient] if with_value else gradient, backend=backend)
    steps = steps_of(LOSS, W)
    named = re.findall(r"^(?:part of |for |again: )?step (\d+): (.*)$", comments(f.source), re.MULTILINE)
    assert {int(number) for number, _ in named} >= set(steps) - {1}
    for number, equation in named:
        assert equation in steps[int(number)]
    assert same_code(f.source, f._compiled.source)


def test_a_function_without_derivatives_has_its_plain_comments() -> None:
    f = gl.compile(LOSS)
    assert f.source == f._compiled.source and "step" not in f.source


def test_what_was_differentiated_is_not_called_a_derivative() -> None:
    h, w = gl.sum(gl.tanh(X @ W)), gl.parameter("w", ())
    product = h * w
    assert gl.grad(gl.sum(gl.exp(w)) + product, [w, h])
    assert "step" not in gl.compile(h).source and "step" not in gl.compile(product).source


def test_what_gradients_keep_alive_is_freed_with_them() -> None:
    def derivatives() -> list[weakref.ref[gl.Node]]:
        y = gl.input("y")
        made = [gl.sin(y)]
        for _ in range(6):  # sin, cos, -sin, ...: some are each other's derivative
            made.append(gl.grad(made[-1], y))
        return [weakref.ref(node) for node in [y, *made]]

    nodes = derivatives()
    gc.collect()
    assert not any(node() for node in nodes)


def test_several_derivatives_say_whose_steps_they_are() -> None:
    y = gl.input("y")
    f = gl.sin(y) * y**3
    first = gl.grad(f, y)
    second = gl.grad(first, y)
    said = comments(gl.compile([f, first, second]).source)
    assert re.search(r"^step 2 of the derivative of t₃: ∂t₃/∂t₂ = t₁$", said, re.MULTILINE)
    assert re.search(r"^step 9 of the derivative of t₁₀: ∂t₁₀/∂y = share₁", said, re.MULTILINE)


def test_an_update_is_told_too() -> None:
    said = comments(gl.compile(LOSS, updates=gl.optim.SGD(0.1).updates(LOSS, [W])).source)
    assert "step 4: ∂t₅/∂W = xᵀ ∂t₅/∂t₁" in said and "W′ = W − sgd/learning_rate·∂t₅/∂W" in said


def test_what_was_differentiated_is_kept_for_the_comments() -> None:
    v = gl.input("v", (3,))
    f = gl.compile(gl.grad(gl.sum(gl.exp(gl.sin(v))), v))
    gc.collect()
    assert "step 2: " in f.source and f.source is f.source


def test_disconnected_and_inner_nodes() -> None:
    h = gl.tanh(X @ W).named("h")
    other = gl.parameter("other", (2,))
    f = gl.compile(gl.grad(gl.losses.mse(h, T), [h, W, other], disconnected="zero"))
    assert "∂W = xᵀ" in comments(f.source) and "other" not in comments(f.source)


def test_a_saved_function_has_the_comments_and_runs(tmp_path: Path) -> None:
    f = gl.compile(gl.grad(LOSS, W))
    given = {"x": np.ones((4, 3)), "t": np.zeros((4, 2)), "W": np.full((3, 2), 0.1)}
    path = f.save_source(tmp_path / "f.py", given)
    assert "step 4: ∂t₅/∂W" in path.read_text(encoding="utf-8")
    subprocess.run([sys.executable, str(path), "--plain"], check=True, cwd=tmp_path, capture_output=True)


def test_the_kernel_of_a_training_names_the_steps() -> None:
    step = networks.xor().step
    parameters = tuple(leaf for leaf in step.updates if leaf.op.name == "parameter")
    program = build_training(step, "float32", Batching(4, True, False, {}))
    plain = emit_training(program).kernel.source
    told = emit_training(program, notes=Annotations(program, narrate(step.loss, parameters, step))).kernel.source
    assert same_code(plain, told)
    said = comments(told)
    assert {int(n) for n in re.findall(r"step (\d+):", said)} >= set(range(2, 5))
    assert "′ = " in said and "forward" in said
