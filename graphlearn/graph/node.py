"""`Node`: one vertex of the immutable graph of mathematics. It has a type and a name, but no value and no gradient."""

from __future__ import annotations

import functools
from typing import Any, NoReturn

import numpy as np

from graphlearn.errors import DTypeError, GraphLearnError, GraphUseError, ShapeError
from graphlearn.graph.beyond import fitting, is_wide, within_reach
from graphlearn.graph.blame import blame, blame_value
from graphlearn.graph.frozen import FrozenArray
from graphlearn.graph.interning import TABLE, Key
from graphlearn.graph.lines import Line, caller_line, line_text
from graphlearn.graph.methods import ArrayMethods, builder
from graphlearn.graph.op import OPS, Attrs, Op, find_op
from graphlearn.graph.refusals import NotANumber
from graphlearn.graph.scope import current_scope
from graphlearn.types import ODD_SCALARS, ArrayType, Shape, check_dtype, odd_scalar


class _Referable(ArrayMethods, NotANumber):
    """What a node and its draft share: weak references to them."""

    __slots__ = ("__weakref__",)


class Node(_Referable):
    """A vertex of the graph: an operation applied to other nodes, or a leaf.

    Frozen, compared by identity; equal unnamed subexpressions are one object. Build nodes with `gl.input`,
    `gl.parameter`, operators and functions, never with this class.
    """

    __slots__ = ("attrs", "inputs", "line", "name", "op", "scope", "type")

    op: Op
    inputs: tuple[Node, ...]
    attrs: Attrs
    type: ArrayType
    name: str
    scope: str
    line: Line | None  # of the user's code that made it first; no part of what it is

    __hash__ = object.__hash__

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a node is immutable; {name} cannot be set. Build a new node instead.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a node is immutable; {name} cannot be deleted. Build a new node instead.")

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    # --- what a node says of itself -----------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Dimensions: ints and names of free axes."""
        return self.type.shape

    @property
    def dtype(self) -> str:
        """Name of the dtype."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.type.shape)

    @property
    def full_name(self) -> str:
        """Scopes and name, as in ``hidden1/W``; empty for an unnamed node."""
        return f"{self.scope}/{self.name}" if self.scope and self.name else self.name

    @property
    def made_at(self) -> str:
        """The line of code that made this node first, ``network.py:12``; empty for leaves and derivatives."""
        return line_text(self.line)

    @property
    def is_leaf(self) -> bool:
        """Whether this is an input, parameter, state or constant."""
        return self.op.kind == "leaf"

    def attr(self, key: str) -> Any:
        """The attribute ``key`` of the operation."""
        for name, value in self.attrs:
            if name == key:
                return value
        raise KeyError(key)

    def named(self, name: str) -> Node:
        """The same computation under a name, which diagrams, derivations, code and gradient tables then use.

        Args:
            name: the name; the scope in force is put before it.

        Returns:
            A node of the same type. Naming a leaf is refused: it has its name already.
        """
        if self.is_leaf and self.op.name != "constant":
            raise GraphUseError(
                f"{self.op.name} {self.full_name!r} has its name already; name it where it is made.", nodes=(self,)
            )
        return make(self.op, self.inputs, self.attrs, name=check_name(name), line=self.line)

    def __repr__(self) -> str:
        label = f" {self.full_name}" if self.full_name else ""
        if self.op.name == "constant":
            return f"<constant{label} {np.array2string(self.attr('value').array, threshold=6)}>"
        return f"<{self.op.name}{label} {self.type}>"

    # --- operators, through the registry -------------------------------------------------------------------------

    def __add__(self, other: Any) -> Node:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Node:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Node:
        return _binary("sub", self, other)

    def __rsub__(self, other: Any) -> Node:
        return _binary("sub", other, self)

    def __mul__(self, other: Any) -> Node:
        return _binary("mul", self, other)

    def __rmul__(self, other: Any) -> Node:
        return _binary("mul", other, self)

    def __truediv__(self, other: Any) -> Node:
        return _binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return _binary("div", other, self)

    def __pow__(self, other: Any) -> Node:
        return self._call(np.power, other)

    def __rpow__(self, other: Any) -> Node:
        node: Node = builder(np.power)(other, self)
        return node

    def __mod__(self, other: Any) -> Node:
        return apply("mod", self, other)

    def __rmod__(self, other: Any) -> Node:
        return apply("mod", other, self)

    def __matmul__(self, other: Any) -> Node:
        return self._call(np.matmul, other)

    def __rmatmul__(self, other: Any) -> Node:
        node: Node = builder(np.matmul)(other, self)
        return node

    def __neg__(self) -> Node:
        return apply("neg", self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return apply("abs", self)

    def __lt__(self, other: Any) -> Node:
        return apply("less", self, other)

    def __le__(self, other: Any) -> Node:
        return apply("less_equal", self, other)

    def __gt__(self, other: Any) -> Node:
        return apply("greater", self, other)

    def __ge__(self, other: Any) -> Node:
        return apply("greater_equal", self, other)

    def __invert__(self) -> Node:
        return self._call(np.invert)

    def __and__(self, other: Any) -> Node:
        return self._call(np.bitwise_and, other)

    def __or__(self, other: Any) -> Node:
        return self._call(np.bitwise_or, other)

    def __xor__(self, other: Any) -> Node:
        return self._call(np.bitwise_xor, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (bool, int, float, complex, np.generic, np.ndarray)):
            raise GraphUseError(
                f"== between a node and a number would compare objects, not values; got {self!r} == {other!r}. "
                "Write gl.equal(node, number) for an entry-by-entry comparison.",
                nodes=(self,),
            )
        return self is other


class _Draft(_Referable):
    """A node while it is made: laid out as one, but its fields may be set (0.3 us instead of 0.6 us a node)."""

    __slots__ = ("attrs", "inputs", "line", "name", "op", "scope", "type")


def make(
    op: Op,
    inputs: tuple[Node, ...],
    attrs: Attrs = (),
    *,
    name: str = "",
    scope: str | None = None,
    line: Line | None = None,
) -> Node:
    """The node of ``op`` on ``inputs``: the one that exists already, or a new one.

    Args:
        op: the operation; its ``infer`` checks the inputs.
        inputs: nodes.
        attrs: attributes in canonical form, sorted by name, hashable.
        name: the node's own name, or empty.
        scope: the scope that it belongs to; None means the one in force.
        line: where it was made; None: in the line that calls.

    Raises:
        ShapeError, DTypeError: the inputs do not fit; the message names them.
    """
    if scope is None:
        scope = current_scope()
    key: Key
    if attrs or name or scope:
        if op.name == "constant" and not name and not scope:
            return _constant(attrs[0][1])
        key, table = (op, inputs, attrs, name, scope), TABLE
    else:
        key, table = inputs, op.plain
    entry = table.get(key)
    if entry is not None:
        node: Node | None = entry()
        if node is not None:
            return node
    types = _types_of(inputs)
    try:
        kind = op.infer(types, **dict(attrs)) if attrs else op.infer(types)
    except GraphLearnError as error:
        raise blame(error, op.name, inputs) from None
    return table.enter(key, new_node(op, inputs, attrs, kind, name, scope, caller_line() if line is None else line))


def count_interned() -> int:
    """How many nodes live that are one object wherever they are made again."""
    return len(TABLE) + sum(len(op.plain) for op in OPS.values())


def _types_of(inputs: tuple[Node, ...]) -> tuple[ArrayType, ...]:
    # Most nodes have one operand or two, for which a list comprehension costs more than the types themselves.
    count = len(inputs)
    if count == 2:
        return inputs[0].type, inputs[1].type
    return (inputs[0].type,) if count == 1 else tuple([n.type for n in inputs])


def new_node(
    op: Op,
    inputs: tuple[Node, ...],
    attrs: Attrs,
    type_: ArrayType,
    name: str,
    scope: str,
    line: Line | None = None,
) -> Node:
    """A node that is not interned; only leaves are made so."""
    draft: Any = _Draft()
    draft.op = op
    draft.inputs = inputs
    draft.attrs = attrs
    draft.type = type_
    draft.name = name
    draft.scope = scope
    draft.line = line
    draft.__class__ = Node
    node: Node = draft
    return node


def check_name(name: object) -> str:
    """A usable name: a non-empty string without slash or control characters.

    Raises:
        GraphUseError: anything else.
    """
    if not isinstance(name, str) or not name.strip() or "/" in name or not name.isprintable():
        raise GraphUseError(
            f"a name needs to be a printable, non-empty string without '/'; got {name!r}. Use gl.scope for paths."
        )
    return name


def rebuild(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The same operation, attributes and name on other inputs."""
    if inputs == node.inputs:
        return node
    return make(node.op, inputs, node.attrs, name=node.name, scope=node.scope, line=node.line)


