"""Binding: from a caller's ``at`` or ``data`` to one checked array per leaf, with the lengths of free axes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from graphlearn.errors import DataError, DTypeError, MissingValueError, ShapeError, UnknownNameError
from graphlearn.graph.kin import Kin, kin
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_mapping
from graphlearn.graph.origin import lost_shapes
from graphlearn.graph.streams import bind_run
from graphlearn.graph.traverse import find_leaf, symbols_in, topological
from graphlearn.types import TEXT, ArrayType, Shape, dtype_cure, dtype_words, format_shape

_SHOWN = 40  # letters of an entry that a message repeats
_BLOCK = 2**18  # entries that are looked at together


@runtime_checkable
class HasValues(Protocol):
    """What a `Model` is to those who must not import it: values for leaves."""

    def leaf_values(self) -> Mapping[Node, np.ndarray]:
        """Current value of every parameter and state."""
        ...


@runtime_checkable
class HasDefaults(Protocol):
    """What an optimizer's updates are to those who must not import it: values for inputs that nobody gives."""

    def default_values(self) -> Mapping[Node, Any]:
        """Input -> the value that it has unless another is given, such as the learning rate."""
        ...


At = Mapping[Any, Any] | HasValues


def default_values(source: object) -> Mapping[Node, Any]:
    """The defaults that something brings along; empty where it brings none."""
    return source.default_values() if isinstance(source, HasDefaults) else {}


class Binding(NamedTuple):
    """One array per leaf, and the length of every free axis.

    Args:
        arrays: leaf -> array of the leaf's dtype and shape.
        sizes: axis name -> length.
    """

    arrays: dict[Node, np.ndarray]
    sizes: dict[str, int]


def bind(
    roots: Iterable[Node],
    at: At | None,
    *,
    what: str = "at",
    sizes: Mapping[str, int] | None = None,
    defaults: Mapping[Node, Any] | None = None,
    seed: int = 0,
    step: int = 0,
    order: Sequence[Node] | None = None,
    precision: str | None = None,
) -> Binding:
    """Check the given values against the leaves of a graph.

    Args:
        roots: outputs of the graph.
        at: leaf or full name -> array-like; or a model; or None when every leaf has a value of its own. Leaves that
            this graph does not use, or no longer uses, only tell the lengths of their axes; unknown names are refused.
            What a leaf was made from (`kin`) stands for it: an array for its entries, an input for the one of fixed
            lengths.
        what: the argument's name, for messages.
        sizes: lengths of free axes that no given array shows.
        defaults: leaf -> array-like, for leaves that ``at`` does not give.
        seed: of the random numbers that the graph draws.
        step: of the training whose random numbers are drawn.
        order: the graph's leaves in topological order, for those who bind them often.
        precision: the dtype to which float64 is converted; arrays that have it already are taken as they are.

    Raises:
        UnknownNameError, MissingValueError, ShapeError, DTypeError, OptionError: each names the culprit and the cure.
    """
    outputs = tuple(roots)
    order = topological(outputs) if order is None else order
    table = symbols_in(order)
    given, unused = _told_apart(_entries(at, what, table), outputs, table, what)
    given = {**(defaults or {}), **given}
    binding = Binding({}, check_mapping(sizes, f"{what} with sizes=", "Write {axis name: length}."))
    for leaf in table.values():
        known = leaf in given
        kind = leaf.type if precision is None or leaf.dtype != "float64" else ArrayType(leaf.type.shape, precision)
        array = check_array(given[leaf], kind, entry(what, leaf)) if known else own_value(leaf, what, given)
        _check_lengths(leaf, array, binding.sizes, what)
        binding.arrays[leaf] = array
    bind_run(order, binding.arrays, seed, step)
    _take_lengths(unused, binding.sizes)
    return binding


def _told_apart(
    entries: Mapping[Any, Any], roots: Sequence[Node], table: dict[str, Node], what: str
) -> tuple[dict[Node, Any], list[tuple[Shape, Any]]]:
    """Values of leaves of the graph; shape and value of others, which it does not use or which dropped out of it."""
    given: dict[Node, Any] = {}
    unused: list[tuple[Shape, Any]] = []
    families = _families(table)
    for key, value in entries.items():
        if not isinstance(key, (Node, str)):
            raise UnknownNameError(
                f"{what} needs nodes or names as keys; got {key!r}. The names are: {', '.join(table)}."
            )
        if key in families:
            given.update(_taken_apart(value, families[key], key, what))
            whole = table.get(key) if isinstance(key, str) else find_leaf(table, key, what)
            given.update({} if whole is None else {whole: value})  # a graph may have an array besides its entries
            continue
        lost = lost_shapes(key, roots) if isinstance(key, str) and key not in table else []
        leaf = None if lost else find_leaf(table, key, what)
        if leaf is not None:
            given[leaf] = value
        elif isinstance(key, Node):
            unused.append((key.shape, value))
        unused += [(shape, value) for shape in lost]
    return given, unused


