"""Scopes and names: one name for one thing."""

import threading

import pytest

from graphlearn.errors import GraphUseError, NameClashError, UnknownNameError
from graphlearn.graph.leaves import constant, input, parameter
from graphlearn.graph.lines import user_location
from graphlearn.graph.names import Names
from graphlearn.graph.scope import current_scope, no_scope, scope
from graphlearn.graph.traverse import find_leaf, symbols
from graphlearn.ops.algebra import GRAPH


def test_scopes_nest_and_end():
    with scope("outer") as outer:
        assert outer == current_scope() == "outer"
        with scope("inner") as inner:
            assert inner == "outer/inner"
            assert input("x").full_name == "outer/inner/x"
            with no_scope():
                assert input("x").full_name == "x"
        assert current_scope() == "outer"
    assert current_scope() == ""
    with pytest.raises(ZeroDivisionError), scope("broken"):
        raise ZeroDivisionError
    assert current_scope() == ""
    with scope("a/b"):  # two scopes, one inside the other
        path, leaf = current_scope(), parameter("w", 2)
    with scope("a"), scope("b"):
        assert current_scope() == path == "a/b" and leaf.full_name == "a/b/w"


@pytest.mark.parametrize("name", ["", "  ", "/", "a\tb", 3, "a//b", "/a", "a/", "a/ /b"])
def test_a_scope_needs_a_name(name):
    with pytest.raises(GraphUseError, match="a scope needs"), scope(name):
        pass


def test_constants_belong_to_no_scope_and_threads_have_scopes_of_their_own():
    with scope("block"):
        assert constant(1.0).scope == ""
        seen = []
        thread = threading.Thread(target=lambda: seen.append(current_scope()))
        thread.start()
        thread.join()
        assert seen == [""]


def test_a_node_keeps_the_scope_of_its_making():
    x = input("x")
    with scope("layer"):
        node = GRAPH.tanh(x)
        named = node.named("h")
    assert node.scope == "layer"
    assert node.full_name == ""
    assert named.full_name == "layer/h"


def test_every_node_but_a_constant_has_a_name():
    x, w = input("x"), parameter("w", ())
    h = GRAPH.tanh(w * x + 0.5).named("h")
    names = Names([h * h])
    assert {names[n] for n in names} == {"x", "w", "h", "t1", "t2", "t3"}
    assert names[h] == "h"
    assert names.node("h") is h
    assert names.node("t1") is w * x
    assert constant(0.5) not in names
    assert names.get(constant(0.5)) == ""
    assert names.get(constant(0.5), "a constant") == "a constant"
    assert len(names) == 6


def test_numbers_of_unnamed_nodes_pass_over_names_that_are_taken():
    t1 = input("t1")
    names = Names([GRAPH.exp(GRAPH.sin(t1))])
    assert {names[n] for n in names} == {"t1", "t2", "t3"}


def test_two_nodes_of_one_name_are_refused_with_advice():
    x = input("x")
    with pytest.raises(NameClashError, match=r"two called 'h'.*\.named\(\.\.\.\)") as caught:
        Names([GRAPH.sin(x).named("h") + GRAPH.cos(x).named("h")])
    assert len(caught.value.nodes) == 2
    with pytest.raises(NameClashError, match="one leaf per name; got two called 'x'"):
        symbols(x + input("x"))
    with pytest.raises(NameClashError, match="one leaf per name"):
        Names([x + input("x")])
    with scope("other"):
        assert list(symbols(x + input("x"))) == ["x", "other/x"]


def test_unknown_names_list_the_known_ones():
    x, y = input("x"), input("y")
    with pytest.raises(UnknownNameError, match=r"has no 'z'\. Its names are: x, y, t1"):
        Names([x + y]).node("z")
    table = symbols(x + y)
    assert find_leaf(table, "y", "at") is y
    assert find_leaf(table, x, "at") is x
    assert find_leaf(table, input("x"), "at") is None
    with pytest.raises(UnknownNameError, match=r"at names 'z', which the graph does not have\. Its names are: x, y"):
        find_leaf(table, "z", "at")


def test_the_users_line_is_found_outside_the_package():
    assert user_location().startswith(", at test_scopes_and_names.py:")
