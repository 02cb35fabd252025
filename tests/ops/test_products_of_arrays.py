"""Products of arrays: matmul's batches and vectors, dot and its kin, einsum, against NumPy and with derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.graph.traverse import topological

BACKENDS = ("numpy", "numba")


def arrays(*shapes):
    generator = np.random.default_rng(len(shapes))
    return [generator.normal(size=shape) for shape in shapes]


def leaves(values):
    return [gl.input(f"x{k}", value.shape) for k, value in enumerate(values)]


def check(function, *shapes, derivative=True):
    """A function gives on nodes what NumPy's gives on arrays, and its derivative is the difference quotient."""
    values = arrays(*shapes)
    nodes = leaves(values)
    made = function(*nodes)
    at = {x.name: a for x, a in zip(nodes, values, strict=True)}
    wanted = function(*values)
    assert made.shape == np.shape(wanted)
    for backend in BACKENDS:
        np.testing.assert_allclose(gl.compile(made, backend=backend)(at), wanted, rtol=1e-13, atol=1e-14)
    if derivative:
        report = gl.check_grad(gl.sum(gl.sin(made)), nodes, at=at)
        assert report.ok, str(report)


@pytest.mark.parametrize(
    ("left", "right"),
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)),
     ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)),
     ((1, 2, 3), (5, 3, 1)), ((4, 1, 2, 3), (3,)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 4))],
)  # fmt: skip
def test_matmul_follows_numpys_rules(left, right):
    check(np.matmul, left, right, derivative=0 not in (*left, *right))


@pytest.mark.parametrize(
    ("function", "left", "right"),
    [(np.dot, (2, 3, 4), (4,)), (np.dot, (2, 3, 4), (5, 4, 2)), (np.dot, (4,), (5, 4, 2)), (np.dot, (2, 3), (3, 4)),
     (np.inner, (3,), (3,)), (np.inner, (2, 3), (4, 3)), (np.inner, (2, 1, 3), (3,)), (np.vdot, (2, 3), (2, 3)),
     (np.vdot, (2, 3), (3, 2)), (np.outer, (2,), (3,)), (np.outer, (2, 2), (3,)), (np.tensordot, (2, 3, 4), (3, 4, 5))],
)  # fmt: skip
def test_products_beside_matmul_are_numpys(function, left, right):
    check(function, left, right)


def test_tensordot_over_pairs_of_axes():
    check(lambda a, b: np.tensordot(a, b, ([0, 2], [1, 0])), (2, 3, 4), (4, 2, 5))
    check(lambda a, b: np.tensordot(a, b, (1, 0)), (2, 3), (3, 4))
    check(lambda a, b: np.tensordot(a, b, 0), (2,), (3,))


SUBSCRIPTS = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "ij,jk": ((2, 3), (3, 4)),
    "ji,jk": ((3, 2), (3, 4)),
    "ij->ji": ((2, 3),),
    "ij->": ((2, 3),),
    "ba": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "iij->j": ((3, 3, 2),),
    "iii->i": ((2, 2, 2),),
    "ii,ij->j": ((3, 3), (3, 2)),
    "ij,ij->": ((2, 3), (2, 3)),
    "i,j->ij": ((2,), (3,)),
    "ijk,kl->lij": ((2, 3, 4), (4, 2)),
    "ijkl,klm->mij": ((2, 2, 3, 2), (3, 2, 4)),
    "bij,bjk->bik": ((4, 2, 3), (4, 3, 2)),
    "bhqd,bhkd->bhqk": ((2, 2, 3, 4), (2, 2, 5, 4)),
    "i,ij,j->": ((2,), (2, 3), (3,)),
    "ab,bc,cd,de->ae": ((2, 3), (3, 2), (2, 4), (4, 2)),
    "ab,cb,db->acd": ((2, 3), (4, 3), (2, 3)),
    "ij,kl->jl": ((2, 3), (2, 4)),
    "...ij,...jk->...ik": ((2, 1, 2, 3), (4, 3, 2)),
    "...i,...i": ((2, 3), (3,)),
    "i...->...": ((2, 3, 4),),
    "...ii->...": ((4, 3, 3),),
    "ij,ij->ij": ((1, 3), (2, 1)),
}


@pytest.mark.parametrize("subscripts", SUBSCRIPTS)
def test_einsum_is_numpys(subscripts):
    check(lambda *operands: np.einsum(subscripts, *operands), *SUBSCRIPTS[subscripts])


