"""Binding: what a caller gives becomes one checked array per leaf; every mistake is named, with its cure."""

import gc
import weakref

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import DTypeError, MissingValueError, NameClashError, ShapeError, UnknownNameError
from graphlearn.graph.binding import HasValues, bind
from graphlearn.graph.leaves import input, parameter, state
from graphlearn.graph.origin import _MADE_FROM
from graphlearn.graph.scope import scope

x = input("x", ("batch", 2))
y = input("y", ("batch",))
k = input("k", 2, "int64")
w = parameter("w", (2, 3))
b = parameter("b", value=[1.0, 2.0, 3.0])
s = state("s", (), 0.5)
OUTPUT = (x @ w + b).sum() + y.sum() + k.sum() + s
GIVEN = {"x": [[1, 2], [3, 4]], "y": [0.5, 1.5], "k": [1, 2], "w": np.ones((2, 3))}


def test_every_leaf_gets_an_array_of_its_type():
    binding = bind([OUTPUT], GIVEN)
    assert set(binding.arrays) == {x, y, k, w, b, s}
    assert binding.sizes == {"batch": 2}
    assert binding.arrays[x].dtype == np.float64
    assert binding.arrays[k].dtype == np.int64
    assert binding.arrays[b].tolist() == [1, 2, 3]
    assert binding.arrays[s] == 0.5
    assert all(a.flags.c_contiguous for a in binding.arrays.values())


def test_keys_are_nodes_or_full_names():
    with scope("layer"):
        inner = input("z")
    assert bind([inner], {"layer/z": 1.0}).arrays[inner] == 1
    assert bind([inner], {inner: 2}).arrays[inner] == 2
    given = {**GIVEN, "s": 2.0, b: np.zeros(3)}
    binding = bind([OUTPUT], given)
    assert binding.arrays[s] == 2
    assert binding.arrays[b].tolist() == [0, 0, 0]


def test_leaves_of_other_graphs_are_passed_over():
    assert x not in bind([w.sum()], {w: np.ones((2, 3)), x: np.ones((4, 2)), input("w"): 3}).arrays


def test_leaves_that_a_gradient_lost_still_tell_how_long_they_are():
    assert bind([w.sum()], {w: np.ones((2, 3)), x: np.ones((4, 2))}).sizes == {"batch": 4}
    assert bind([y.sum()], {y: [1.0], x: np.ones((4, 2))}).sizes == {"batch": 1}


def test_a_model_gives_its_values():
    class Model:
        def leaf_values(self):
            return {w: np.full((2, 3), 7.0)}

    assert isinstance(Model(), HasValues)
    assert bind([w.sum()], Model()).arrays[w][0, 0] == 7


def test_nothing_need_be_given_where_every_leaf_has_a_value():
    assert bind([b.sum() + s], None).arrays[b].tolist() == [1, 2, 3]


def test_lengths_of_axes_that_no_array_shows_are_given():
    assert bind([w.sum()], {w: np.ones((2, 3))}, sizes={"n": 4}).sizes == {"n": 4}
    assert bind([x.sum()], {x: np.zeros((0, 2))}).sizes == {"batch": 0}


def refused(error, message, **changes):
    given = {key: value for key, value in {**GIVEN, **changes}.items() if value is not None}
    with pytest.raises(error, match=message):
        bind([OUTPUT], given)


def test_an_unknown_name_lists_the_known_ones():
    refused(UnknownNameError, "at names 'X', which the graph does not have. Its names are: x, w, b, y, k, s", X=1)
    with pytest.raises(UnknownNameError, match="nodes or names as keys; got 3"):
        bind([OUTPUT], {3: 1.0})
    with pytest.raises(UnknownNameError, match="a mapping from leaf or name to array, or a model; got list"):
        bind([OUTPUT], [1.0])
    with pytest.raises(UnknownNameError, match="data names 'X'"):
        bind([OUTPUT], {"X": 1}, what="data")


def test_a_missing_value_names_the_leaf_and_the_cure():
    refused(
        MissingValueError,
        r"needs a value for the input 'x' of type float64\[batch,2\]; got 'y'.*at=\{'x': ",
        x=None,
    )
    refused(MissingValueError, "a value for the parameter 'w'.*at=model", w=None)


def test_a_wrong_shape_is_refused():
    refused(ShapeError, r"at\['x'\] needs shape \(batch, 2\); got \(2, 3\)", x=np.ones((2, 3)))
    refused(ShapeError, r"at\['x'\] needs shape \(batch, 2\); got \(2,\)", x=[1.0, 2.0])
    refused(ShapeError, "one length for axis 'batch'; got 2 elsewhere and 3 in 'y'", y=[1, 2, 3])


