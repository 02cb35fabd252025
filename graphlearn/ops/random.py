"""Random numbers: uniform, normal and Bernoulli nodes, each call a stream of its own; and dropout.

A value is Philox of (seed, stream, step, entry). Seed and step belong to the run: `gl.evaluate(..., seed=, step=)`;
training counts its steps. Words, uniform numbers and truths are the same to the last bit on every backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from graphlearn.errors import DTypeError, OptionError, ShapeError
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, PREFIX, PRODUCT, Notation
from graphlearn.graph.options import as_array
from graphlearn.graph.streams import SEED, STEP, Stream
from graphlearn.ops.algebra import GRAPH, NUMPY
from graphlearn.ops.elementary import ceil
from graphlearn.ops.intrinsics import less, minimum, where
from graphlearn.ops.philox import words
from graphlearn.ops.reach import MOVES
from graphlearn.ops.shape import cast
from graphlearn.ops.structural import build, compound, structural
from graphlearn.types import ArrayType, Dim, broadcast_shapes, check_dtype, check_shape, format_shape, to_float

__all__ = ["bernoulli", "normal", "uniform"]

_WORD = 2.0**32
Drawn = tuple[Dim, ...]
Real = Literal["float32", "float64"]

LANES = 4  # of a stream: two numbers for each entry, each with a second word where 24 bits are not enough


# --- words and uniform numbers --------------------------------------------------------------------------------------


def _infer_random(
    types: tuple[ArrayType, ...], first: int, part: int, precision: str, shape: Drawn, stream: Any
) -> ArrayType:
    if any(t.shape or t.dtype != "int64" for t in types):
        raise DTypeError(
            f"random needs a seed and a step, int64 numbers; got {' and '.join(map(str, types))}. Give them to what "
            "runs the graph, as in gl.evaluate(node, seed=1)."
        )
    return ArrayType(shape, precision)


def _draw(
    seed: Any, step: Any, first: int, part: int, precision: str, shape: tuple[int, ...], stream: int
) -> np.ndarray:
    lane = LANES * stream + 2 * part
    high = words(int(seed), int(step), lane, shape, first)
    if precision == "int64":
        return high
    if precision == "float32":
        return (high >> 8).astype(np.float32) * np.float32(2.0**-24)
    return (high * 2**21 + (words(int(seed), int(step), lane + 1, shape, first) >> 11)) * 2.0**-53


RANDOM = structural(
    "random",
    infer=_infer_random,
    reference=_draw,
    adjoint=None,
    notation=Notation(r"\mathcal{{U}}\left(0, 1\right)", "U(0, 1)", CALL),
    doc="Uniform numbers in [0, 1), multiples of 2**-24 or 2**-53; as int64, words from 0 to 2**32 - 1.",
    source="Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC'11, Philox 4x32-10",
)


def _random(shape: tuple[Dim, ...], precision: str) -> Node:
    """The numbers of a stream of its own."""
    return build(RANDOM, (SEED, STEP), stream=Stream(), shape=shape, precision=precision, part=0, first=0)


def uniform(shape: int | str | Sequence[Dim] = (), low: Any = 0.0, high: Any = 1.0, dtype: str = "float64") -> Node:
    """Uniform numbers in [low, high), drawn anew in every step of a training.

    Args:
        shape: ints and names of free axes, e.g. ``("batch", 2)``.
        low: a number, or a node that broadcasts to the shape, by which it can be differentiated.
        high: likewise.
        dtype: float64 or float32. A number has 53 or 24 random bits; those of float32 are the first of float64.

    Returns:
        A node. Every call is a stream of its own, also where all arguments are the same. Of an entry only its row, its
        place in the row, seed, step and stream decide: batches of unequal length begin alike. Where ``low`` and
        ``high`` are so close that the result is rounded, it can be ``high``, as NumPy's.

    Raises:
        ShapeError: ``low`` or ``high`` does not broadcast to the shape.
        DTypeError: another dtype.

    Example:
        >>> import graphlearn as gl
        >>> noise = gl.random.uniform(2)
        >>> first, again = gl.evaluate(noise, seed=1), gl.evaluate(noise, seed=1)
        >>> bool((first == again).all()), bool((first == gl.evaluate(noise, seed=1, step=1)).any())
        (True, False)
    """
    dims, dtype = _checked("uniform", shape, dtype)
    unit = _random(dims, dtype)
    if _is_number(low, 0) and _is_number(high, 1):
        return unit
    low, high = as_node(low), as_node(high)
    return _fits("uniform", low + (high - low) * unit, dims, dtype)


# --- normal numbers ---------------------------------------------------------------------------------------------------


def _polar(m: Any, u: Any, v: Any) -> Any:
    """A standard normal number from two uniform ones.

    The cosine of a uniform angle is distributed as the sine of one from -pi/2 to pi/2, which keeps its digits near 0.
    With 24 bits no number is beyond 5.8, with 53 none beyond 8.6.
    """
    return m.sqrt(-2 * m.log1p(-u)) * m.sin(np.pi * (v - 0.5))


def _expand_normal(node: Node) -> Node:
    attrs = dict(node.attrs)
    return _polar(GRAPH, *(build(RANDOM, node.inputs, part=part, **attrs) for part in (0, 1)))  # type: ignore[no-any-return]


def _draw_normal(seed: Any, step: Any, first: int, precision: str, shape: tuple[int, ...], stream: int) -> Any:
    return _polar(NUMPY, *(_draw(seed, step, first, part, precision, shape, stream) for part in (0, 1)))


def _infer_normal(types: tuple[ArrayType, ...], first: int, precision: Real, shape: Drawn, stream: Any) -> ArrayType:
    return _infer_random(types, first, 0, precision, shape, stream)


NORMAL = compound(
    "random_normal",
    infer=_infer_normal,
    reference=_draw_normal,
    adjoint=None,
    expand=_expand_normal,
    notation=Notation(r"\mathcal{{N}}\left(0, 1\right)", "N(0, 1)", CALL),
    doc="Standard normal numbers, each from two uniform ones.",
    source="Box and Muller (1958), A note on the generation of random normal deviates, doi:10.1214/aoms/1177706645",
)


def normal(shape: int | str | Sequence[Dim] = (), mean: Any = 0.0, std: Any = 1.0, dtype: str = "float64") -> Node:
    """Normal numbers, drawn anew in every step of a training: ``mean + std * N(0, 1)``.

    Args:
        shape: ints and names of free axes.
        mean: a number, or a node that broadcasts to the shape, by which it can be differentiated.
        std: likewise.
        dtype: float64 or float32.

    Returns:
        A node; see `uniform` for its streams. The backends' numbers agree to 8 units in the last place.

    Raises:
        ShapeError: ``mean`` or ``std`` does not broadcast to the shape.
        DTypeError: another dtype.
    """
    dims, dtype = _checked("normal", shape, dtype)
    draw = build(NORMAL, (SEED, STEP), stream=Stream(), shape=dims, precision=dtype, first=0)
    scaled = draw if _is_number(std, 1) else as_node(std) * draw
    return _fits("normal", scaled if _is_number(mean, 0) else as_node(mean) + scaled, dims, dtype)


# --- truths -----------------------------------------------------------------------------------------------------------


def _infer_bernoulli(types: tuple[ArrayType, ...]) -> ArrayType:
    bits, p = types
    if bits.dtype != "int64":
        raise DTypeError(f"bernoulli needs random words; got {bits}. Write gl.random.bernoulli(shape, p).")
    if broadcast_shapes([bits.shape, p.shape]) != bits.shape:
        raise ShapeError(
            f"bernoulli needs a probability that broadcasts to {format_shape(bits.shape)}; got "
            f"{format_shape(p.shape)}. Give the shape of the probabilities."
        )
    return ArrayType(bits.shape, "bool")


def _threshold(p: Node) -> Node:
    """How many of the words are below a probability; exact in float32 too, since only the exponent changes."""
    part = where(p > 0, minimum(p, 1.0), 0.0)  # NaN and numbers below 0 are never true
    return cast(ceil(part * _WORD), "int64")


def _compare(bits: Any, p: Any) -> np.ndarray:
    part = np.where(np.asarray(p) > 0, np.minimum(p, 1.0), 0.0)
    return np.asarray(bits < np.ceil(part * _WORD))


BERNOULLI = compound(
    "bernoulli",
    infer=_infer_bernoulli,
    reference=_compare,
    adjoint=None,
    expand=lambda node: less(node.inputs[0], _threshold(node.inputs[1])),
    notation=Notation(r"\operatorname{{Bernoulli}}\left({1}\right)", "Bernoulli({1})", CALL),
    doc="True with probability p: a random word compared with p.",
)


def bernoulli(shape: int | str | Sequence[Dim] = (), p: Any = 0.5) -> Node:
    """Truths that hold with probability p, drawn anew in every step of a training.

    Args:
        shape: ints and names of free axes.
        p: a number or a real node that broadcasts to the shape; rounded up to a multiple of 2**-32. What is below 0 or
            NaN counts as 0, what is above 1 as 1.

    Returns:
        A bool node, 1 and 0 in arithmetic; see `uniform` for its streams. With a number as ``p``, float32 and float64
        models draw the same truths. The derivative by ``p`` is 0, since a draw jumps.

    Raises:
        ShapeError: ``p`` does not broadcast to the shape.
        OptionError: a number outside 0 to 1.
    """
    dims, _ = _checked("bernoulli", shape, "float64")
    given = None if isinstance(p, Node) else as_array(p, "bernoulli with p")
    if given is not None and (given.dtype.kind not in "buif" or not np.all((given >= 0) & (given <= 1))):
        raise OptionError(f"bernoulli needs a probability from 0 to 1; got {p!r}. Give a number, an array or a node.")
    # A plain number is never rounded to float32, so that its truths are those of both precisions.
    chance = p if isinstance(p, Node) else as_node(float(p) if np.ndim(p) == 0 else np.asarray(p, np.float64))
    return build(BERNOULLI, (_random(dims, "int64"), chance))


# --- dropout ----------------------------------------------------------------------------------------------------------


def _infer_dropout(types: tuple[ArrayType, ...], rate: float) -> ArrayType:
    x, keep = types
    if keep.dtype != "bool":
        raise DTypeError(f"dropout needs truths, which entries are kept; got {keep}. Compare, or write gl.dropout(x).")
    if x.shape != keep.shape:
        raise ShapeError(
            f"dropout needs one truth for each entry; got {format_shape(keep.shape)} for {format_shape(x.shape)}. Draw "
            "them in the shape of the array."
        )
    return x if x.is_float else ArrayType(x.shape, to_float(x.dtype))


def _kept(node: Node) -> str:
    """The probability that an entry stays, as it is written."""
    return f"{1 - node.attr('rate'):.6g}"


DROPOUT = compound(
    "dropout",
    infer=_infer_dropout,
    reference=lambda x, keep, rate: np.where(keep, x * (1 / (1 - rate)), 0),
    adjoint=lambda node, g: (drop(g, node.inputs[1], node.attr("rate")), None),
    expand=lambda node: where(node.inputs[1], node.inputs[0] * (1 / (1 - node.attr("rate"))), 0),
    inference=lambda node: cast(node.inputs[0], node.dtype),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\frac{{{{{{0}} \{'odot' if n.shape else 'cdot'} {{1}}}}}}{{{{{_kept(n)}}}}}",
        lambda n: f"{{0}} ⊙ {{1}} / {_kept(n)}" if n.shape else f"{{0}}·{{1}} / {_kept(n)}",
        PRODUCT - 1,
        (PRODUCT, PRODUCT + 1),
        PREFIX,
    ),
    doc="Entries set to 0 where they are not kept, the others made larger so that the mean stays.",
    source="Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), Dropout, JMLR 15, sections 4 and 10",
)


def drop(x: Any, keep: Any, rate: float) -> Node:
    """``x`` divided by ``1 - rate`` where ``keep`` holds, else 0; see `dropout`."""
    return build(DROPOUT, (x, keep), rate=rate)


def dropout(x: Any, rate: float = 0.5) -> Node:
    """Set entries to 0 by chance, and divide the others by ``1 - rate``, so that the mean stays the same.

    Args:
        x: node or array.
        rate: probability that an entry is set to 0, from 0 to below 1.

    Returns:
        A real node of the shape of ``x``. `gl.inference` makes it ``x`` itself, as `Model.predict` does.

    Raises:
        OptionError: another rate.

    Source: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR 15.
    """
    x, rate = as_node(x), check_rate(rate)
    return x if rate == 0 else drop(x, bernoulli(x.shape, 1 - rate), rate)


def check_rate(rate: object) -> float:
    """A rate of dropout.

    Raises:
        OptionError: no number from 0 to below 1.
    """
    real = isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool)
    if not real or not 0 <= float(rate) < 1:  # type: ignore[arg-type]  # a number, as just checked
        raise OptionError(f"dropout needs a rate from 0 to below 1; got {rate!r}. It is the part that is set to 0.")
    return float(rate)  # type: ignore[arg-type]


def _is_number(value: Any, wanted: int) -> bool:
    return isinstance(value, (int, float)) and value == wanted


# --- checks -----------------------------------------------------------------------------------------------------------


def _checked(what: str, shape: Any, dtype: Any) -> tuple[tuple[Dim, ...], str]:
    dims, kind = check_shape(shape, what), check_dtype(dtype, what)
    if kind not in ("float32", "float64"):
        raise DTypeError(f"{what} needs dtype float32 or float64; got {kind}. Cast the result instead.")
    return dims, kind


def _fits(what: str, node: Node, shape: tuple[Dim, ...], dtype: str) -> Node:
    if node.shape != shape:
        raise ShapeError(
            f"{what} needs parameters that broadcast to {format_shape(shape)}; got a result of shape "
            f"{format_shape(node.shape)}. Give that shape, so that each entry is drawn by itself.",
            nodes=(node,),
        )
    return node if node.dtype == dtype else cast(node, dtype)


def __dir__() -> list[str]:
    return sorted(__all__)