@pytest.mark.parametrize(
    ("subscripts", "left", "right"),
    [("nij,jk->nik", ("N", 2, 3), (3, 4)), ("ni,nj->ij", ("N", 2), ("N", 3)), ("nij,nij->i", ("N", 2, 3), ("N", 2, 3)),
     ("nij,kj->nik", ("N", 2, 3), (4, 3)), ("ni,mj->", ("N", 2), ("M", 2)), ("ni,mi->nm", ("N", 2), ("M", 2))],
)  # fmt: skip
def test_einsum_over_free_axes(subscripts, left, right):
    sizes = {"N": 3, "M": 2}
    shapes = [tuple(sizes.get(d, d) for d in shape) for shape in (left, right)]
    a, b = gl.input("a", left), gl.input("b", right)
    first, second = arrays(*shapes)
    made = gl.einsum(subscripts, a, b)
    for backend in BACKENDS:
        np.testing.assert_allclose(
            gl.compile(made, backend=backend)(a=first, b=second), np.einsum(subscripts, first, second), rtol=1e-13
        )
    report = gl.check_grad(gl.sum(gl.sin(made)), [a, b], at={"a": first, "b": second})
    assert report.ok, str(report)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32"])
def test_einsum_keeps_the_dtype(dtype):
    values = [np.arange(6).reshape(2, 3) * 50, np.arange(12).reshape(3, 4) * 3]
    a, b = (v.astype(dtype) for v in values)
    x, y = gl.input("x", (2, 3), dtype), gl.input("y", (3, 4), dtype)
    for subscripts in ("ij,jk->ik", "ij,jk->k"):
        wanted = np.einsum(subscripts, a, b)
        for backend in BACKENDS:
            found = gl.compile(gl.einsum(subscripts, x, y), backend=backend)(x=a, y=b)
            assert found.dtype == wanted.dtype == dtype
            np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(gl.evaluate(gl.einsum("ij->j", x), {x: a}), np.einsum("ij->j", a))


def test_the_derivative_of_einsum_is_einsum():
    a, b = gl.input("a", (2, 3)), gl.input("b", (3, 4))
    slope = gl.grad(gl.sum(gl.einsum("ij,jk->ik", a, b) ** 2), a)
    assert {n.op.name for n in topological([slope])} <= {"einsum", "input", "mul", "constant", "pow", "broadcast_to"}
    report = gl.check_grad(
        gl.sum(gl.einsum("ij,jk->ik", a, b) ** 3),
        [a, b],
        at=dict(zip("ab", arrays((2, 3), (3, 4)), strict=True)),
        order=2,
    )
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("subscripts", "message"),
    [("ij,jk->il", r"letters of the operands in the result, each once; got 'ij,jk->il'\. Drop 'l'"),
     ("ij,jk->ii", "Drop 'i' after"), ("ij->ij", "labels for each operand; got 1 in 'ij->ij' for 2 operands"),
     ("ijk,jk->i", r"a label for each axis; got 'ijk' for \(2, 3\)"), ("i1,1k->ik", "needs letters"),
     ("ij,ik->jk", "axes of one label to have one length; got 2 and 3 for 'i'"), ([0, 1], "subscripts as text")],
)  # fmt: skip
def test_subscripts_that_do_not_fit_are_refused(subscripts, message):
    with pytest.raises(gl.ShapeError, match=message) as caught:
        gl.einsum(subscripts, gl.input("a", (2, 3)), gl.input("b", (3, 4)))
    assert "operands of einsum: a: float64[2,3], b: float64[3,4]" in str(caught.value)


def test_products_that_do_not_fit_name_axes_and_shapes():
    a, b = gl.input("a", (2, 3)), gl.input("b", (2, 4))
    with pytest.raises(gl.ShapeError, match=r"inner needs as many axes .*\(-1,\) of \(2, 3\) and \(-1,\) of \(2, 4\)"):
        gl.inner(a, b)
    with pytest.raises(gl.ShapeError, match="operands of tensordot: a"):
        gl.tensordot(a, b, ([0], [5]))


@pytest.mark.parametrize(("source", "destination"), [(0, 2), (-1, 0), ((0, 1), (2, 0)), ((2, 0), (0, 1))])
def test_axes_change_places_as_in_numpy(source, destination):
    x = gl.input("x", ("N", 3, 4))
    values = arrays((2, 3, 4))[0]
    np.testing.assert_array_equal(
        gl.evaluate(np.moveaxis(x, source, destination), {x: values}), np.moveaxis(values, source, destination)
    )
    np.testing.assert_array_equal(gl.evaluate(np.swapaxes(x, 0, -1), {x: values}), np.swapaxes(values, 0, -1))
    assert gl.swapaxes(x, 1, 2).shape == ("N", 4, 3)
    with pytest.raises(gl.ShapeError, match="moveaxis needs as many places as axes; got 2 axes and 1 places"):
        gl.moveaxis(x, (0, 1), 0)
