"""The house stands: floors, circles, late imports, sizes, docstrings; and each rule catches a breach of it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture, architecture_reach
from tests.architecture import Module

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("sympy", "mpmath", "numba", "llvmlite", "networkx", "matplotlib", "scipy", "torch", "jax")
HEAVY += ("rich", "graphviz", "graphviz_pure", "resvg_py", "safetensors")

Rule = Callable[[list[Module]], list[str]]
RULES: tuple[Rule, ...] = (
    architecture.imports_against_the_floors,
    architecture.import_circles,
    architecture.late_imports,
    architecture.long_files,
    architecture.long_functions,
    architecture.missing_docstrings,
    architecture.asserts,
    architecture.leftovers,
    architecture_reach.hidden_imports,
    architecture_reach.foreign_libraries,
    architecture_reach.prints,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule) -> None:
    modules = architecture.read(ROOT)
    assert len(modules) > 5, "the package was not found"
    breaches = rule(modules)
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_folder_explains_itself() -> None:
    breaches = architecture.folders_without_readme(architecture.read(ROOT), ROOT)
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_lazy_place_is_still_lazy() -> None:
    modules = architecture.read(ROOT)
    late = {line.partition(":")[0] for line in architecture.late_imports(modules, lazy={})}
    assert set(architecture.LAZY) == late, (
        "LAZY in tests/architecture.py lists exactly the files that load on first use"
    )


def test_import_stays_light() -> None:
    code = "import sys, graphlearn; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "graphlearn" in loaded
    assert not loaded & set(HEAVY), "these are to be loaded on first use"


def test_import_brings_nothing_that_plans_writes_or_explains() -> None:
    late = ("program.steps", "program.build", "backends.forms", "backends.saved", "backends.native", "teach", "render")
    code = "import sys, graphlearn; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {f"graphlearn.{name}" for name in late} & set(done.stdout.split()), "loaded by backends/registry.py"


# --- each rule catches what it is there for --------------------------------------------------------------------------

CLEAN = {
    "__init__.py": """
        from graphlearn.learn.model import Model
        """,
    "__main__.py": """
        from graphlearn.cli import main
        """,
    "cli.py": """
        import graphlearn as gl
        def main():
            'Run.'
            import rich
        """,
    "errors.py": "",
    "types.py": """
        from graphlearn.errors import ShapeError
        """,
    "graph/__init__.py": """
        from graphlearn.graph.node import Node
        from .names import Names
        """,
    "graph/node.py": """
        from graphlearn.types import ArrayType
        from . import names
        from graphlearn.graph import names as again
        """,
    "graph/names.py": """
        from typing import TYPE_CHECKING, overload
        if TYPE_CHECKING:
            from graphlearn.graph.node import Node
        class Names:
            'Names.'
            @overload
            def at(self): ...
            def __len__(self): ...
            def _hidden(self): ...
        """,
    "learn/__init__.py": "",
    "learn/model.py": """
        from graphlearn.graph import Node  # type: ignore[attr-defined]
        """,
}

LONG_BODY = "    x = 1\n" * 60

BREACHES: dict[Rule, list[tuple[str, str, str]]] = {
    architecture.imports_against_the_floors: [
        ("graph/up.py", "from graphlearn.learn.model import Model", "graphlearn.learn.model"),
        ("graph/up.py", "from ..learn import model", "graphlearn.learn.model"),
        ("graph/up.py", "import graphlearn.learn", "graphlearn.learn"),
        ("graph/up.py", "import graphlearn as gl", "imports graphlearn,"),
        ("graph/up.py", "from graphlearn import errors", "imports graphlearn,"),
        ("graph/up.py", "def f():\n    from graphlearn import learn", "graphlearn.learn"),
        ("teach/__init__.py", "from graphlearn.learn.model import M", "teach imports"),
        ("datasets/__init__.py", "from graphlearn.types import A", "datasets imports"),
        (
            "graph/up.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from graphlearn.learn.model import Model",
            "graphlearn.learn.model",
        ),
        ("helpers/__init__.py", "", "'helpers' is on no floor"),
    ],
    architecture.import_circles: [
        ("graph/names.py", "from graphlearn.graph.node import Node", "graphlearn.graph.names"),
        ("graph/names.py", "from graphlearn.graph import Node", "graphlearn.graph.names"),
        ("errors.py", "from .types import A", "graphlearn.types"),
    ],
    architecture.late_imports: [
        ("graph/late.py", "def f():\n    from .node import Node", "graph/late.py:3: late import"),
        ("graph/late.py", "class A:\n    def f(self):\n        import graphlearn.types", ":4: late"),
        ("graph/late.py", "f = lambda: __import__('graphlearn.types')", "graphlearn.types"),
        ("graph/late.py", "import importlib\nimportlib.import_module('.x', 'graphlearn')", ":3: late"),
        ("graph/late.py", "from importlib import import_module\nimport_module(n)", ":3: late"),
    ],
    architecture.long_files: [
        ("graph/long.py", "x = 1\n" * 400, "401 lines"),
    ],
    architecture.long_functions: [
        ("graph/long.py", f"def f():\n{LONG_BODY}", "f has 61 lines"),
        ("graph/long.py", f"class A:\n  async def g(self):\n{LONG_BODY}", "g has 61 lines"),
    ],
    architecture.missing_docstrings: [
        ("graph/bare.py", "def f(): ...", "f has no docstring"),
        ("graph/bare.py", 'class A:\n  """A."""\n  def g(self): ...', "g has no docstring"),
        ("graph/bare.py", "class A: ...", "A has no docstring"),
        ("graph/bare.py", "if 1:\n    def f(): ...", "f has no docstring"),
    ],
    architecture.asserts: [
        ("graph/bare.py", "def _f(x):\n    assert x > 0", ":3: assert"),
    ],
    architecture.leftovers: [
        ("graph/bare.py", "x = 1  # TODO later", ":2: leftover 'TODO'"),
        ("graph/bare.py", "x = 1  # type: ignore", "type: ignore"),
        ("graph/bare.py", "x = 1  # noqa", "noqa"),
        ("graph/bare.py", "raise NotImplementedError()", "NotImplementedError"),
    ],
    architecture_reach.hidden_imports: [
        ("graph/sly.py", "from importlib import import_module as load", ":2: import_module"),
        ("graph/sly.py", "def f(load=__import__):\n    return load('graphlearn.learn.model')", "__import__"),
        ("graph/sly.py", "import pkgutil\npkgutil.resolve_name('graphlearn.learn.model:Model')", "resolve_name"),
        ("graph/sly.py", "exec('import graphlearn.learn.model')", "exec"),
        ("graph/sly.py", "import builtins\nbuiltins.exec('import graphlearn.learn.model')", "exec"),
        ("graph/sly.py", "import sys\nmodel = sys.modules['graphlearn.learn.model']", "modules"),
        ("graph/sly.py", "from sys import modules", "modules"),
    ],
    architecture_reach.foreign_libraries: [
        ("graph/sly.py", "def f():\n    import networkx", "only interop may"),
        ("learn/sly.py", "from torch import nn", "only nobody may"),
    ],
    architecture_reach.prints: [
        ("graph/sly.py", "print(1)", "return the text instead"),
    ],
}


def house(tmp_path: Path, **changes: str) -> Path:
    files = {**CLEAN, **changes}
    for name, text in files.items():
        path = tmp_path / "graphlearn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('"""Doc."""\n' + textwrap.dedent(text).lstrip(), encoding="utf-8")
        if path.parent.name != "graphlearn":
            (path.parent / "README.md").write_text("# Why this folder exists\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_clean_house_passes(rule: Rule, tmp_path: Path) -> None:
    assert rule(architecture.read(house(tmp_path))) == []


@pytest.mark.parametrize(
    ("rule", "name", "text", "message"), [(rule, *row) for rule, rows in BREACHES.items() for row in rows]
)
def test_a_breach_is_caught(rule: Rule, name: str, text: str, message: str, tmp_path: Path) -> None:
    breaches = rule(architecture.read(house(tmp_path, **{name: text})))
    assert breaches
    assert any(message in breach for breach in breaches), breaches


def test_a_file_must_say_what_it_holds(tmp_path: Path) -> None:
    root = house(tmp_path)
    (root / "graphlearn" / "types.py").write_text("x = 1\n", encoding="utf-8")
    (breach,) = architecture.missing_docstrings(architecture.read(root))
    assert breach.startswith("graphlearn/types.py: no docstring")


def test_every_rule_has_a_breach() -> None:
    assert set(BREACHES) == set(RULES)


def test_lazy_places_may_import_late_and_no_other(tmp_path: Path) -> None:
    late = "def __getattr__(name):\n    from graphlearn import plot\n    return plot\n"
    modules = architecture.read(house(tmp_path, **{"__init__.py": late, "plot/__init__.py": ""}))
    assert architecture.late_imports(modules) == []
    assert architecture.late_imports(modules, lazy={}) != []


def test_a_table_may_be_long_as_long_as_it_is(tmp_path: Path) -> None:
    modules = architecture.read(house(tmp_path, **{"graph/table.py": "x = 1\n" * 500}))
    tables = {"graphlearn/graph/table.py": "a table", "graphlearn/errors.py": "a stale exception"}
    assert architecture.long_files(modules, tables) == [
        "graphlearn/errors.py: listed as a long table and is none; remove it from TABLES"
    ]


@pytest.mark.parametrize("text", [None, "  \n"])
def test_a_folder_without_words_is_caught(text: str | None, tmp_path: Path) -> None:
    root = house(tmp_path)
    assert architecture.folders_without_readme(architecture.read(root), root) == []
    readme = root / "graphlearn" / "graph" / "README.md"
    readme.unlink()
    if text is not None:
        readme.write_text(text, encoding="utf-8")
    (breach,) = architecture.folders_without_readme(architecture.read(root), root)
    assert breach.startswith("graphlearn/graph: no README.md")


def test_every_exemption_is_still_used() -> None:
    modules = {module.path: module for module in architecture.read(ROOT)}
    for path, names in architecture_reach.ALLOWED_HIDDEN.items():
        used = {name for name, _ in architecture_reach._mentions(modules[path])}
        assert names <= used, f"{path} no longer needs {names - used}"


def unlisted(folder: Path) -> list[str]:
    """Modules and folders of source that the README beside them does not name."""
    readme = (folder / "README.md").read_text(encoding="utf-8")
    parts = [p.name for p in folder.glob("*.py") if p.name != "__init__.py"]
    parts += [f"{p.name}/" for p in folder.iterdir() if (p / "__init__.py").is_file()]
    return sorted(part for part in parts if f"`{part}`" not in readme)


@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in (ROOT / "graphlearn").rglob("README.md")), ids=lambda p: p.name
)
def test_a_folder_names_every_module_in_its_readme(folder: Path) -> None:
    assert not unlisted(folder)


def test_a_module_that_no_readme_names_is_found(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("| `one.py` | first |\n", encoding="utf-8")
    for name in ("one.py", "other.py", "__init__.py"):
        (tmp_path / name).touch()
    assert unlisted(tmp_path) == ["other.py"]