def _entries(at: At | None, what: str, table: Mapping[str, Node]) -> Mapping[Any, Any]:
    if isinstance(at, Mapping):  # asked first: whether something has values takes longer than a tiny function
        return at
    entries: Mapping[Any, Any] | None = at.leaf_values() if isinstance(at, HasValues) else {} if at is None else None
    if entries is None:
        raise UnknownNameError(
            f"{what} needs a mapping from leaf or name to array, or a model; got {type(at).__name__}. Write "
            f"{{{', '.join(f'{name!r}: ...' for name in table)}}}."
        )
    return entries


def _take_lengths(unused: Iterable[tuple[Shape, Any]], sizes: dict[str, int]) -> None:
    """The gradient of mean(x) by x does not use x, and yet it needs to know how long x is."""
    for shape, value in unused:
        for dim, length in zip(shape, np.shape(value), strict=False):
            if isinstance(dim, str):
                sizes.setdefault(dim, length)


def _families(table: Mapping[str, Node]) -> dict[Node | str, list[tuple[Node, Kin]]]:
    """An array, by itself and by its name -> the leaves of this graph that are its entries."""
    families: dict[Node | str, list[tuple[Node, Kin]]] = {}
    for leaf in table.values():
        known = kin(leaf)
        if known is not None and known.place is not None:
            keys: list[Node | str] = [*known.ancestors, known.ancestors[-1].full_name]
            for key in keys:
                if not isinstance(key, str) or key not in table or table[key] in known.ancestors:
                    families.setdefault(key, []).append((leaf, known))
    return families


def _taken_apart(value: Any, family: list[tuple[Node, Kin]], key: Node | str, what: str) -> dict[Node, Any]:
    """The entries of an array that is given as a whole, of a graph that has its entries as leaves."""
    name = key.full_name if isinstance(key, Node) else key
    array = check_array(value, family[0][1].type, f"{what}[{name!r}]" if what.isidentifier() else f"{name!r} of {what}")
    return {leaf: array[known.place] for leaf, known in family}


def entry(what: str, leaf: Node) -> str:
    """How messages name the array given for a leaf: ``at['x']``, or ``'x' of the call``."""
    return f"{what}[{leaf.full_name!r}]" if what.isidentifier() else f"{leaf.full_name!r} of {what}"


def own_value(leaf: Node, what: str, given: Collection[Node] = ()) -> np.ndarray:
    """The literal value that a parameter or state was made with.

    Args:
        leaf: for which nothing was given.
        what: the argument's name, for messages.
        given: leaves for which something was given, for messages.

    Raises:
        MissingValueError: it has none.
    """
    literal = leaf.attr("value") if leaf.op.name in ("parameter", "state") else None
    if literal is not None:
        return literal.array  # type: ignore[no-any-return]
    name = leaf.full_name
    add = f"{what}={{{name!r}: array}}" if what.isidentifier() else f"{{{name!r}: array}}"
    advice = f"Add it: {add}"
    if leaf.op.name == "parameter":
        model = f"{what}=model, or {what}=model.at({{...}})" if what.isidentifier() else "model.at({...})"
        advice = f"Pass a model ({model}), or add it: {add}"
    raise MissingValueError(
        f"{what} needs a value for the {leaf.op.name} {name!r} of type {leaf.type}; got "
        f"{', '.join(repr(n.full_name) for n in given) or 'nothing'}. {advice}.",
        nodes=(leaf,),
    )


