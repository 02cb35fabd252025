"""Size: depth without recursion, no leak, and threads that build the same graph build it once."""

import gc
import math
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.binding import bind
from graphlearn.graph.leaves import constant, input
from graphlearn.graph.names import Names
from graphlearn.graph.node import count_interned
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH

DEPTH = 100_000


def chain(x, depth):
    node = x
    for k in range(depth):
        node = GRAPH.sin(node) if k % 2 == 0 else node * 1.0001
    return node


def test_a_graph_of_depth_100000_needs_no_recursion():
    x, z = input("x"), input("z")
    output = chain(x, DEPTH)
    assert len(topological([output])) == DEPTH + 2
    gradient = differentiate(output, [x], record=False).gradients[x]
    value, slope = evaluate([output, gradient], {x: 0.3})
    expected, product = 0.3, 1.0
    for k in range(DEPTH):
        product *= math.cos(expected) if k % 2 == 0 else 1.0001
        expected = math.sin(expected) if k % 2 == 0 else expected * 1.0001
    assert value == pytest.approx(expected, rel=1e-12)
    assert slope == pytest.approx(product, rel=1e-9)
    assert len(Names([output])) == DEPTH + 1
    assert list(bind([output], {x: 1.0}).arrays) == [x]
    assert len(topological([substitute([output], {x: z})[output]])) == DEPTH + 2
    before = count_interned()
    del output, gradient
    gc.collect()
    assert count_interned() < before - 2 * DEPTH


def test_a_node_takes_less_than_a_kilobyte():
    x = input("x")
    node = chain(x, 100)
    entry = node.op.plain[node.inputs]
    assert entry.key is node.inputs
    size = sum(map(sys.getsizeof, (node, node.inputs, entry)))
    assert size + 100 < 1000  # 100: its place in the dictionary


def test_the_interning_table_forgets_what_is_no_longer_used():
    gc.collect()
    before = count_interned()
    x = input("x", 3)
    nodes = [GRAPH.exp(x * constant(np.arange(3) + k)) for k in range(500)]
    assert count_interned() >= before + 1500
    last = weakref.ref(nodes[-1])
    del nodes
    gc.collect()
    assert last() is None
    assert count_interned() == before


def test_python_numbers_are_remembered_up_to_a_bound():
    gc.collect()
    before = count_interned()
    for k in range(5000):
        constant(k + 0.123)
    gc.collect()
    assert count_interned() - before <= 1024


def test_a_dead_nodes_place_is_taken_by_a_new_one():
    x = input("x")
    for _ in range(100):
        node = GRAPH.tanh(x)
        assert GRAPH.tanh(x) is node
        del node


def test_threads_that_build_the_same_graph_build_it_once():
    x = input("x")
    barrier = threading.Barrier(8)
    built = []

    def build():
        barrier.wait()
        built.append([chain(x + k, 40) for k in range(50)])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=build) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(built) == 8
    assert all(a is b for other in built for a, b in zip(built[0], other, strict=True))


def test_threads_that_build_and_drop_the_same_nodes_do_not_disturb_each_other():
    x = input("x")
    failures = []

    def churn():
        for k in range(2000):
            node = GRAPH.sin(x * (k % 7 + 0.5))
            if GRAPH.sin(x * (k % 7 + 0.5)) is not node:
                failures.append(k)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=churn) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


def test_the_garbage_collector_is_left_as_it_was():
    x = input("x")
    for enabled in (True, False):
        try:
            gc.enable() if enabled else gc.disable()
            differentiate(GRAPH.sin(x), [x])
            assert gc.isenabled() == enabled
        finally:
            gc.enable()


def test_differentiation_takes_time_in_proportion_to_the_graph():
    def seconds(depth):
        x = input("x")
        output = chain(x, depth)
        start = time.process_time()
        differentiate(output, [x], record=False)
        return time.process_time() - start

    small = min(seconds(4_000) for _ in range(3))
    assert seconds(40_000) < 40 * small  # 10 if nothing disturbs; a quadratic step would make it 100
