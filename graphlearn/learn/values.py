"""`Values`: what a model's parameters and states are now, by name; every assignment is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NoReturn

import numpy as np

from graphlearn.backends.registry import lowered
from graphlearn.errors import GraphUseError, OptionError, ShapeError
from graphlearn.graph.binding import check_array, check_numbers
from graphlearn.graph.kin import kin
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import find_leaf
from graphlearn.learn.finite import lower
from graphlearn.learn.init import FACTORIES, default
from graphlearn.learn.stream import Stream


class Values(MutableMapping[str, np.ndarray]):
    """Name -> array, in the precision of the model. Arrays are read-only: assign a new one.

    Args:
        table: full name -> parameter or state.
        precision: ``"float32"`` or ``"float64"``.
        seed: of the initial values.

    Raises:
        OptionError, ShapeError: an initializer that cannot be used.
        DataError: an initial value that is not finite.
    """

    def __init__(self, table: Mapping[str, Node], precision: str, seed: int) -> None:
        self._table = dict(table)
        self._dtypes = {leaf: lowered(leaf.dtype, precision) for leaf in table.values()}
        self._precision = precision
        self._seed = seed
        self._arrays: dict[Node, np.ndarray] = {}
        self.reset()

    def reset(self) -> None:
        """Go back to the initial values."""
        self.store({leaf: initial_value(leaf, self._precision, self._seed) for leaf in self._table.values()})

    def store(self, arrays: Mapping[Node, np.ndarray]) -> None:
        """Take over arrays that are known to fit; leaves of others are passed over."""
        for leaf, array in arrays.items():
            if leaf in self._dtypes:
                self._arrays[leaf] = _frozen(array, self._dtypes[leaf])

    def arrays(self) -> dict[Node, np.ndarray]:
        """Leaf -> read-only array."""
        return dict(self._arrays)

    def _leaf(self, name: str | Node) -> Node:
        leaf = find_leaf(self._table, name, "values")
        if leaf is None:
            raise GraphUseError(f"values holds the parameters and states of its own model; {name!r} is none of them.")
        return leaf

    def __getitem__(self, name: str | Node) -> np.ndarray:
        return self._arrays[self._leaf(name)]

    def __setitem__(self, name: str | Node, value: object) -> None:
        self.replace({name: value})

    def replace(self, new: Mapping[Any, Any]) -> None:
        """Assign arrays by name, all of them or, where one does not fit, none.

        Args:
            new: parameter or state, or its full name -> array of its shape, finite.

        Raises:
            UnknownNameError, GraphUseError: something else than parameters and states of this model.
            ShapeError, DTypeError, DataError: an array that does not fit; the message says why.
        """
        arrays = {}
        for name, value in new.items():
            leaf = self._leaf(name)
            what = f"values[{leaf.full_name!r}]"
            array = (check_numbers if leaf.type.is_float else check_array)(value, leaf.type, what)
            arrays[leaf] = lower(array, self._dtypes[leaf], leaf, what, "Give finite ones.")
        self.store(arrays)

    def __delitem__(self, name: object) -> NoReturn:
        raise GraphUseError("a model's values can be replaced but not deleted. Assign an array, or call model.reset().")

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        rows = (f"  {name}: {self._arrays[leaf].dtype}{list(leaf.shape)}" for name, leaf in self._table.items())
        return "\n".join(["<Values", *rows, ">"]) if self._table else "<Values: none>"


def initial_value(leaf: Node, precision: str, seed: int) -> np.ndarray:
    """The first value of a parameter or state: its literal, or by its rule from its own random stream.

    Raises:
        DataError: a literal value that is not finite.
        OptionError: an initializer from `gl.init` that was not called, or one that gives no numbers.
        ShapeError: an initializer that gives another shape.
    """
    dtype = lowered(leaf.dtype, precision)
    literal = leaf.attr("value")
    if literal is not None:
        what = f"the value= of the {leaf.op.name} {leaf.full_name!r}"
        return lower(literal.array, dtype, leaf, what, "Give a finite one.")
    known = kin(leaf)
    if known is not None and known.place is not None:  # an entry begins as it does in its array
        return initial_value(known.ancestors[-1], precision, seed)[known.place]  # type: ignore[no-any-return]
    shape = tuple(d for d in leaf.shape if isinstance(d, int))  # those of a parameter are all fixed
    rule = leaf.attr("init") or default(shape)
    if rule in FACTORIES:
        raise OptionError(
            f"the parameter {leaf.full_name!r} needs an initializer; got the function that makes one. Call it: "
            f"gl.init.{rule.__name__}()."
        )
    array = np.asarray(rule(shape, dtype, Stream(seed, leaf.full_name)))
    if array.shape != shape:
        raise ShapeError(f"the initializer of {leaf.full_name!r} needs to give shape {shape}; it gave {array.shape}.")
    if array.dtype.kind not in "fiu" or not np.all(np.isfinite(array)):
        raise OptionError(f"the initializer of {leaf.full_name!r} needs to give finite numbers; it gave {array!r}.")
    return np.asarray(array, dtype)


def _frozen(array: np.ndarray, dtype: str) -> np.ndarray:
    copy = np.array(array, dtype, order="C")
    copy.flags.writeable = False
    return copy