WRONG = ["text", [1j, 2], [object()], [[1], [2, 3]], [None, 1.0], np.array(["a", "b"])]


@pytest.mark.parametrize("wrong", WRONG, ids=["text", "complex", "object", "ragged", "none", "texts"])
def test_what_is_no_number_is_refused(wrong):
    refused(DTypeError, r"at\['y'\] needs", y=wrong)


def test_whole_numbers_are_kept_whole():
    refused(DTypeError, r"at\['k'\] needs whole numbers", k=[0.5, 1.0])
    assert bind([k.sum()], {k: [1.0, 2.0]}).arrays[k].tolist() == [1, 2]
    assert bind([k.sum()], {k: [True, False]}).arrays[k].tolist() == [1, 0]
    assert bind([x.sum()], {x: np.ones((2, 2), bool)}).arrays[x].dtype == np.float64
    with pytest.raises(DTypeError, match="whole numbers"):
        bind([k.sum()], {k: [np.nan, 1.0]})


def test_values_outside_the_range_of_a_narrow_integer_are_refused():
    byte = input("byte", 2, "uint8")
    assert bind([byte.sum()], {byte: [0, 255]}).arrays[byte].tolist() == [0, 255]
    for wrong in ([0, 256], [-1, 0], np.array([0, 300], np.int64), [0.0, 1e9]):
        with pytest.raises(DTypeError, match=r"at\['byte'\] needs whole numbers"):
            bind([byte.sum()], {byte: wrong})
    small = input("small", (), "int32")
    assert bind([small * 1], {small: 2**31 - 1}).arrays[small] == 2**31 - 1
    with pytest.raises(DTypeError, match=r"at\['small'\] needs whole numbers.*change when cast"):
        bind([small * 1], {small: 2**31})


def test_two_leaves_of_one_name_are_refused():
    with pytest.raises(NameClashError, match="two called 'x'"):
        bind([x.sum() + input("x")], {})


def test_a_leaf_that_dropped_out_of_a_derivative_is_known_by_name():
    """The gradient of mean(x) does not use x, and yet whoever gives x by name gives it rightly."""
    x = gl.input("x", ("batch", 2))
    for made in (
        gl.grad(gl.mean(x), x),
        gl.grad(gl.sum(gl.grad(gl.sum(x * x), x)), x),
        gl.vjp(gl.mean(x), x, 1.0),
        gl.jacobian(gl.mean(x), x),
        gl.grad(gl.mean(x), x) * 2,
        gl.simplify(x * 0.0),
    ):
        assert gl.evaluate(made, {"x": np.ones((3, 2))}).shape == (3, 2)
        np.testing.assert_array_equal(
            gl.evaluate(made, {"x": np.ones((3, 2))}), gl.compile(made, backend="numpy")(x=np.ones((3, 2)))
        )
    with pytest.raises(gl.UnknownNameError, match="'y'"):
        gl.evaluate(gl.grad(gl.mean(x), x), {"x": np.ones((3, 2)), "y": 1.0})


def test_a_leaf_that_dropped_out_is_known_when_python_has_freed_it():
    def gradient():
        freed = gl.input("freed", ("batch", 2))
        return gl.grad(gl.mean(freed), freed), weakref.ref(freed)

    made, leaf = gradient()
    gc.collect()
    assert leaf() is None
    given = {"freed": np.ones((3, 2))}
    for graph in (made, made * 2, gl.simplify(made * 1.0)):
        assert gl.evaluate(graph, given).shape == (3, 2)
    assert gl.compile(made, backend="numpy")(freed=np.ones((3, 2))).shape == (3, 2)
    with pytest.raises(gl.UnknownNameError, match="'fried'"):
        gl.evaluate(made, {"fried": np.ones((3, 2))})


def test_what_is_derived_again_and_again_remembers_each_name_once():
    for _ in range(50):
        again = gl.input("again", "n")
        made = gl.grad(gl.mean(again), again)  # one object each time, since equal nodes are one
        del again
    assert len([source for source in _MADE_FROM[made] if source.name == "again"]) <= 2


def test_leaves_made_of_each_other_are_freed():
    v, w = gl.input("v"), gl.input("w")
    by_w, by_v = gl.grad(v * w, w), gl.grad(v * w, v)  # v, which came from w, and the other way round
    refs = [weakref.ref(v), weakref.ref(w)]
    del v, w, by_w, by_v
    gc.collect()
    assert [ref() for ref in refs] == [None, None]
