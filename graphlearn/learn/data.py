"""What `fit` and `predict` are given: checked, converted once, and told apart by how a training step uses it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphlearn.backends.mapped import is_mapped
from graphlearn.backends.numpy.interpreter import check_demand, check_indices
from graphlearn.backends.registry import lowered
from graphlearn.errors import ConversionWarning, DataError, MissingValueError, ShapeError, UnknownNameError
from graphlearn.graph.binding import bind, check_array, check_numbers, entry
from graphlearn.graph.lines import calls_to_user
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import depends_on_axis, find_leaf, leaves, topological
from graphlearn.learn.finite import lower
from graphlearn.ops.places import gathers, indexed_length, is_whole_power
from graphlearn.ops.targets import check_target, demands
from graphlearn.types import format_shape

_LARGE = 2**26  # bytes of a copy from which it is told


class Layout(NamedTuple):
    """How a loss uses its inputs.

    Args:
        axis: the free axis along which data is batched; empty when there is none.
        batched: inputs whose leading axis it is.
        fixed: inputs of a fixed shape of rank 1 or more, the same in every step.
        scalars: inputs of shape ``()``.
    """

    axis: str
    batched: tuple[Node, ...]
    fixed: tuple[Node, ...]
    scalars: tuple[Node, ...]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """All of them."""
        return (*self.batched, *self.fixed, *self.scalars)


def lay_out(loss: Node) -> Layout:
    """Sort the inputs of a loss.

    Raises:
        ShapeError: more than one free axis, or one that does not lead the inputs it occurs in.
    """
    inputs = leaves([loss], "input")
    axes = depends_on_axis(topological([loss]))
    if len(axes) > 1:
        raise ShapeError(
            f"fit batches over one free axis; got {', '.join(map(repr, axes))}. Give the others a fixed length where "
            "the inputs are declared.",
            nodes=inputs,
        )
    axis = axes[0] if axes else ""
    for leaf in inputs:
        if axis in leaf.shape[1:]:
            raise ShapeError(
                f"fit needs the free axis {axis!r} to come first, since rows are samples; got {leaf.full_name!r} of "
                f"shape {format_shape(leaf.shape)}. Declare the input transposed.",
                nodes=(leaf,),
            )
    batched = tuple(n for n in inputs if axis in n.shape)
    if axis and not batched:
        raise ShapeError(
            f"fit needs an input that shows the length of the free axis {axis!r}; the loss has none.", nodes=(loss,)
        )
    rest = tuple(n for n in inputs if n not in batched)
    return Layout(axis, batched, tuple(n for n in rest if n.shape), tuple(n for n in rest if not n.shape))


def read_numbers(
    table: Mapping[str, Node], needed: tuple[Node, ...], given: object, what: str = "data"
) -> dict[Node, np.ndarray]:
    """One checked array per input that is needed, in the dtype in which it was given.

    Args:
        table: full name -> leaf, of everything that a key may mean.
        needed: inputs; entries for others of the table are passed over.
        given: input or name -> array, list or number.
        what: the argument's name, for messages.

    Raises:
        UnknownNameError, MissingValueError, DTypeError, ShapeError, DataError: each names the culprit and the cure.
    """
    entries = find_entries(table, needed, given, what)
    return {leaf: check_numbers(v, leaf.type, f"{what}[{leaf.full_name!r}]") for leaf, v in entries.items()}


def convert_inputs(numbers: Mapping[Node, np.ndarray], precision: str, what: str = "data") -> dict[Node, np.ndarray]:
    """The numbers of inputs in the dtypes in which they are computed: converted once, if at all.

    Args:
        numbers: input -> array of its rank.
        precision: every float64 is lowered to it.
        what: the argument's name, for messages.

    Raises:
        DTypeError, DataError: each names the culprit and the cure.
    """
    arrays = {}
    for leaf, raw in numbers.items():
        where = f"{what}[{leaf.full_name!r}]"
        arrays[leaf] = convert(leaf, raw, precision, where)
        if arrays[leaf].nbytes >= _LARGE:
            _tell_copy(leaf, raw, arrays[leaf], where)
    return arrays


def find_entries(table: Mapping[str, Node], needed: tuple[Node, ...], given: object, what: str) -> dict[Node, Any]:
    """What was given for each input that is needed, as it was given.

    Raises:
        UnknownNameError, MissingValueError: something is unknown, or missing.
    """
    entries = _by_leaf(table, needed, given, what)
    missing = [n.full_name for n in needed if n not in entries]
    if missing:
        raise MissingValueError(
            f"{what} needs an array for {', '.join(map(repr, missing))}; got "
            f"{', '.join(n.full_name for n in entries) or 'nothing'}. Add it: {what}={{{missing[0]!r}: array}}.",
            nodes=needed,
        )
    return {leaf: entries[leaf] for leaf in needed}


def _by_leaf(table: Mapping[str, Node], needed: tuple[Node, ...], given: object, what: str) -> dict[Node, Any]:
    if not isinstance(given, Mapping):
        raise UnknownNameError(
            f"{what} needs a mapping from input or name to array; got {type(given).__name__}. Write "
            f"{what}={{{', '.join(f'{n.full_name!r}: ...' for n in needed)}}}."
        )
    names = ", ".join(n for n, leaf in table.items() if leaf.op.name == "input") or "(none)"
    entries: dict[Node, Any] = {}
    for key, value in given.items():
        if not isinstance(key, (Node, str)):
            raise UnknownNameError(f"{what} needs inputs or names as keys; got {key!r}. The inputs are: {names}.")
        leaf = find_leaf(dict(table), key, what)
        if leaf is None:
            raise UnknownNameError(f"{what} names {key!r}, which the model does not have. Its inputs are: {names}.")
        if leaf.op.name != "input":
            raise UnknownNameError(
                f"{what} takes inputs; got the {leaf.op.name} {leaf.full_name!r}. Set it with "
                f"model.values[{leaf.full_name!r}] = ..."
            )
        entries[leaf] = value
    return entries


def _tell_copy(leaf: Node, raw: np.ndarray, array: np.ndarray, what: str) -> None:
    """Warn of a copy that needs not be: of another dtype, or of a file in which rows do not follow each other."""
    if array.dtype != raw.dtype:
        reason = f"is {raw.dtype} and is computed in {array.dtype}"
        cure = f"Give it in {array.dtype}, or declare the input in its own dtype and gl.cast it in the graph."
    elif is_mapped(raw) and not is_mapped(array):
        reason = f"lies in a file in which its rows do not follow one after the other (strides {raw.strides})"
        cure = (
            "Save the rows that are needed as a file of their own, in C order (some at a time into "
            "np.lib.format.open_memmap(path, 'w+', dtype, shape)), and give np.load(path, mmap_mode='r')."
        )
        if raw.flags.c_contiguous:
            reason = "lies in a file at an address that is no multiple of its numbers' size"
    else:
        return
    said = ConversionWarning(
        f"{what} {reason}, so a copy of {array.nbytes / 2**20:,.0f} MiB is made. {cure}", nodes=(leaf,)
    )
    warnings.warn(said, stacklevel=calls_to_user())


def convert(leaf: Node, array: np.ndarray, precision: str, what: str, first_row: int = 0) -> np.ndarray:
    """Numbers as they are computed with; the same array where it has that dtype and order.

    Args:
        leaf: what they are for.
        array: numbers of its rank.
        precision: every float64 is lowered to it.
        what: how messages name the array.
        first_row: number of the array's first row, for messages.

    Raises:
        DTypeError, DataError: they do not fit.
    """
    if not array.size:
        raise DataError(
            f"{what} needs at least one entry; got an empty array of shape {format_shape(array.shape)}. Give at "
            "least one row.",
            nodes=(leaf,),
        )
    cure = "Drop these rows or fill the gaps first." if array.shape else "Give a number."
    if not leaf.type.is_float:
        array = check_array(array, leaf.type, what)
    return lower(array, lowered(leaf.dtype, precision), leaf, what, cure, first_row)


def count_rows(layout: Layout, arrays: Mapping[Node, np.ndarray], what: str = "data") -> int:
    """The common number of rows; 1 where nothing is batched.

    Raises:
        DataError: the inputs have different numbers of rows.
    """
    lengths = {leaf.full_name: len(arrays[leaf]) for leaf in layout.batched}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name!r} has {n}" for name, n in lengths.items())
        raise DataError(
            f"{what} needs equally many rows in each array; {counts}. Cut or fill one.", nodes=layout.batched
        )
    return next(iter(lengths.values()), 1)


class TargetCheck:
    """What a graph demands of the data for its targets, indices and powers of whole numbers, found once.

    Args:
        roots: outputs of the graph.
    """

    def __init__(self, roots: Iterable[Node]) -> None:
        roots = tuple(roots)
        # Along the free axis, indices number the rows of a batch, whose length is not known yet.
        known = [n for n in gathers(topological(roots)) if is_whole_power(n) or isinstance(indexed_length(n), int)]
        self._indices = [(n, leaves([n.inputs[1]], "input", "parameter", "state", "run")) for n in known]
        self._demands = [(demand, leaves([demand.target])) for demand in demands(roots)]
        self.is_empty = not self._indices and not self._demands

    def __call__(self, arrays: Mapping[Node, np.ndarray], what: str = "data", precision: str | None = None) -> None:
        """Check what data alone decide.

        Raises:
            DataError: names the row, the number and the cure.
        """
        for node, needed in self._indices:
            if all(leaf in arrays for leaf in needed):
                given = {leaf: arrays[leaf] for leaf in needed}
                check_indices(node, bind([node.inputs[1]], given, what=what, precision=precision), what)
        for demand, needed in self._demands:
            if demand.target in arrays:
                check_target(demand, arrays[demand.target], entry(what, demand.target))
            elif all(leaf in arrays for leaf in needed):
                check_demand(demand, bind([demand.target], arrays, what=what, precision=precision), what)
