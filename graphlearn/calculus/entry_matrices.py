"""How small matrices are factorized entry by entry: determinants by expansion, systems of equations by cofactors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.calculus.entries import Entries, Place, array_of, fitted
from graphlearn.errors import UnsupportedOp
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node

Row = Callable[[Node, Sequence[Entries], Place], Entries]
Grid = list[list[Node]]

_MOST = 5  # rows: the expansion of a determinant has 2**n minors of each matrix


def _grids(node: Node, entries: Entries) -> list[Grid]:
    """The matrices in the last two axes."""
    n = entries.shape[-1]
    if n > _MOST:
        raise UnsupportedOp(
            f"scalarize writes matrices of at most {_MOST} rows out; got {node!r} of {n} rows. Compute it before, and "
            "give its result as an input.",
            nodes=(node,),
        )
    return [[[fitted(e, node) for e in row] for row in entries[p].tolist()] for p in np.ndindex(entries.shape[:-2])]


def _determinant(grid: Grid, at: Place, dtype: str) -> Node:
    """Expansion by the last row, with each minor of the first rows written once."""
    minors: dict[tuple[int, ...], Node] = {(): typed_constant(1, dtype)}
    for k, row in enumerate(grid):
        wider: dict[tuple[int, ...], Node] = {}
        for columns in itertools.combinations(range(len(grid)), k + 1):
            terms = []
            for place, column in enumerate(columns):
                rest = columns[:place] + columns[place + 1 :]
                term = at.apply("mul", row[column], minors[rest]) if rest else row[column]
                terms.append(at.apply("neg", term) if (k + place) % 2 else term)
            wider[columns] = at.chain("add", terms)
        minors = wider
    return minors[tuple(range(len(grid)))]


def _cofactors(grid: Grid, at: Place, dtype: str) -> Grid:
    def one(i: int, j: int) -> Node:
        rest = [row[:j] + row[j + 1 :] for k, row in enumerate(grid) if k != i]
        minor = _determinant(rest, at, dtype)
        return at.apply("neg", minor) if (i + j) % 2 else minor

    return [[one(i, j) for j in range(len(grid))] for i in range(len(grid))]


def _number(after: str = "", before: str = "") -> Row:
    """A row of a function of the determinant."""

    def row(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
        found = []
        for grid in _grids(node, operands[0]):
            value = _determinant(grid, at, node.dtype)
            for name in filter(None, (before, after)):
                value = at.apply(name, value)
            found.append(value)
        return array_of(found, node.shape)

    return row


def _cofactor(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    grids = _grids(node, operands[0])
    return array_of([e for grid in grids for row in _cofactors(grid, at, node.dtype) for e in row], node.shape)


def _cofactor_along(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    """Cofactors are linear in each row: sums of those of the matrix with some rows of the directions in their place."""
    n, found, zero = int(node.shape[-1]), list[Node](), typed_constant(0, node.dtype)
    for grid, *along in zip(*(_grids(node, entries) for entries in operands), strict=True):
        terms: dict[tuple[int, int], list[Node]] = {(i, j): [] for i in range(n) for j in range(n)}
        for rows in itertools.permutations(range(n), len(along)):
            mixed = list(grid)
            for row, direction in zip(rows, along, strict=True):
                mixed[row] = direction[row]
            cofactors = _cofactors(mixed, at, node.dtype)
            for i, j in terms:
                if i not in rows:
                    terms[i, j].append(cofactors[i][j])
        found += [at.chain("add", parts) if parts else zero for parts in terms.values()]
    return array_of(found, node.shape)


def _solve(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    """By Cramer's rule: cofactors times the right-hand side, over the determinant."""
    right = operands[1][:, None] if node.ndim == 1 else operands[1]
    found: list[Node] = []
    for grid, place in zip(_grids(node, operands[0]), np.ndindex(right.shape[:-2]), strict=True):
        cofactors, value = _cofactors(grid, at, node.dtype), _determinant(grid, at, node.dtype)
        columns: Any = right[place]
        for i in range(len(grid)):
            for c in range(columns.shape[1]):
                terms = [at.apply("mul", cofactors[j][i], fitted(columns[j, c], node)) for j in range(len(grid))]
                found.append(at.apply("div", at.chain("add", terms), value))
    return array_of(found, node.shape)


def _cholesky(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    """Row by row, as it is computed."""
    zero, found = typed_constant(0, node.dtype), list[Node]()
    for grid in _grids(node, operands[0]):
        lower: Grid = []
        for r, row in enumerate(grid):
            line: list[Node] = []
            for c in range(r + 1):
                other = line if c == r else lower[c]
                rest = row[c]
                for k in range(c):
                    rest = at.apply("sub", rest, at.apply("mul", line[k], other[k]))
                line.append(at.apply("sqrt", rest) if c == r else at.apply("div", rest, other[c]))
            lower.append(line)
            found += [*line, *[zero] * (len(grid) - r - 1)]
    return array_of(found, node.shape)


MATRICES: dict[str, Row] = {
    "cholesky": _cholesky,
    "cofactor": _cofactor,
    "cofactor_along": _cofactor_along,
    "det": _number(),
    "detsign": _number("sign"),
    "logabsdet": _number("log", "abs"),
    "solve": _solve,
}