def check_array(value: Any, kind: ArrayType, what: str) -> np.ndarray:
    """Convert to an array of the leaf's dtype and rank, without losing anything; the same one where it is that already.

    Raises:
        DTypeError: objects, strings, complex numbers, or fractions for an integer leaf.
        ShapeError: another rank or another fixed length.
        DataError: a masked array with masked entries.
    """
    array = check_numbers(value, kind, what)
    if array.dtype == kind.dtype and array.flags.c_contiguous and array.flags.aligned:
        return array.view()
    with np.errstate(invalid="ignore", over="ignore"):
        cast = array.astype(kind.dtype, copy=False)
    exact = kind.is_float or cast is array
    first, _ = (None, 0) if exact else first_wrong(lambda a, b: a != b, array, cast)
    if first is not None:
        raise DTypeError(
            f"{what} needs whole numbers for {kind}; got {array.dtype} values that change when cast, such as "
            f"{array[first]}{at_place(first)}. Round them, or declare a wider dtype."
        )
    # Aligned too: entries of a buffer or of a record may lie at any byte, where compiled code does not read.
    return np.require(cast, requirements=("C_CONTIGUOUS", "ALIGNED")).reshape(array.shape)


def first_wrong(wrong: Callable[..., np.ndarray], *arrays: np.ndarray) -> tuple[tuple[int, ...] | None, int]:
    """The first entry for which something holds, and how many there are.

    Some rows at a time: what is compared may lie in a file that is larger than memory.

    Args:
        wrong: of a part of each array, an array of truths.
        *arrays: of one shape.
    """
    if not arrays[0].ndim:
        return ((), 1) if wrong(*arrays) else (None, 0)
    rows = max(1, _BLOCK // max(1, arrays[0][:1].size))
    first: tuple[int, ...] | None = None
    count = 0
    for start in range(0, len(arrays[0]), rows):
        found = wrong(*(array[start : start + rows] for array in arrays))
        if found.any():
            count += int(np.count_nonzero(found))
            if first is None:
                row, *rest = (int(k) for k in np.unravel_index(int(found.argmax()), found.shape))
                first = (start + row, *rest)
    return first, count


def check_numbers(value: Any, kind: ArrayType, what: str) -> np.ndarray:
    """An array of numbers of the leaf's rank, in the dtype that it has.

    Raises:
        DTypeError, ShapeError, DataError: as `check_array`.
    """
    # Asking for numpy.ma would import it (10 ms), which whoever has a masked array has done.
    if hasattr(value, "mask") and isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = int(np.sum(np.ma.getmaskarray(value)))
        raise DataError(
            f"{what} needs a number in every place; got a masked array with {masked} masked "
            "entries. Fill them, e.g. with value.filled(0), or leave out their rows."
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise DTypeError(
            f"{what} needs an array of {kind}; got {type(value).__name__}, which NumPy cannot convert: {error}"
        ) from None
    if array.dtype.kind not in "buif":
        odd = _first_odd(array)
        raise DTypeError(
            f"{what} needs numbers for {kind}; got {dtype_words(array.dtype)}{odd}. {dtype_cure(array.dtype)}"
        )
    check_fits(array.shape, kind, what)
    return array


def _first_odd(array: np.ndarray) -> str:
    """The first entry that is no real number, and where it is; empty where all objects are numbers."""
    for place, value in np.ndenumerate(array):
        if array.dtype.kind != "O" or not isinstance(value, (bool, int, float, np.bool, np.integer, np.floating)):
            shown = repr(str(value)) if array.dtype.kind in TEXT else str(value)
            return f", such as {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}{at_place(place)}"
    return ""


def at_place(place: tuple[int, ...]) -> str:
    """`` in row 1, column 0`` of an entry, counted from 0; empty for a scalar's."""
    if not place:
        return ""
    rest = "" if len(place) == 1 else f", column {place[1]}" if len(place) == 2 else f", entry {place[1:]}"
    return f" in row {place[0]}{rest} (counted from 0)"


def check_fits(shape: tuple[int, ...], kind: ArrayType, what: str) -> None:
    """Check rank and fixed lengths.

    Raises:
        ShapeError: they differ.
    """
    if shape == kind.shape:
        return
    fits = len(shape) == kind.rank and all(isinstance(d, str) or d == n for d, n in zip(kind.shape, shape, strict=True))
    if not fits:
        raise ShapeError(
            f"{what} needs shape {format_shape(kind.shape)}; got {format_shape(shape)}. Reshape the array, or "
            "declare the input with that shape."
        )


def _check_lengths(leaf: Node, array: np.ndarray, sizes: dict[str, int], what: str) -> None:
    for dim, length in zip(leaf.type.shape, array.shape, strict=True):
        if isinstance(dim, str) and sizes.setdefault(dim, length) != length:
            raise ShapeError(
                f"{what} needs one length for axis {dim!r}; got {sizes[dim]} elsewhere and {length} in "
                f"{leaf.full_name!r}. Give arrays with equally many rows.",
                nodes=(leaf,),
            )
