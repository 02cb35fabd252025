"""Routines for cofactors and their derivatives of every order: elimination of rows and columns, singular or not.

With rows and columns exchanged so that the largest entry left is the pivot, ``P A Q = L D U`` with unit triangles L and
U, whose entries are at most 1, and the pivots D. What is wanted of A is that of D, which is a product of other pivots
and never a quotient, carried back through the triangles.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from graphlearn.backends.exponents import bring_back, bring_near_one, multiply
from graphlearn.backends.items import Writer, product, read
from graphlearn.backends.matrices import MatrixText, balance, copied, side
from graphlearn.backends.source import Source
from graphlearn.program.steps import Routine


def _cofactor(source: Source, step: Routine, item: str) -> None:
    """Those of U with 1 in the place of the product of all pivots but the last; where this is 0, all cofactors are.

    That product, and what balancing took from the other rows and columns, come last.
    """
    n, dtype = side(source, step), step.out.dtype
    room = copied(source, step, item, extra=4)
    kept = (f"{n} + 2", f"{n} + 3")
    start, scale, r, c, f = (source.local() for _ in range(5))
    source.line(f"{start} = {product(item, n, n)}")
    found = MatrixText(source, step.out, start, n)
    power = balance(source, room, n, dtype, kept)
    source.line(f"{scale} = {source.literal(1, dtype)}")  # the product of all pivots but the last, with the sign
    _eliminate_fully(source, room, n, scale, dtype)
    with source.block(f"for {c} in range({n} - 1):"):
        multiply(source, scale, power, room.get(c, c), dtype)
    with source.block(f"if {scale} == {source.literal(0, dtype)}:"):
        _fill_with_zeros(source, found, n, dtype)
    with source.block("else:"):
        _cofactors_of_upper(source, room, found, n, dtype)
        _back_through_lower(source, room, found, n)
        _exchange_back(source, room, found, n)
        with _nested(source, f"{r} in range({n})", f"{c} in range({n})"):
            source.line(f"{f} = {found.get(r, c)}*{scale}")
            bring_back(source, f, f"{power} - int64({room.get(r, kept[0])}) - int64({room.get(c, kept[1])})", dtype)
            found.put(r, c, f)


@contextmanager
def _nested(source: Source, *loops: str) -> Iterator[None]:
    """Loops one in the other, each as ``k in range(...)``, outermost first."""
    with ExitStack() as stack:
        for loop in loops:
            stack.enter_context(source.block(f"for {loop}:"))
        yield


def _fill_with_zeros(source: Source, found: MatrixText, n: str, dtype: str) -> None:
    r, c = source.local(), source.local()
    with _nested(source, f"{r} in range({n})", f"{c} in range({n})"):
        found.put(r, c, source.literal(0, dtype))


def _eliminate_fully(source: Source, room: MatrixText, n: str, sign: str, dtype: str) -> None:
    """L below the diagonal and D U above it; the numbers of the exchanged rows and columns in two further columns."""
    c, p, q, r, j, best, f = (source.local() for _ in range(7))
    with source.block(f"for {c} in range({n}):"):
        source.line(f"{p} = {c}")
        source.line(f"{q} = {c}")
        source.line(f"{best} = abs({room.get(c, c)})")
        with source.block(f"for {r} in range({c}, {n}):"), source.block(f"for {j} in range({c}, {n}):"):
            source.line(f"{f} = abs({room.get(r, j)})")
            # NaN is taken for the largest, so that it is not lost beside zeros.
            with source.block(f"if {f} > {best} or ({f} != {f} and {best} == {best}):"):
                source.line(f"{best} = {f}")
                source.line(f"{p} = {r}")
                source.line(f"{q} = {j}")
        room.put(c, n, f"{dtype}({p})")
        room.put(c, f"{n} + 1", f"{dtype}({q})")
        _exchange(source, room, n, (c, p), rows=True, sign=sign)
        _exchange(source, room, n, (c, q), rows=False, sign=sign)
        zero = source.literal(0, dtype)
        with source.block(f"if {best} != {zero}:"), source.block(f"for {r} in range({c} + 1, {n}):"):
            room.put(r, c, f"{room.get(r, c)} / {room.get(c, c)}")
            with source.block(f"for {j} in range({c} + 1, {n}):"):
                room.take_from(r, j, f"{room.get(r, c)}*{room.get(c, j)}")


def _exchange(source: Source, matrix: MatrixText, n: str, pair: tuple[str, str], *, rows: bool, sign: str = "") -> None:
    """Exchange two rows or two columns, and turn a sign, where they are not the same."""
    one, other = pair
    k = source.local()
    with source.block(f"if {one} != {other}:"):
        if sign:
            source.line(f"{sign} = -{sign}")
        with source.block(f"for {k} in range({n}):"):
            matrix.swap(*(((one, k), (other, k)) if rows else ((k, one), (k, other))))


def _cofactors_of_upper(source: Source, room: MatrixText, found: MatrixText, n: str, dtype: str) -> None:
    """The transposed inverse of U without its last row and column, row by row; then what its last column adds."""
    zero, one = source.literal(0, dtype), source.literal(1, dtype)
    r, c, k, total, last = (source.local() for _ in range(5))
    with source.block(f"for {r} in range({n} - 1):"), source.block(f"for {c} in range({n}):"):
        source.line(f"{total} = {one} if {r} == {c} else {zero}")
        with source.block(f"for {k} in range({r}):"):
            source.line(f"{total} = {total} - {room.get(k, r)}*{found.get(k, c)}")
        found.put(r, c, f"{total} / {room.get(r, r)}")
    source.line(f"{last} = {room.get(f'{n} - 1', f'{n} - 1')}")
    with source.block(f"for {c} in range({n}):"):
        source.line(f"{total} = {one} if {c} == {n} - 1 else {zero}")
        with source.block(f"for {k} in range({n} - 1):"):
            source.line(f"{total} = {total} - {room.get(k, f'{n} - 1')}*{found.get(k, c)}")
            found.put(k, c, f"{found.get(k, c)}*{last}")
        found.put(f"{n} - 1", c, total)


def _back_through_lower(source: Source, room: MatrixText, found: MatrixText, n: str) -> None:
    """Solve with the transposed L, whose diagonal is 1; its zeros take nothing, infinities neither."""
    k, c, r, j = (source.local() for _ in range(4))
    with source.block(f"for {k} in range({n}):"):
        source.line(f"{c} = {n} - 1 - {k}")
        others = source.block(f"for {r} in range({c}):")
        with others, source.block(f"if {room.get(c, r)} != 0:"), source.block(f"for {j} in range({n}):"):
            found.take_from(r, j, f"{room.get(c, r)}*{found.get(c, j)}")


def _back_through_upper(source: Source, room: MatrixText, found: MatrixText, n: str) -> None:
    """Solve from the right with the transposed U, whose diagonal is 1; its zeros take nothing, infinities neither."""
    k, c, r = (source.local() for _ in range(3))
    above = _nested(source, f"{k} in range({n} - 1, 0, -1)", f"{c} in range({k})")
    with above, source.block(f"if {room.get(c, k)} != 0:"), source.block(f"for {r} in range({n}):"):
        found.take_from(r, c, f"{found.get(r, k)}*{room.get(c, k)}")


def _exchange_back(source: Source, room: MatrixText, found: MatrixText, n: str) -> None:
    """Undo the exchanges of rows and columns, the last one first."""
    k, c, p, q, j = (source.local() for _ in range(5))
    with source.block(f"for {k} in range({n}):"):
        source.line(f"{c} = {n} - 1 - {k}")
        source.line(f"{p} = int64({room.get(c, n)})")
        source.line(f"{q} = int64({room.get(c, f'{n} + 1')})")
        with source.block(f"for {j} in range({n}):"):
            found.swap((c, j), (p, j))
        with source.block(f"for {j} in range({n}):"):
            found.swap((j, c), (j, q))


# --- along directions ------------------------------------------------------------------------------------------------


def _cofactor_along(source: Source, step: Routine, item: str) -> None:
    """The directions are brought into the axes of the pivots, and what they make of them is brought back."""
    n, dtype, rows = side(source, step), step.out.dtype, int(step.node.shape[-1])
    given = step.operands[1:]
    room = copied(source, step, item, extra=4 + rows * len(given))
    start, sign, r, c = (source.local() for _ in range(4))
    source.line(f"{start} = {product(item, n, n)}")
    source.line(f"{sign} = {source.literal(1, dtype)}")
    found = MatrixText(source, step.out, start, n)
    _eliminate_fully(source, room, n, sign, dtype)
    # Below a pivot of 0 all is 0, so that its row of U is that of the identity already.
    upper = _nested(source, f"{r} in range({n})", f"{c} in range({r} + 1, {n})")
    with upper, source.block(f"if {room.get(r, r)} != {source.literal(0, dtype)}:"):
        room.put(r, c, f"{room.get(r, c)} / {room.get(r, r)}")
    along = [room.beside(rows + 4 + k * rows) for k in range(len(given))]
    for direction, buffer in zip(along, given, strict=True):
        with _nested(source, f"{r} in range({n})", f"{c} in range({n})"):
            direction.put(r, c, read(source, buffer, f"{start} + {product(r, n)} + {c}", dtype))
        _into_pivot_axes(source, room, direction, n)
    _fill_with_zeros(source, found, n, dtype)
    _add_products(source, room, along, found, n, dtype, [])
    _back_through_lower(source, room, found, n)
    _back_through_upper(source, room, found, n)
    _exchange_back(source, room, found, n)
    with _nested(source, f"{r} in range({n})", f"{c} in range({n})"):
        found.put(r, c, f"{found.get(r, c)}*{sign}")


def _into_pivot_axes(source: Source, room: MatrixText, direction: MatrixText, n: str) -> None:
    """``L^-1 P G Q U^-1`` in the place of G."""
    c, p, q, r, j = (source.local() for _ in range(5))
    with source.block(f"for {c} in range({n}):"):
        source.line(f"{p} = int64({room.get(c, n)})")
        source.line(f"{q} = int64({room.get(c, f'{n} + 1')})")
        _exchange(source, direction, n, (c, p), rows=True)
        _exchange(source, direction, n, (c, q), rows=False)
    with _nested(source, f"{c} in range({n})", f"{r} in range({c} + 1, {n})", f"{j} in range({n})"):
        direction.take_from(r, j, f"{room.get(r, c)}*{direction.get(c, j)}")
    with _nested(source, f"{c} in range({n})", f"{r} in range({n})", f"{j} in range({c} + 1, {n})"):
        direction.take_from(r, j, f"{direction.get(r, c)}*{room.get(c, j)}")


def _add_products(
    source: Source,
    room: MatrixText,
    along: Sequence[MatrixText],
    found: MatrixText,
    n: str,
    dtype: str,
    places: list[str],
) -> None:
    """A loop over the row of each direction, no two the same, and inside a loop over the row of the result.

    The product of the pivots of all other rows is kept from below in two columns of the room, and grows from above;
    with an exponent of its own, since a later pivot may bring back into range what the first ones overflow to.
    """
    k, one = source.local(), source.literal(1, dtype)
    if len(places) < len(along):
        with source.block(f"for {k} in range({n}):"), source.block(_others(k, places)):
            _add_products(source, room, along, found, n, dtype, [*places, k])
        return
    tail, power_of_tail = f"{n} + 2", f"{n} + 3"
    below, above, down, up = (source.local() for _ in range(4))
    for name, power in ((below, down), (above, up)):
        source.line(f"{name} = {one}")
        source.line(f"{power} = 0")
    with source.block(f"for {k} in range({n} - 1, -1, -1):"):
        room.put(k, tail, below)
        room.put(k, power_of_tail, f"{dtype}({down})")
        with source.block(_others(k, places)):
            multiply(source, below, down, room.get(k, k), dtype)
    i, rest, power, term = (source.local() for _ in range(4))
    with source.block(f"for {i} in range({n}):"), source.block(_others(i, places)):
        source.line(f"{rest} = {above}")
        source.line(f"{power} = {up} + int64({room.get(i, power_of_tail)})")
        multiply(source, rest, power, room.get(i, tail), dtype)
        multiply(source, above, up, room.get(i, i), dtype)
        columns = [*places, i]
        for number, minor in enumerate(_minors(source, along, places, columns)):
            turned = "-" if (number + len(places)) % 2 else "+"
            source.line(f"{term} = {minor}")
            _times(source, term, rest, power, dtype)
            found.put(i, columns[number], f"{found.get(i, columns[number])} {turned} {term}")


def _times(source: Source, term: str, rest: str, power: str, dtype: str) -> None:
    """Multiply a variable by a number near 1 and its power of the unit: both, or what they come to, may be in range."""
    near = source.local()
    with source.block(f"if {power} == 0:"):
        source.line(f"{term} = {term}*{rest}")
    with source.block("else:"):
        source.line(f"{near} = {power}")
        bring_near_one(source, term, near, dtype)
        source.line(f"{term} = {term}*{rest}")
        bring_back(source, term, near, dtype)


def _others(k: str, places: Sequence[str]) -> str:
    return f"if {' and '.join(f'{k} != {place}' for place in places) or 'True'}:"


def _minors(source: Source, along: Sequence[MatrixText], places: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Determinants of the rows ``places``, each of its own direction, without one of the columns each."""
    first = [along[0].get(places[0], column) for column in columns]
    minors: dict[tuple[int, ...], str] = {(number,): text for number, text in enumerate(first)}
    for a in range(1, len(along)):
        wider: dict[tuple[int, ...], str] = {}
        for chosen in itertools.combinations(range(len(columns)), a + 1):
            name, text = source.local(), ""
            for number, column in enumerate(chosen):
                term = f"{along[a].get(places[a], columns[column])}*{minors[chosen[:number] + chosen[number + 1 :]]}"
                text += f"{' - ' if (a + number) % 2 else ' + '}{term}"
            source.line(f"{name} = {text.removeprefix(' + ').lstrip()}")
            wider[chosen] = name
        minors = wider
    whole = tuple(range(len(columns)))
    return [minors[whole[:number] + whole[number + 1 :]] for number in whole]


COFACTORS: dict[str, Writer] = {"cofactor": _cofactor, "cofactor_along": _cofactor_along}
