"""The benchmark of large scalar graphs, scaled down: what it promises at a million nodes must hold at some thousand."""

import pytest

from tools.benchmark import symbolic


@pytest.mark.parametrize("kind", symbolic.KINDS)
def test_a_node_takes_less_than_a_kilobyte(kind):
    for size in (1_000, 10_000):
        assert symbolic._child(kind, size, "memory")["memory"] < 1000


@pytest.mark.parametrize("kind", symbolic.KINDS)
def test_time_grows_with_the_size_and_a_gradient_costs_at_most_four_functions(kind):
    small, large = (symbolic.measure(kind, size, "times") for size in (2_000, 20_000))
    assert 9 * small["created"] < large["created"] < 11 * small["created"]
    # Per node; 1 if nothing disturbs. A step that is quadratic would make it 10.
    assert large["build"] < 5 * small["build"]
    assert large["gradient"] < 5 * small["gradient"]
    assert large["compile"] < 5 * small["compile"]
    assert large["both"] < 4 * large["function"]


def test_the_graphs_are_as_large_as_they_say():
    import graphlearn as gl
    from graphlearn.graph.traverse import topological

    for kind in symbolic.KINDS:
        x, output = symbolic._GRAPHS[kind](gl, 3_000)
        operations = [node for node in topological([output]) if node.inputs]
        assert abs(len(operations) - 3_000) <= 2
        assert gl.symbols(output) == {"x": x}


def test_the_table_has_a_line_for_each_graph():
    row = symbolic.Row("chain", 1_000, 1_001, 1_500, 3.0, 3.5, 4.0, 350.0, 15.0, 0.05, 0.08)
    lines = symbolic.table([row, row]).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| chain | 1,000 | 1,500 | 3.0 | 3.5 | 4.0 | 350 | 15.0 | 0.05 | 0.08 | 1.6 |"
