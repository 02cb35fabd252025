"""Which local names of a function stand for one value, and which need a place in memory."""

from __future__ import annotations

import ast
from collections.abc import Sequence

Path = tuple[int, ...]


class _Reader:
    """Where names are assigned and read: paths of the blocks around, from the outermost."""

    def __init__(self) -> None:
        self.assigned: dict[str, list[Path]] = {}
        self.counted: dict[str, list[Path]] = {}
        self.read: dict[str, set[Path]] = {}
        self._blocks = 0

    def block(self, statements: Sequence[ast.stmt], path: Path) -> None:
        """Read the statements of a block."""
        for statement in statements:
            if isinstance(statement, ast.For):
                self._names(statement.iter, path)
                inside = self._inside(path)
                if isinstance(statement.target, ast.Name):
                    self.counted.setdefault(statement.target.id, []).append(inside)
                self.block(statement.body, inside)
            elif isinstance(statement, ast.While):
                self._names(statement.test, path)
                self.block(statement.body, self._inside(path))
            elif isinstance(statement, ast.If):
                self._names(statement.test, path)
                self.block(statement.body, self._inside(path))
                self.block(statement.orelse, self._inside(path))
            else:
                self._names(statement, path)

    def _inside(self, path: Path) -> Path:
        self._blocks += 1
        return (*path, self._blocks)

    def _names(self, tree: ast.AST, path: Path) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    self.assigned.setdefault(node.id, []).append(path)
                else:
                    self.read.setdefault(node.id, set()).add(path)


def names_in_memory(function: ast.FunctionDef) -> frozenset[str]:
    """The names that are assigned more than once, or read outside the block in which they are assigned.

    A counter of loops is none of these where only the bodies of its loops read it.
    """
    reader = _Reader()
    reader.block(function.body, ())
    parameters = {argument.arg for argument in function.args.args}
    found = set()
    for name in {*reader.assigned, *reader.counted}:
        places = reader.assigned.get(name, []) + reader.counted.get(name, [])
        once = len(places) == 1 or name not in reader.assigned
        seen = all(any(path[: len(p)] == p for p in places) for path in reader.read.get(name, ()))
        if name in parameters or not (once and seen):
            found.add(name)
    return frozenset(found)
