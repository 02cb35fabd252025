"""What the house demands of its source, each rule a function from the modules read to a list of breaches.

The rules read text and syntax trees only; nothing is imported. A breach is one line: where, what, and what to do.
"""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "graphlearn"
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# From the ground up; a part imports only parts of lower floors, and parts of one floor never import each other.
FLOORS = (
    ("errors",),
    ("types", "datasets"),
    ("graph",),
    ("ops",),
    ("program", "interop", "calculus"),
    ("backends", "render"),
    ("learn", "teach", "plot"),
    ("__init__", "__main__", "cli", "estimators"),
)
FLOOR = {part: level for level, parts in enumerate(FLOORS) for part in parts}

# The entrance: `python -m graphlearn` starts the command line, which uses the public names.
SAME_FLOOR = {("__main__", "cli"), ("cli", "__init__")}

# Files that may load our own package on first use (DESIGN.md, "Lazy"), each with its reason.
LAZY = {
    "graphlearn/__init__.py": "loads SymPy, matplotlib and Numba only when one of their names is asked for",
    "graphlearn/backends/registry.py": "a backend, its planner, what writes files: on first use, as Numba takes 0.3 s",
}

# Files that are one long table; a table may be longer than LONGEST_FILE.
TABLES: dict[str, str] = {}

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef

