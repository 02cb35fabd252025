"""NumPy's own spellings, as lines of random scripts: a table of functions of the writer, each giving a text or nothing.

A spelling counts only where nodes answer to the NumPy function, so a new one is drawn from the day that it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlearn.graph.op import NUMPY_BUILDERS

if TYPE_CHECKING:
    from tests.laws.script_writer import Writer

Spelling = Callable[["Writer"], str]


def fitting(writer: Writer, name: str, shape: tuple[int, ...]) -> str:
    """A value of another shape that is made of this one, by writing lines; nothing where that fails."""
    array = writer.arrays[name]
    if array.shape == shape:
        return name
    size = math.prod(shape)
    if array.size == size:
        return writer.write(f"np.reshape({name}, {shape})")
    if array.size > size:
        flat = writer.write(f"np.reshape({name}, (-1,))") if array.ndim != 1 else name
        part = writer.write(f"{flat}[{array.size - size}:]") if flat else ""
        return writer.write(f"np.reshape({part}, {shape})") if part and len(shape) != 1 else part
    small = writer.write(f"np.mean({name}, axis=None)") if array.ndim else name
    wide = writer.write(f"np.broadcast_to({small}, {shape})") if small else ""
    return writer.write(f"{wide} * np.array({_spread(shape)!r})") if wide else ""


def _spread(shape: tuple[int, ...]) -> Any:
    """Different numbers, so that the entries of what is repeated do not tie."""
    return np.linspace(0.5, 1.5, math.prod(shape)).round(3).reshape(shape).tolist()


def _axis(writer: Writer, rank: int) -> int:
    return writer.choose.randrange(-rank, rank)


def _axes(writer: Writer, rank: int) -> str:
    """One axis, several, none or all, as text."""
    kind = writer.choose.random()
    if kind < 0.25 or rank == 0:
        return "None"
    if kind < 0.7:
        return str(_axis(writer, rank))
    chosen = sorted(writer.choose.sample(range(rank), writer.choose.randint(0, rank)))
    return repr(tuple(k - rank if writer.choose.random() < 0.3 else k for k in chosen))


def _array(writer: Writer, rank: int = 1, *, real: bool = False) -> str:
    """A value of this rank at least."""
    return writer.pick(lambda a: a.ndim >= rank and (a.dtype.kind == "f" or not real))


def _reduction(name: str) -> Spelling:
    def spell(writer: Writer) -> str:
        x = _array(writer, 0, real=writer.smooth)
        if not x:
            return ""
        keep = ", keepdims=True" if writer.choose.random() < 0.4 else ""
        return f"np.{name}({x}, axis={_axes(writer, writer.arrays[x].ndim)}{keep})"

    return spell


def _along(text: str, rank: int = 1) -> Spelling:
    """A text with ``{x}`` and an ``{axis}`` of it, and small numbers ``{k}``."""

    def spell(writer: Writer) -> str:
        x = _array(writer, rank, real=writer.smooth)
        if not x:
            return ""
        axis = _axis(writer, writer.arrays[x].ndim)
        return text.format(x=x, axis=axis, k=writer.choose.randint(-2, 3), n=writer.choose.randint(1, 3))

    return spell


def _reshape(writer: Writer) -> str:
    x = _array(writer, 0)
    size = writer.arrays[x].size if x else 0
    if not size:
        return ""
    first = writer.choose.choice([d for d in range(1, size + 1) if size % d == 0])
    return f"np.reshape({x}, {writer.choose.choice([(first, -1), (-1, first), (-1,), (first, 1, size // first)])})"


def _transpose(writer: Writer) -> str:
    x = _array(writer, 2)
    if not x:
        return ""
    rank = writer.arrays[x].ndim
    if writer.choose.random() < 0.4:
        return f"{x}.T"
    return f"np.transpose({x}, {tuple(writer.choose.sample(range(rank), rank))})"


def _swap(text: str) -> Spelling:
    def spell(writer: Writer) -> str:
        x = _array(writer, 2)
        if not x:
            return ""
        rank = writer.arrays[x].ndim
        return text.format(x=x, a=_axis(writer, rank), b=_axis(writer, rank))

    return spell


def _squeeze(writer: Writer) -> str:
    x = writer.pick(lambda a: 1 in a.shape)
    return f"np.squeeze({x}, axis={writer.arrays[x].shape.index(1)})" if x else ""


def _broadcast_to(writer: Writer) -> str:
    x = _array(writer, 0)
    shape = tuple(writer.choose.randint(2, 3) if d == 1 else d for d in writer.arrays[x].shape)
    return f"np.broadcast_to({x}, {(writer.choose.randint(1, 2), *shape)})"


def _index(writer: Writer) -> str:
    x = _array(writer, 1)
    if not x:
        return ""
    keys: list[str] = []
    for length in writer.arrays[x].shape:
        kind = writer.choose.random()
        if kind < 0.3 or not length:
            keys.append(":")
        elif kind < 0.45:
            keys.append(str(writer.choose.randrange(-length, length)))
        else:
            start, stop = sorted(writer.choose.choices(range(-1, length + 1), k=2))
            step = writer.choose.choice((1, 1, 2, -1, -2))
            low, high = ("" if n < 0 or n == length else str(n) for n in (start, stop))
            keys.append(f"{low}:{high}:{step}" if step > 0 else f"{high}:{low}:{step}")
    if writer.choose.random() < 0.2:
        keys.insert(writer.choose.randint(0, len(keys)), "None")
    if writer.choose.random() < 0.2:
        keys = [*keys[: writer.choose.randint(0, len(keys))], "..."]
    return f"{x}[{', '.join(keys) or '...'}]"


def _joined(function: str) -> Spelling:
    def spell(writer: Writer) -> str:
        x = _array(writer, 1)
        if not x:
            return ""
        shape, dtype = writer.arrays[x].shape, writer.arrays[x].dtype
        y = writer.pick(lambda a: a.shape == shape and (a.dtype == dtype or not writer.smooth))
        parts = writer.choose.choice((f"{x}, {y}", f"{y}, {x}, {x}", x))
        axis = f", axis={_axis(writer, len(shape))}" if function in ("concatenate", "stack") else ""
        return f"np.{function}([{parts}]{axis})"

    return spell


def _pad(writer: Writer) -> str:
    x = _array(writer, 1)
    if not x:
        return ""
    widths = [(writer.choose.randint(0, 2), writer.choose.randint(0, 1)) for _ in writer.arrays[x].shape]
    mode = writer.choose.choice(("", "", ", mode='edge'", ", mode='reflect'", ", mode='wrap'", ", mode='symmetric'"))
    return f"np.pad({x}, {widths}{mode})"


def _product(function: str) -> Spelling:
    """``x @ y``, or a function of two such operands; what does not fit is brought into shape."""

    def spell(writer: Writer) -> str:
        x = _array(writer, 1, real=writer.smooth)
        if not x:
            return ""
        shape = writer.arrays[x].shape
        fits = [n for n in writer.names(lambda a: a.ndim >= 1 and (a.dtype.kind == "f" or not writer.smooth))]
        inner = [n for n in fits if _inner(writer.arrays[n].shape) == shape[-1]]
        y = writer.choose.choice(inner) if inner and writer.choose.random() < 0.7 else ""
        if not y:
            other = writer.real()
            wanted = writer.choose.choice([(shape[-1],), (shape[-1], 2), (shape[-1], 3)])
            y = fitting(writer, other, wanted) if other else ""
        return f"{x} @ {y}" if y and function == "@" else f"np.{function}({x}, {y})" if y else ""

    return spell


def _inner(shape: tuple[int, ...]) -> int:
    return shape[-2] if len(shape) > 1 else shape[0]


def _einsum(writer: Writer) -> str:
    x = writer.pick(lambda a: a.ndim == 2 and a.dtype.kind == "f")
    if not x:
        return ""
    y = fitting(writer, writer.real(), (writer.arrays[x].shape[1], 2))
    rules = ("ij,jk->ik", "ij,jk->ki", "ij,jk->", "ij,jk->i", "ij,jk", "ij,jk->ijk")
    return f"np.einsum({writer.choose.choice(rules)!r}, {x}, {y})" if y else ""


def _take(writer: Writer) -> str:
    x = writer.pick(lambda a: a.ndim >= 1 and a.size > 0)
    if not x:
        return ""
    axis = writer.choose.randrange(writer.arrays[x].ndim)
    length = writer.arrays[x].shape[axis]
    places = [writer.choose.randrange(-length, length) for _ in range(writer.choose.randint(1, 4))]
    return f"np.take({x}, np.array({places}), axis={axis})"


def _numbers(writer: Writer) -> str:
    """Arithmetic with Python numbers, which take the dtype of what they meet."""
    x = writer.pick()
    texts = ("-{x}", "{x} + {n}", "{n} - {x}", "{x} * {n}", "1 / (2 + {x} * {x})", "{x} ** 2", "{x} ** 3", "+{x}")
    return writer.choose.choice(texts).format(x=x, n=writer.number())


def _method(writer: Writer) -> str:
    x = _array(writer, 0, real=writer.smooth)
    return f"{x}.{writer.choose.choice(('sum', 'mean'))}(axis={_axes(writer, writer.arrays[x].ndim)})" if x else ""


def _softmax(name: str) -> Spelling:
    def spell(writer: Writer) -> str:
        x = writer.real(lambda a: a.ndim >= 1 and a.size > 0)
        return f"gl.{name}({x}, axis={_axis(writer, writer.arrays[x].ndim)})" if x else ""

    return spell


def _builders(*names: str) -> list[str]:
    """Those of NumPy's functions to which nodes answer."""
    return [name for name in names if getattr(np, name) in NUMPY_BUILDERS]


