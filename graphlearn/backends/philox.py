"""Random numbers as text: Philox 4x32-10 in 64-bit integers, one block of four words for each item.

The reference in NumPy is `graphlearn.ops.philox`; both give the same bits.
"""

from __future__ import annotations

from graphlearn.backends.source import Source
from graphlearn.ops.philox import MASK, MULTIPLIERS, ROUNDS, WEYL, WIDTH
from graphlearn.ops.random import LANES
from graphlearn.program.counts import ONE, count
from graphlearn.program.steps import Routine

_UNIT = (ONE,)


def write_random(source: Source, step: Routine, item: str) -> None:
    """The entries that one block serves; along a last axis of unknown length, one entry."""
    shape = step.node.shape
    last = shape[-1] if shape else 1
    first = step.node.attr("first")
    if first:  # a number that is an entry of an array
        numbers = _numbers(source, step, str(first // WIDTH))
        source.store(step.out, _UNIT, [item], numbers[first % WIDTH])
        return
    if isinstance(last, int):
        _write_entries(source, step, last, item, _numbers(source, step, item))
        return
    column, block = source.local(), source.local()
    length = source.size(count((last,)))
    source.line(f"{column} = {item} % {length}")
    source.line(f"{block} = {item} // {length}*(({length} + {WIDTH - 1}) // {WIDTH}) + {column} // {WIDTH}")
    numbers = _numbers(source, step, block)
    low = f"({numbers[0]} if {column} % {WIDTH} == 0 else {numbers[1]})"
    high = f"({numbers[2]} if {column} % {WIDTH} == 2 else {numbers[3]})"
    source.store(step.out, _UNIT, [item], f"({low} if {column} % {WIDTH} < 2 else {high})")


def _write_entries(source: Source, step: Routine, last: int, block: str, numbers: list[str]) -> None:
    per_row = -(-last // WIDTH)
    if per_row == 1:
        start, left = f"{block}*{last}", last
    elif last % WIDTH == 0:
        start, left = f"{block}*{WIDTH}", WIDTH
    else:
        column = source.local()
        source.line(f"{column} = {block} % {per_row}*{WIDTH}")
        start, left = source.local(), last % WIDTH
        source.line(f"{start} = {block} // {per_row}*{last} + {column}")
    for k, number in enumerate(numbers[:left]):
        source.store(step.out, _UNIT, [f"{start} + {k}" if k else start], number)
    if per_row > 1 and left < WIDTH:
        with source.block(f"if {column} < {last - left}:"):
            for k, number in enumerate(numbers[left:], left):
                source.store(step.out, _UNIT, [f"{start} + {k}"], number)


def _numbers(source: Source, step: Routine, block: str) -> list[str]:
    """The four numbers of a block, or whether they are below a number, as texts of the result's dtype."""
    dtype = step.out.dtype
    lane = LANES * step.node.attr("stream") + 2 * step.node.attr("part")
    words = _block(source, step, block, lane)
    if dtype == "int64":
        return words
    if dtype == "bool":
        return [f"({word} < {step.node.attr('below')})" for word in words]
    # By way of int32, since few machines turn a vector of int64 into reals.
    if dtype == "float32":
        return [f"float32(int32({word} >> 8))*{source.literal(2.0**-24, dtype)}" for word in words]
    more = _block(source, step, block, lane + 1)
    high, low = source.literal(2.0**-27, dtype), source.literal(2.0**-53, dtype)
    return [
        f"float64(int32({word} >> 5))*{high} + float64(int32(({word} & 31) << 21 | {other} >> 11))*{low}"
        for word, other in zip(words, more, strict=True)
    ]


def _block(source: Source, step: Routine, block: str, lane: int) -> list[str]:
    """The four words of a block: names of variables."""
    seed, counter = (source.load(b, _UNIT, ["0"]) for b in step.operands)
    a, b, c, d, low, high, first, second = (source.local() for _ in range(8))
    source.line(f"{a} = int64({block}) & {MASK}")
    source.line(f"{b} = int64({lane})")
    source.line(f"{c} = {counter} & {MASK}")
    source.line(f"{d} = {counter} >> 32 & {MASK}")
    source.line(f"{low} = {seed} & {MASK}")
    source.line(f"{high} = {seed} >> 32 & {MASK}")
    with source.block(f"for {source.local()} in range({ROUNDS}):"):
        source.line(f"{first} = {MULTIPLIERS[0]}*{a}")
        source.line(f"{second} = {MULTIPLIERS[1]}*{c}")
        source.line(f"{a} = {second} >> 32 & {MASK} ^ {b} ^ {low}")
        source.line(f"{b} = {second} & {MASK}")
        source.line(f"{c} = {first} >> 32 & {MASK} ^ {d} ^ {high}")
        source.line(f"{d} = {first} & {MASK}")
        source.line(f"{low} = {low} + {WEYL[0]} & {MASK}")
        source.line(f"{high} = {high} + {WEYL[1]} & {MASK}")
    return [a, b, c, d]
