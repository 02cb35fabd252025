"""What source may reach for: hidden ways to import, libraries that one room alone knows, printing.

Each rule goes from the modules read to a list of breaches, as those in `tests.architecture`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture import Module

# Names that load or run code whose name or text no reader of the imports sees.
HIDDEN = ("__import__", "import_module", "resolve_name", "exec", "eval", "modules", "loader", "spec_from_file_location")
ALLOWED_HIDDEN = {
    "graphlearn/__init__.py": {"import_module"},  # the lazy names, from a table in the file
    "graphlearn/backends/registry.py": {"import_module"},  # the backends, likewise
    "graphlearn/backends/native/blas.py": {"import_module"},  # SciPy's table of BLAS routines
    "graphlearn/backends/native/frontend.py": {"exec", "modules"},  # generated source becomes functions here
    "graphlearn/backends/cuda/device.py": {"exec"},  # and here
}
# Library -> parts of the house that may import it; what is not listed is open to all.
LIBRARIES = {
    "sympy": {"interop", "teach"},
    "mpmath": {"interop"},
    "networkx": {"interop"},
    "numba": {"backends"},
    "llvmlite": {"backends"},
    "scipy": {"ops", "backends"},
    "matplotlib": {"plot"},
    "resvg_py": {"render"},
    "safetensors": {"cli", "learn"},
    "rich": {"cli", "learn", "render"},
    "torch": set(),
    "jax": set(),
}
PRINTING = {"cli"}


def hidden_imports(modules: list[Module]) -> list[str]:
    """Mentions of what imports or runs code out of sight, by whatever alias, outside the places that need it."""
    return [
        f"{module.path}:{line}: {name} loads code out of sight; import at the top of the file"
        for module in modules
        for name, line in _mentions(module)
        if name in HIDDEN and name not in ALLOWED_HIDDEN.get(module.path, set())
    ]


def _mentions(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name):
            # A variable may be called modules; sys.modules is an attribute, and a bare name only by an import.
            if node.id in ("__import__", "exec", "eval"):
                yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            whole = ast.unparse(node)
            if node.attr != "modules" or whole == "sys.modules":
                yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module in ("importlib", "pkgutil", "sys", "builtins"):
            yield from ((alias.name, node.lineno) for alias in node.names)


def foreign_libraries(modules: list[Module]) -> list[str]:
    """Imports of a library outside the room that knows it."""
    return [
        f"{module.path}:{node.lineno}: {module.part} imports {name}, which only "
        f"{' and '.join(sorted(LIBRARIES[name])) or 'nobody'} may; go through it"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _libraries(node)
        if name in LIBRARIES and module.part not in LIBRARIES[name]
    ]


def _libraries(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif node.module and not node.level:
        yield node.module.partition(".")[0]


def prints(modules: list[Module]) -> list[str]:
    """Calls of print outside the command line: whoever is called returns what it has to say."""
    return [
        f"{module.path}:{node.lineno}: print in {module.part}; return the text instead"
        for module in modules
        if module.part not in PRINTING
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
