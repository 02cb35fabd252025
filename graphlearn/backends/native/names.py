"""Which local names of a function stand for one value, and which need a place in memory."""

from __future__ import annotations

import ast
from collections.abc import Sequence

Path = tuple[int, ...]


class _Reader(ast.NodeVisitor):
    """Where names are assigned and read: paths of the blocks around, from the outermost."""

    def __init__(self) -> None:
        self.path: Path = ()
        self.assigned: dict[str, list[Path]] = {}
        self.counted: dict[str, list[Path]] = {}
        self.read: dict[str, set[Path]] = {}
        self._blocks = 0

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.assigned.setdefault(node.id, []).append(self.path)
        else:
            self.read.setdefault(node.id, set()).add(self.path)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        path = self._enter()
        if isinstance(node.target, ast.Name):
            self.counted.setdefault(node.target.id, []).append(self.path)
        self._body(node.body, path)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        for block in (node.body, node.orelse):
            self._body(block, self._enter())

    def _enter(self) -> Path:
        before = self.path
        self._blocks += 1
        self.path = (*before, self._blocks)
        return before

    def _body(self, block: Sequence[ast.stmt], before: Path) -> None:
        for statement in block:
            self.visit(statement)
        self.path = before


def names_in_memory(function: ast.FunctionDef) -> frozenset[str]:
    """The names that are assigned more than once, or read outside the block in which they are assigned.

    A counter of loops is none of these where only the bodies of its loops read it.
    """
    reader = _Reader()
    for statement in function.body:
        reader.visit(statement)
    parameters = {argument.arg for argument in function.args.args}
    found = set()
    for name in {*reader.assigned, *reader.counted}:
        places = reader.assigned.get(name, []) + reader.counted.get(name, [])
        once = len(places) == 1 or name not in reader.assigned
        seen = all(any(path[: len(p)] == p for p in places) for path in reader.read.get(name, ()))
        if name in parameters or not (once and seen):
            found.add(name)
    return frozenset(found)
