"""A compiled function as Python sees it: arrays are checked and passed by address, scalars by value."""

from __future__ import annotations

import ctypes
import operator
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.backends.native import blas
from graphlearn.backends.native.signature import SCALARS, Parameter, Signature
from graphlearn.errors import DataError, DTypeError, EngineError

Argument = np.ndarray[Any, np.dtype[Any]] | int | float


def _pointer(parameter: Parameter, where: str) -> Callable[[Any], int]:
    """Turns an array into its address. The last array is remembered: a training loop passes the same ones again."""
    # One tuple, replaced as a whole: two threads may call the same function. NumPy refuses to resize an array that
    # has a weak reference, so the address of a remembered array stays valid.
    last: tuple[Callable[[], object], int] = (lambda: parameter, 0)

    def convert(value: Any) -> int:
        nonlocal last
        known, address = last
        if known() is value and value is not None:  # a reference to what is gone gives None
            return address
        _check_array(value, parameter, where)
        address = int(value.ctypes.data)
        last = (weakref.ref(value), address)
        return address

    return convert


def _check_array(value: Any, wanted: Parameter, where: str) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != wanted.numpy:
        came = f"a {value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
        raise DTypeError(f"{where} needs a NumPy array of {wanted.dtype}; got {came}. Convert it first.")
    flags = value.flags
    if not (flags.c_contiguous and flags.aligned):
        raise DataError(
            f"{where} needs a contiguous, aligned array; pass numpy.require(array, requirements=('C', 'A'))."
        )
    if not (wanted.constant or flags.writeable):
        raise DataError(f"{where} is written; got a read-only array. Pass a copy.")


def _integer(parameter: Parameter, where: str) -> Callable[[Any], int]:
    """Checks the range of an integer: ctypes would cut it silently."""
    limits = np.iinfo(parameter.dtype)
    low, high = int(limits.min), int(limits.max)

    def convert(value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError as error:
            raise DTypeError(f"{where} needs an integer; got {type(value).__name__}.") from error
        if low <= number <= high:
            return number
        raise DataError(f"{where} needs {parameter.dtype}, {low} to {high}; got {number}.")

    return convert


def _float(parameter: Parameter, where: str) -> Callable[[Any], float]:
    """Takes any real number."""

    def convert(value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise DTypeError(f"{where} needs a number; got {type(value).__name__}.") from error

    return convert


def _converter(parameter: Parameter, where: str) -> Callable[[Any], Any]:
    if parameter.pointer:
        return _pointer(parameter, where)
    return (_float if parameter.dtype.startswith("float") else _integer)(parameter, where)


class NativeFunction:
    """A compiled function. Call it with NumPy arrays for pointers and numbers for scalars; no length is checked.

    The interpreter lock is released during the call, and BLAS runs with `blas_threads` threads.

    Args:
        identity: what it is kept by; see `compile.identify`.
        entry: its name.
        source: the text that it was compiled from.
        signature: its parameters and result.
        address: where the machine code is.
        bare: whether the code takes Numba's result and exception pointers first; see `frontend`.
        engine: kept alive with the function.
        uses_blas: whether the code calls BLAS.
        origin: ``"memory"`` where this process compiled it, ``"object cache"`` or ``"Numba's cache"`` where it was
            loaded from disk.
        note: why a compiled function was not stored; empty where it was.
        compiler: which front end this process compiled it with, and why not our own; empty where it was loaded.
    """

    __slots__ = (
        "__weakref__", "_blas", "_count", "_engine", "_invoke", "compiler", "entry", "identity", "note", "origin",
        "signature", "source",
    )  # fmt: skip

    def __init__(
        self, *, identity: str, entry: str, source: str, signature: Signature, address: int, bare: bool, engine: Any,
        uses_blas: bool, origin: str, note: str = "", compiler: str = "",
    ) -> None:  # fmt: skip
        self.identity = identity
        self.entry = entry
        self.source = source
        self.signature = signature
        self.origin = origin
        self.note = note
        self.compiler = compiler
        self._engine = engine
        self._blas = blas.register() if uses_blas else None
        self._count = len(signature.parameters)
        self._invoke = (_bare_call if bare else _plain_call)(entry, signature, address)

    def __call__(self, *arguments: Argument, threads: int | None = None) -> Any:
        """Run the function.

        Args:
            *arguments: one per parameter: a C-contiguous, aligned array of the parameter's dtype, writable unless the
                parameter is ``const``; an int; or a float.
            threads: of BLAS during this call; None: `blas_threads`.

        Returns:
            The result as a Python number; None for ``void``.

        Raises:
            DTypeError: an argument has another type; convert it.
            DataError: an array is not contiguous, not aligned or read-only; an integer is out of range.
            EngineError: the number of arguments is wrong, or the compiled code raised.
        """
        if len(arguments) != self._count:
            raise EngineError(f"{self.entry} takes {self._count} arguments, {self.signature}; got {len(arguments)}.")
        library = self._blas
        if library is None:
            return self._invoke(arguments)
        blas.THREADS.enter(library, threads)
        try:
            return self._invoke(arguments)
        finally:
            blas.THREADS.leave(library)

    def __repr__(self) -> str:
        by = f", compiled by {self.compiler}" if self.compiler else ""
        return f"<NativeFunction {self.entry}: {self.signature}, from {self.origin}{by}>"


def _plain_call(entry: str, signature: Signature, address: int) -> Callable[[tuple[Argument, ...]], Any]:
    """The C calling convention."""
    result = None if signature.result == "void" else SCALARS[signature.result]
    call = ctypes.CFUNCTYPE(result, *(p.ctype for p in signature.parsed()))(address)
    converters = _converters(entry, signature)
    return lambda arguments: call(*map(operator.call, converters, arguments))


def _bare_call(entry: str, signature: Signature, address: int) -> Callable[[tuple[Argument, ...]], Any]:
    """Numba's: a status comes back; value and exception through two pointers, to memory that is new for each call."""
    void = signature.result == "void"

    class Returned(ctypes.Structure):
        _fields_ = (("value", ctypes.c_int64 if void else SCALARS[signature.result]), ("raised", ctypes.c_void_p))

    pointer, raised = ctypes.c_void_p, Returned.raised.offset
    call = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, *(p.ctype for p in signature.parsed()))(address)
    converters = _converters(entry, signature)
    address_of, apply = ctypes.addressof, operator.call

    def invoke(arguments: tuple[Argument, ...]) -> Any:
        returned = Returned()
        at = address_of(returned)
        status = call(at, at + raised, *map(apply, converters, arguments))
        if status:
            raise EngineError(f"the compiled code of {entry} raised an error (status {status}).")
        return None if void else returned.value

    return invoke


def _converters(entry: str, signature: Signature) -> tuple[Callable[[Any], Any], ...]:
    return tuple(_converter(p, f"argument {i} of {entry}") for i, p in enumerate(signature.parsed()))
