"""Numba intrinsics from functions of any number of arguments, whose names Numba insists on reading."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def intrinsic_of(name: str, parameters: int, typer: Callable[..., Any]) -> Any:
    """Make a Numba intrinsic.

    Args:
        name: under which error messages know it.
        parameters: how many arguments it takes.
        typer: ``typer(*types)`` gives a signature and what lowers a call, or None where the types do not fit.
    """
    from numba.extending import intrinsic

    def variadic(context: Any, *arguments: Any) -> Any:
        return typer(*arguments)

    variadic.__name__ = name
    names = ["context", *(f"a{i}" for i in range(parameters))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    variadic.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])  # type: ignore[attr-defined]
    return intrinsic(variadic)