_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std", "any", "all")
SPELLINGS: tuple[Spelling, ...] = (
    *(_reduction(name) for name in _builders(*_REDUCTIONS)),
    *(_along(f"np.{name}({{x}}, axis={{axis}})") for name in _builders("cumsum", "argmax", "argmin", "flip")),
    *(_along(f"np.{name}({{x}}, {{k}}, axis={{axis}})") for name in _builders("roll")),
    *(_along(f"np.{name}({{x}}, {{n}}, axis={{axis}})") for name in _builders("repeat")),
    *(_along(f"np.{name}({{x}}, {{n}})") for name in _builders("tile")),
    *(_along(f"np.{name}({{x}}, {{k}})", 2) for name in _builders("tril", "triu", "diagonal")),
    *(_along(f"np.{name}({{x}})", 2) for name in _builders("trace", "ravel")),
    *(_along(f"np.{name}({{x}}, 1, axis={{axis}})[0]") for name in _builders("split")),
    *(_along(f"np.{name}({{x}}, {{axis}})") for name in _builders("expand_dims")),
    *(_swap(f"np.{name}({{x}}, {{a}}, {{b}})") for name in _builders("swapaxes", "moveaxis")),
    *(_joined(name) for name in _builders("concatenate", "stack", "hstack", "vstack")),
    *(_product(name) for name in ("@", *_builders("dot", "outer", "inner"))),
    *([_einsum] if np.einsum in NUMPY_BUILDERS else []),
    *([_take] if np.take in NUMPY_BUILDERS else []),
    *(_softmax(name) for name in ("softmax", "log_softmax", "logsumexp")),
    _reshape, _transpose, _squeeze, _broadcast_to, _index, _index, _pad, _numbers, _numbers, _method,
)  # fmt: skip