def apply(op: str | Op, *inputs: Any, **attrs: Any) -> Node:
    """Apply an operation by name to nodes, numbers and arrays.

    Raises:
        DTypeError: an operand that is none of these; the message names the others.
        ShapeError: the operands do not fit.
    """
    record = find_op(op) if isinstance(op, str) else op
    for x in inputs:
        if not isinstance(x, Node):
            inputs = _wrapped(inputs, record.name)
            break
    return make(record, inputs, tuple(sorted(attrs.items())) if attrs else ())


def _wrapped(inputs: tuple[Any, ...], what: str) -> tuple[Node, ...]:
    try:
        if any(map(is_wide, inputs)):
            small = _wrapped(tuple([1 if is_wide(x) else x for x in inputs]), what)
            inputs = within_reach(inputs, find_op(what), _types_of(small))
        return tuple([x if isinstance(x, Node) else _wrap(x, what) for x in inputs])
    except (DTypeError, ShapeError) as error:
        raise blame(error, what, tuple(x for x in inputs if isinstance(x, Node))) from None


def _binary(op: str, x: Any, y: Any) -> Node:
    """`apply` for the operators that make most nodes, without what these do not need (0.5 us)."""
    if isinstance(x, Node):
        if isinstance(y, Node):
            return make(OPS[op], (x, y))
        if type(y) is float and y:
            return make(OPS[op], (x, _number(y)))
    return apply(op, x, y)


