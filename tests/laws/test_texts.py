"""Law: what a text of the package names exists, so that advice can be followed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import graphlearn as gl
from graphlearn.learn.history import History

FILES = sorted(Path(gl.__file__).parent.rglob("*.py"))
NAMED = re.compile(r"\b(gl|nn|optim|losses|init|datasets|Model|model|node|history)\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
MODEL = gl.Model(gl.input("x") * gl.parameter("w", value=1.0))
# What a name in a text stands for; `node` and `model` are instances, whose attributes are not all on the class.
ROOTS: dict[str, Any] = {
    "gl": gl, "nn": gl.nn, "optim": gl.optim, "losses": gl.losses, "init": gl.init, "datasets": gl.datasets,
    "Model": gl.Model, "model": MODEL, "node": gl.input("x"), "history": History,
}  # fmt: skip


def texts(path: Path) -> Iterator[str]:
    for item in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(item, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in item.values)
        elif isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield item.value


def unknown(text: str) -> list[str]:
    found = []
    for root, rest in NAMED.findall(text):
        thing = ROOTS[root]
        for part in rest.split("."):
            if part not in dir(thing):
                found.append(f"{root}.{rest}")
            if part not in dir(thing) or not isinstance(thing, (ModuleType, type)):
                break  # of an instance, only the attribute itself is known
            thing = getattr(thing, part)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FILES[0].parent)))
def test_every_name_in_a_text_exists(path: Path) -> None:
    assert [name for text in texts(path) for name in unknown(text)] == []


def test_a_name_that_does_not_exist_is_found() -> None:
    assert unknown("save it with Model.save, or gl.nn.Dens(3); model.values and gl.optim.SGD are there") == [
        "Model.save",
        "gl.nn.Dens",
    ]