LEFTOVER = re.compile(
    r"\b(TODO|FIXME|XXX|HACK)\b|\bNotImplementedError\(\)|raise NotImplementedError\s*$"
    r"|pragma: no cover|type: ignore(?!\[)|noqa(?!: [A-Z])"
)


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its path relative to the root, and its text."""

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def is_package(self) -> bool:
        """Whether this is the ``__init__.py`` of a folder."""
        return self.path.endswith("/__init__.py")

    @property
    def part(self) -> str:
        """The first name below the package: ``ops`` for ``graphlearn.ops.softmax``."""
        return part_of(self.name)


@dataclass(frozen=True)
class Import:
    """One import of our own: by whom, of what, in which line, and when it happens."""

    module: Module
    target: str
    line: int
    late: bool
    types_only: bool


def read(root: Path) -> list[Module]:
    """Read every source file of the package that lies in ``root``."""
    modules = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        relative = path.relative_to(root)
        parts = relative.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(name, relative.as_posix(), path.read_text(encoding="utf-8")))
    return modules


def part_of(name: str) -> str:
    """Give the part of the house that a dotted name belongs to; ``__init__`` for the package itself."""
    return [*name.split("."), "__init__"][1]


# --- imports -----------------------------------------------------------------------------------------------------


def imports(modules: list[Module]) -> list[Import]:
    """List the imports of our own modules, by statement or by ``import_module("...")``."""
    names = {module.name for module in modules}
    return [found for module in modules for found in _imports_of(module, names)]


def _imports_of(module: Module, names: set[str]) -> Iterator[Import]:
    functions = (node for node in ast.walk(module.tree) if isinstance(node, _Function | ast.Lambda))
    late = {id(inner) for function in functions for inner in ast.walk(function)}
    checks = (node for node in ast.walk(module.tree) if isinstance(node, ast.If) and _names(node.test, "TYPE_CHECKING"))
    types_only = {id(inner) for check in checks for line in check.body for inner in ast.walk(line)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            for target in _targets(node, module, names):
                if target != module.name:
                    yield Import(module, target, node.lineno, id(node) in late, id(node) in types_only)


def _names(test: ast.expr, name: str) -> bool:
    return (isinstance(test, ast.Name) and test.id == name) or (isinstance(test, ast.Attribute) and test.attr == name)


def _targets(node: ast.Import | ast.ImportFrom | ast.Call, module: Module, names: set[str]) -> Iterator[str]:
    """Give the modules of ours that one statement or call imports."""
    if isinstance(node, ast.Import):
        yield from (known for alias in node.names if (known := _known(alias.name, names)))
    elif isinstance(node, ast.ImportFrom):
        head = _resolve(node.module or "", node.level, module)
        submodules = [f"{head}.{alias.name}" for alias in node.names if f"{head}.{alias.name}" in names]
        yield from submodules
        # `from graphlearn.graph import node` inside graphlearn.graph needs the folder only as a place.
        place_only = len(submodules) == len(node.names) and module.name.startswith(head + ".") and head != PACKAGE
        if not place_only and (known := _known(head, names)):
            yield known
    elif _called(node) in ("import_module", "__import__"):
        argument = node.args[0] if node.args else None
        if not isinstance(argument, ast.Constant):
            yield PACKAGE + ".?"  # what is loaded is decided at run time: it may be ours
        elif (name := str(argument.value)).startswith((PACKAGE, ".")):
            yield _known(name, names) or PACKAGE + ".?"


def _resolve(name: str, level: int, module: Module) -> str:
    """Make the name of a relative import absolute."""
    if level == 0:
        return name
    base = module.name.split(".")
    base = base[: len(base) - level + module.is_package]
    return ".".join([*base, *filter(None, [name])])


def _known(name: str, names: set[str]) -> str | None:
    """Give the longest beginning of a dotted name that is a module of ours."""
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name or None


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def imports_against_the_floors(modules: list[Module]) -> list[str]:
    """Imports that do not point downward; types count too, since to know a type is to know its floor."""
    breaches = [
        f"{module.path}: the part {module.part!r} is on no floor; add it to FLOORS in tests/architecture.py"
        for module in modules
        if module.part not in FLOOR
    ]
    for found in imports(modules):
        here, there = found.module.part, part_of(found.target)
        if here == there or (here, there) in SAME_FLOOR or here not in FLOOR or there not in FLOOR:
            continue
        if FLOOR[there] >= FLOOR[here]:
            breaches.append(
                f"{found.module.path}:{found.line}: {here} imports {found.target}, which is not below it; "
                "move what is needed down, or hand it in as an argument"
            )
    return breaches


def import_circles(modules: list[Module]) -> list[str]:
    """A circle of imports at module level, if there is one."""
    graph: dict[str, set[str]] = {module.name: set() for module in modules}
    for found in imports(modules):
        if not found.late and not found.types_only and found.target in graph:
            graph[found.module.name].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " <- ".join(error.args[1])
        return [f"import circle: {circle}; move what both need into a module below them"]
    return []


def late_imports(modules: list[Module], lazy: dict[str, str] = LAZY) -> list[str]:
    """Imports of our own inside functions, or by a name computed at run time, outside the lazy places."""
    found = {(f.module.path, f.line, f.target) for f in imports(modules) if f.late or f.target.endswith(".?")}
    return [
        f"{path}:{line}: late import of {target}; import it at the top of the file"
        for path, line, target in sorted(found)
        if path not in lazy
    ]


# --- size and words ----------------------------------------------------------------------------------------------


def long_files(modules: list[Module], tables: dict[str, str] = TABLES) -> list[str]:
    """Files over `LONGEST_FILE` lines that are not tables, and tables that need no exception."""
    sizes = {module.path: len(module.text.splitlines()) for module in modules}
    over = {path: lines for path, lines in sizes.items() if lines > LONGEST_FILE}
    return [
        *(
            f"{path}: {lines} lines, {LONGEST_FILE} allowed; split it"
            for path, lines in over.items()
            if path not in tables
        ),
        *(f"{path}: listed as a long table and is none; remove it from TABLES" for path in tables if path not in over),
    ]


def long_functions(modules: list[Module]) -> list[str]:
    """Functions over `LONGEST_FUNCTION` lines."""
    return [
        f"{module.path}:{node.lineno}: {node.name} has {lines} lines, {LONGEST_FUNCTION} allowed; split it"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, _Function) and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]


def missing_docstrings(modules: list[Module]) -> list[str]:
    """Files, and public classes, functions and methods, that do not say what they are."""
    breaches = []
    for module in modules:
        if ast.get_docstring(module.tree) is None:
            breaches.append(f"{module.path}: no docstring; open the file with one sentence on what it holds")
        breaches += [
            f"{module.path}:{node.lineno}: {node.name} has no docstring; say in one sentence what it does"
            for node in _public(module.tree)
            if ast.get_docstring(node) is None
        ]
    return breaches


def _public(holder: ast.Module | ast.ClassDef) -> Iterator[_Definition]:
    """Give the public definitions of a module or class; overloads and setters are explained by their main form."""
    # A definition under `if` or `try` at module level is as public as one beside it.
    for node in _statements(holder.body):
        if not isinstance(node, _Definition) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            yield node
            yield from _public(node)
        elif not any(ast.unparse(mark).endswith(("overload", ".setter", ".deleter")) for mark in node.decorator_list):
            yield node


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))


def asserts(modules: list[Module]) -> list[str]:
    """Assertions: a user's mistake deserves an error of ours, and ``python -O`` removes an assert."""
    return [
        f"{module.path}:{node.lineno}: assert in the package; raise an error of graphlearn.errors"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assert)
    ]


def leftovers(modules: list[Module]) -> list[str]:
    """Notes of unfinished work and exemptions that do not say what they exempt."""
    return [
        f"{module.path}:{number}: leftover {found[0]!r}; finish it, or name the rule that is exempted"
        for module in modules
        for number, line in enumerate(module.text.splitlines(), 1)
        if (found := LEFTOVER.search(line))
    ]


def folders_without_readme(modules: list[Module], root: Path) -> list[str]:
    """Folders of source that have no ``README.md`` with words in it."""
    folders = {Path(module.path).parent for module in modules} - {Path(PACKAGE)}
    return [
        f"{folder.as_posix()}: no README.md; say on one page why the folder exists, its rule and what it may import"
        for folder in sorted(folders)
        if not (root / folder / "README.md").is_file() or not (root / folder / "README.md").read_text("utf-8").strip()
    ]
