"""A derivative as the sum over paths: counted, listed, multiplied, added up and told in both languages."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.scalarize import scalarize
from graphlearn.errors import DisconnectedError, DTypeError, GraphUseError, OptionError, ShapeError, ZeroGradientWarning
from graphlearn.graph.leaves import constant, input, parameter
from graphlearn.graph.traverse import symbols
from graphlearn.ops.activations import relu, sigmoid
from graphlearn.ops.elementary import floor
from graphlearn.ops.intrinsics import greater, log, sin, tanh, where
from graphlearn.ops.random import normal
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import cast
from graphlearn.render.numbers import format_number
from graphlearn.teach.paths import paths

RNG = np.random.Generator(np.random.Philox(11))


def network():
    x, t = input("x", (1, 2)), input("t", (1, 1))
    w1, w2 = parameter("w1", (2, 3)), parameter("w2", (3, 2))
    w3 = parameter("w3", (2, 1))
    h = tanh((x @ w1).named("z1")).named("h1")
    k = sigmoid((h @ w2).named("z2")).named("h2")
    return mean((k @ w3 - t) ** 2).named("loss")


def values(node):
    return {name: RNG.normal(size=()) for name in symbols(node)}


def test_the_total_is_the_gradient_and_each_product_that_of_its_factors():
    loss = scalarize(network())
    at = values(loss)
    for name, leaf in symbols(loss).items():
        found = paths(loss, leaf, at=at)
        assert found.count == len(found.paths) == {"x": 6, "t": 1, "w1": 2, "w2": 1, "w3": 1}[name[:2].rstrip("[")]
        assert evaluate(found.total, at) == pytest.approx(float(evaluate(grad(loss, leaf), at)), rel=1e-13)
        for path, factors in zip(found.paths, found.values(), strict=True):
            assert path.nodes[0] is leaf and path.nodes[-1] is loss
            assert len(path.factors) == len(path.edges) == len(path.nodes) - 1 == len(factors)
            assert all(e.node.inputs[e.argument] is e.source is n for e, n in zip(path.edges, path.nodes, strict=False))
            assert evaluate(path.product, at) == pytest.approx(np.prod(factors), rel=1e-13)


def test_paths_are_counted_where_they_cannot_be_listed():
    x = input("x")
    y = x
    for _ in range(2000):
        y = y + tanh(y)
    found = paths(y, x, at={x: 0.1})
    assert found.count == 2**2000 and not found.complete and found.paths == ()
    assert found.total is grad(y, x)
    assert "so they are counted and not listed" in str(found)
    few = paths(x * x * x, x, limit=2)
    assert few.count == 3 and few.paths == () and few.values({x: 2.0}) == ()
    assert len(paths(x * x * x, x, limit=3).paths) == 3


def test_a_use_is_a_path_of_its_own():
    x = input("x")
    found = paths((x * x).named("y"), x, at={x: 3.0})
    assert found.count == 2 and [float(v) for (v,) in found.values()] == [3.0, 3.0]
    assert paths(x**2, x).count == 1
    assert paths(x, x).count == 1 and float(evaluate(paths(x, x).total)) == 1


def test_no_path_leads_through_what_has_no_derivative():
    x = input("x")
    y = where(greater(x, 0), sin(x), x) + cast(cast(x, "int64"), "float64")
    found = paths(y, x)
    assert found.count == 2
    at = {x: 0.5}
    assert evaluate(found.total, at) == pytest.approx(np.cos(0.5))
    assert paths(sum_(x) + mean(x), x).count == 2


def test_where_no_way_has_a_derivative_it_is_zero_and_said_so():
    x = input("x")
    with pytest.warns(ZeroGradientWarning, match="derivative of .* by 'x' is zero everywhere: .*through floor"):
        found = paths(floor(x).named("y"), x, at={x: 0.5})
    assert found.count == 0 and found.complete and found.paths == ()
    assert evaluate(found.total, {x: 0.5}) == 0
    text = found.to_text()
    assert "∂y/∂x is 0: every way leads through an operation whose derivative is 0." in text
    assert "∂y/∂x = 0" in text and "listed" not in text and "sum over" not in text.split("∂y/∂x is 0")[1]
    korean = found.to_text("ko")
    assert "∂y/∂x 값은 0입니다." in korean and "나열" not in korean
    zero = paths(x * 0.0, x)  # no convention: the derivative is the number 0
    assert zero.count == 0 and "is 0: every way" in str(zero)


def test_the_branch_that_is_not_taken_makes_no_nan():
    x = input("x")
    found = paths(where(greater(x, 0), log(x) * 2, 0.0), x, at={x: 0.0})
    assert evaluate(found.total, {x: 0.0}) == 0


def test_a_path_is_told_in_names_and_in_numbers():
    x = input("x")
    text = paths((x * sin(x)).named("y"), x, at={x: 2.0}).to_text(width=100)
    for part in ("∂y/∂x is the sum over 2 paths", "x → t₁ → y", "path₂ = ∂y/∂t₁ · ∂t₁/∂x", "= x·cos(x)", "2·cos(2)",
                 "= −0.8323", "∂y/∂x = path₁ + path₂", "0.9093 + (−0.8323)", "t₁ = sin(x)"):  # fmt: skip
        assert part in text, part
    korean = paths((x * sin(x)).named("y"), x).to_text("ko")
    assert "경로 2개의 합" in korean and "경로₁" in korean and "path" not in korean
    assert repr(paths((x * x).named("y"), x)) == "<Paths from x to y: 2>"


def test_several_ways_between_two_names_are_not_called_a_derivative():
    x = input("x")
    h = relu(x).named("h")
    text = str(paths((h * h).named("y"), x))
    assert "path₁ = h·[x > 0]" in text and "∂y/∂h" not in text


def test_several_nodes_give_several_sums():
    x, y = input("x"), input("y")
    by_x, by_y = paths(x * y, (x, y))
    assert (by_x.wrt, by_y.wrt) == (x, y)


def test_what_has_no_paths_is_refused():
    x, v = input("x"), input("v", 3)
    with pytest.raises(ShapeError, match=r"from number to number; got the array <input v .*gl.scalarize"):
        paths(sum_(v), v)
    with pytest.raises(ShapeError, match="got the array <mul"):
        paths(sum_(v * x), x)
    with pytest.raises(DisconnectedError, match="'x' does not influence 'y': there is no path"):
        paths(input("y"), x)
    with pytest.raises(DTypeError, match="paths need real nodes"):
        paths(greater(x, 0), x)
    with pytest.raises(OptionError, match="limit of 1 or more; got 0"):
        paths(x * 2, x, limit=0)
    with pytest.raises(GraphUseError, match="paths by wrt needs a node"):
        paths(x * 2, "x")
    assert paths(constant(2.0) * x, x).count == 1


def test_random_numbers_are_those_of_a_seed_and_a_step():
    x = input("x")
    y = x * x * normal()
    for seed, step in ((0, 0), (3, 0), (0, 2)):
        found = paths(y, x, at={x: 2.0}, seed=seed, step=step)
        slope = evaluate(grad(y, x), {x: 2.0}, seed=seed, step=step)
        assert sum(np.prod(factors) for factors in found.values()) == pytest.approx(slope, rel=1e-14)
        assert format_number(slope) in found.to_text()
    with pytest.raises(OptionError, match="seed"):
        paths(y, x, seed=-1)
    with pytest.raises(OptionError, match="step"):
        paths(y, x, step=1.5)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_ways_that_differ_by_an_unnamed_operation_are_told_apart(language):
    x = input("x")
    a, b = (x**2).named("a"), sin(x).named("b")
    text = paths((a * b + b).named("f"), x, at={x: 1.2}).to_text(language)
    assert "x → b → t₁ → f" in text
    assert "x → b → f" in text
    assert "t₁ = a·b" in text
    plain_product = paths((x * x).named("f"), x, at={x: 1.2})  # nothing stands between
    assert plain_product.to_text(language).count("x → f") == 2