def as_node(value: Any) -> Node:
    """A node for a Python number (weakly typed), a NumPy scalar, an array or a nested list.

    Raises:
        DTypeError: strings, objects, complex numbers.
    """
    if isinstance(value, Node):
        return value
    try:
        return _wrap(value, "a constant")
    except DTypeError as error:
        raise blame_value(error, "a constant") from None


def _wrap(value: Any, what: str) -> Node:
    if type(value) in (bool, int, float):
        # 0.0 and -0.0 are equal keys, so zeros go past the cache.
        return _number(fitting(value)) if value else _number.__wrapped__(value)
    try:
        frozen = FrozenArray(value)
    except (TypeError, ValueError) as error:
        raise DTypeError(
            f"{what} needs a number or an array of numbers; got {type(value).__name__}, which NumPy cannot "
            f"convert: {error}"
        ) from None
    if not frozen.array.shape and frozen.array.dtype.kind in ODD_SCALARS:
        got, cure = odd_scalar(value)
        raise DTypeError(f"{what} needs a node, a number or an array of numbers; got {got}. {cure}")
    check_dtype(frozen.array.dtype, what)
    return _constant(frozen)


@functools.lru_cache(maxsize=1024, typed=True)
def _number(value: float) -> Node:
    return _constant(FrozenArray(value, weak=True))


def _constant(frozen: FrozenArray) -> Node:
    """By what the array holds: `make` would look at its attribute, which takes three times as long."""
    entry = TABLE.get(frozen.key)
    node: Node | None = None if entry is None else entry()
    if node is not None:
        return node
    op = OPS["constant"]
    kind = op.infer((), value=frozen)
    return TABLE.enter(frozen.key, new_node(op, (), (("value", frozen),), kind, "", "", caller_line()))
