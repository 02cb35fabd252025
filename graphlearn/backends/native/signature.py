"""The types of a compiled function's parameters and result: raw pointers and scalars, nothing else."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphlearn.errors import OptionError

SCALARS: dict[str, type[Any]] = {
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
    "int8": ctypes.c_int8,
    "int16": ctypes.c_int16,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8,
    "uint16": ctypes.c_uint16,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Args:
        dtype: a key of `SCALARS`.
        pointer: whether it is the address of an array of that dtype, or one value.
        constant: whether the function only reads the array; a read-only array is refused otherwise.
    """

    dtype: str
    pointer: bool = False
    constant: bool = False

    @classmethod
    def parse(cls, text: str) -> Parameter:
        """Read ``"float32"``, ``"float32*"`` or ``"const float32*"``.

        Raises:
            OptionError: the text is none of these; use a dtype of `SCALARS`.
        """
        constant = text.startswith("const ")
        rest = text.removeprefix("const ")
        pointer = rest.endswith("*")
        dtype = rest.removesuffix("*")
        if dtype not in SCALARS or (constant and not pointer):
            raise OptionError(
                f"a parameter is a dtype, 'dtype*' or 'const dtype*'; got {text!r}. Dtypes are {', '.join(SCALARS)}."
            )
        return cls(dtype, pointer, constant)

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """The dtype as NumPy's."""
        return np.dtype(self.dtype)

    @property
    def ctype(self) -> type[Any]:
        """The type that ctypes passes."""
        return ctypes.c_void_p if self.pointer else SCALARS[self.dtype]


@dataclass(frozen=True)
class Signature:
    """The parameters and the result of a compiled function.

    Args:
        parameters: each ``"float32*"`` (array that the function may write), ``"const float32*"`` (only read) or
            ``"float32"``, with any dtype of `SCALARS`.
        result: a dtype of `SCALARS`, or ``"void"``.

    Raises:
        OptionError: a text is none of these.

    >>> str(Signature(("float32*", "const int64*", "int64"), "float64"))
    'float64(float32*, const int64*, int64)'
    """

    parameters: tuple[str, ...]
    result: str = "void"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        for text in self.parameters:
            Parameter.parse(text)
        if self.result != "void" and self.result not in SCALARS:
            raise OptionError(f"a result is 'void' or one of {', '.join(SCALARS)}; got {self.result!r}.")

    def parsed(self) -> tuple[Parameter, ...]:
        """The parameters, read."""
        return tuple(Parameter.parse(text) for text in self.parameters)

    def __str__(self) -> str:
        return f"{self.result}({', '.join(self.parameters)})"
