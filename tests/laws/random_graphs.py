"""Random graphs with shared nodes, from a seed: for laws that must hold for every graph and not only for every op."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.node import Node
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.linear import matmul
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import broadcast_to, reshape, transpose
from graphlearn.types import Shape

SIZES = {"batch": 5}
_SHAPES: tuple[Shape, ...] = ((), (3,), (2, 3), (3, 2), ("batch", 3), (1, 3))

# Functions whose values stay within a few units, so that differences stay accurate at any depth.
_UNARY: tuple[Callable[[Node], Node], ...] = (
    GRAPH.tanh,
    GRAPH.sin,
    GRAPH.sigmoid,
    GRAPH.softplus,
    GRAPH.erf,
    lambda x: -x,
    lambda x: GRAPH.square(GRAPH.tanh(x)),
    lambda x: GRAPH.sqrt(1 + x * x),
    lambda x: GRAPH.exp(GRAPH.sin(x)),
    lambda x: GRAPH.log(2 + GRAPH.tanh(x)),
    lambda x: 1 / (1 + x * x),
)
_BINARY: tuple[Callable[[Node, Node], Node], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * GRAPH.tanh(y),
    lambda x, y: x / (1 + y * y),
    lambda x, y: GRAPH.where(y > 0.123, x, GRAPH.sin(y)),
)
_REDUCTIONS: tuple[Callable[[Node, int], Node], ...] = (
    lambda x, axis: sum_(x, axis, keepdims=True),
    lambda x, axis: mean(x, axis, keepdims=True),
    mean,
    max_,
    logsumexp,
    softmax,
    log_softmax,
)


@dataclass(frozen=True)
class RandomGraph:
    """A scalar graph.

    Args:
        output: node of shape ``()``.
        wrt: its real leaves.
        at: leaf -> value.
    """

    output: Node
    wrt: tuple[Node, ...]
    at: dict[Node, np.ndarray]


def random_graph(seed: int, size: int = 25) -> RandomGraph:
    """A graph of about ``size`` operations in which most nodes are used more than once.

    Args:
        seed: equal seeds give equal graphs and values.
        size: number of steps; each adds one to four nodes.
    """
    generator = random.Random(seed)
    leaves = [
        input(f"x{k}", shape) if k % 2 and any(isinstance(d, str) for d in shape) else _leaf(f"p{k}", shape)
        for k, shape in enumerate(generator.choices(_SHAPES, k=5))
    ]
    pool = list(leaves)
    for _ in range(size):
        pool.append(_step(generator, pool))
    # Everything that is made counts, so that no part of the graph is idle.
    output = sum_(pool[0]) * 0
    for node in pool:
        output = output + GRAPH.tanh(mean(node))
    values = np.random.Generator(np.random.Philox(seed))
    at = {x: values.standard_normal(tuple(SIZES.get(d, d) for d in x.shape)) for x in leaves}
    return RandomGraph(output, tuple(leaves), at)


def _leaf(name: str, shape: Shape) -> Node:
    named = any(isinstance(d, str) for d in shape)
    return input(name, shape) if named else parameter(name, tuple(int(d) for d in shape))


def _step(generator: random.Random, pool: list[Node]) -> Node:
    """One more node, from nodes that are there."""
    recent = pool[-8:] if generator.random() < 0.7 else pool
    x = generator.choice(recent)
    kind = generator.random()
    if kind < 0.35:
        return generator.choice(_UNARY)(x)
    if kind < 0.65:
        return _binary(generator, x, pool)
    if kind < 0.85 and x.ndim:
        return generator.choice(_REDUCTIONS)(x, generator.randrange(x.ndim))
    return _moved(generator, x, pool)


def _binary(generator: random.Random, x: Node, pool: list[Node]) -> Node:
    partners = [y for y in pool if _broadcast(x.shape, y.shape)]
    return generator.choice(_BINARY)(x, generator.choice(partners))


def _broadcast(left: Shape, right: Shape) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(left[::-1], right[::-1], strict=False))


def _moved(generator: random.Random, x: Node, pool: list[Node]) -> Node:
    """A matrix product, or the same entries in another shape."""
    partners = [y for y in pool if x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0]]
    if partners and generator.random() < 0.7:
        return GRAPH.tanh(matmul(x, generator.choice(partners)))
    if x.ndim == 2:
        return transpose(x)
    if x.ndim == 1 and generator.random() < 0.5:
        return reshape(x, (1, *x.shape))
    return broadcast_to(x, (2, *x.shape)) if x.ndim < 2 else GRAPH.sin(x)
