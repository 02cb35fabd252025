"""Generated code grows with the graph, whatever its form: nothing that is used twice is written out again and again."""

import random

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numba.emit import emit_function
from graphlearn.graph.traverse import leaves, topological
from graphlearn.program.build import build_function
from tests.laws.script_writer import write_script
from tests.laws.scripts import nodes_of


def lines_and_nodes(outputs):
    program = build_function(outputs, leaves(outputs), "float64")
    text = emit_function(program).source.splitlines()
    assert max(map(len, text)) < 600
    return len(text), len(topological(outputs))


def sums_of_the_last_two(length):
    older, newer = gl.input("x", 7), gl.input("y", 7)
    for _ in range(length):
        older, newer = newer, older + newer
    return newer


def products_of_the_last_two(length):
    older, newer = gl.input("x", 7), gl.input("y", 7)
    for _ in range(length):
        older, newer = newer, gl.tanh(older * newer)
    return newer


def centred_again_and_again(length):
    x = gl.input("x", 7)
    for _ in range(length):
        x = x - gl.mean(x * x)
    return x


def parts_put_together(length):
    x = gl.input("x", 7)
    for _ in range(length):
        x = np.concatenate([x[1:], x[:1]]) + gl.sin(x)
    return x


def normalised_again_and_again(length):
    x = gl.input("x", (3, 7))
    for _ in range(length):
        x = gl.softmax(x @ x.T @ x, axis=1)
    return x


FORMS = (
    sums_of_the_last_two, products_of_the_last_two, centred_again_and_again, parts_put_together,
    normalised_again_and_again,
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_code_grows_in_proportion_to_the_graph(form):
    def measure(length):
        output = form(length)
        gradients = gl.grad(gl.sum(gl.sin(output)), list(leaves([output])))
        return lines_and_nodes([output, *gradients])

    (few, _), (many, nodes) = measure(15), measure(60)
    assert many <= 5 * few
    assert many <= 6 * nodes


@pytest.mark.parametrize("seed", range(12))
def test_code_of_random_scripts_of_60_lines_stays_in_bounds(seed):
    script = write_script(random.Random(seed), 60, smooth=seed % 2 == 0)
    inputs = script.inputs()
    output = nodes_of(script, inputs)[script.output]
    real = [leaf for leaf in inputs.values() if leaf.type.is_float]
    lines, nodes = lines_and_nodes([output, *gl.grad(output, real, "zero")])
    assert lines <= 4 * nodes
