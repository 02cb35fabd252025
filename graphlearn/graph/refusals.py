"""`NotANumber`: what a node is not. Python's operations that a graph lacks, each refused with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from graphlearn.errors import GraphUseError
from graphlearn.graph.op import NUMPY_BUILDERS, NUMPY_CURES, numpy_name
from graphlearn.types import ArrayType

_EVALUATE = "Evaluate it first: gl.evaluate(node, at={...})."
_DATA = "Compute it on the arrays before they come in."


def _refusing(what: str, cure: str) -> Callable[..., NoReturn]:
    """A method that refuses: ``what`` the graph lacks, and the cure."""

    def refuse(self: NotANumber, *others: object, **options: object) -> NoReturn:
        raise GraphUseError(f"{what}: {self!r}. {cure}", nodes=(self,))

    return refuse


class NotANumber:
    """The part of `Node` that says no."""

    __slots__ = ()

    type: ArrayType

    __float__ = _refusing("a node is not a number", _EVALUATE)
    __int__ = __index__ = __complex__ = __float__
    __round__ = __trunc__ = __floor__ = __ceil__ = _refusing(
        "a node has no digits to round",
        "Write gl.round(node), gl.floor or gl.ceil; or round its value: round(float(gl.evaluate(node, at={...}))).",
    )
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refusing("a graph shifts no bits", _DATA)
    __contains__ = _refusing("'in' is not defined for a node", "Use gl.equal and gl.max.")
    __setitem__ = __delitem__ = _refusing("a node is immutable", "Choose entries with gl.where(condition, a, b).")
    __array__ = _refusing(
        "a node has no values to put into an array", f"{_EVALUATE} To put nodes into one array write np.stack([a, b])."
    )
    __bool__ = _refusing(
        "a node has no truth value, since it has no value yet",
        "For a choice inside the graph write gl.where(condition, a, b); for a number now, gl.evaluate(node, at={...}).",
    )

    def __reduce__(self) -> NoReturn:
        raise GraphUseError(
            "a node is not pickled, so that loading never runs code. Keep the Python that builds the graph, and save a "
            "model's arrays: numpy.savez(path, **model.values), then model.values = dict(numpy.load(path))."
        )

    def __iter__(self) -> Iterator[Any]:
        raise GraphUseError(
            f"a node cannot be iterated, since its axes may be free: {self!r}. Reduce or multiply whole arrays "
            "instead.",
            nodes=(self,),
        )

    def __len__(self) -> NoReturn:
        first = self.type.shape[0] if self.type.shape else None
        cure = "A scalar has no length."
        if isinstance(first, str):
            cure = f"Its first axis is free; its length is the node gl.axis_size({first!r})."
        elif first is not None:
            cure = f"Write node.shape[0], which is {first}."
        raise GraphUseError(f"len() is not defined for a node: {self!r}. {cure}", nodes=(self,))

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        raise GraphUseError(f"a node has no digits to format as {spec!r}: {self!r}. {_EVALUATE}", nodes=(self,))

    def __getattr__(self, name: str) -> NoReturn:
        # Python and notebooks look for names with an underscore on everything.
        advice = "" if name.startswith("_") else f" {_instead(self, name)}"
        raise AttributeError(f"a node has no attribute {name!r}.{advice}", name=name, obj=self)


def _instead(node: object, name: str) -> str:
    """What to write for an attribute that arrays have and nodes have not."""
    for function in NUMPY_BUILDERS:
        if function.__name__ == name:
            return f"Write {numpy_name(function)}(node)."
    if name in NUMPY_CURES:
        return NUMPY_CURES[name]
    own = [known for known in dir(node) if not known.startswith("_")]
    import difflib  # 1 ms, for whoever has mistyped a name

    near = difflib.get_close_matches(name, own, 1)
    return f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(own)}."


_METHODS = {
    "add.reduce": "np.sum(x, axis=0)",
    "multiply.reduce": "np.prod(x, axis=0)",
    "maximum.reduce": "np.max(x, axis=0)",
    "minimum.reduce": "np.min(x, axis=0)",
    "logical_and.reduce": "np.all(x, axis=0)",
    "logical_or.reduce": "np.any(x, axis=0)",
    "add.accumulate": "np.cumsum(x, axis=0)",
    "multiply.accumulate": "np.cumprod(x, axis=0)",
    "multiply.outer": "gl.tensordot(a, b, 0)",
    "add.at": "gl.scatter_add(x, numbers, updates)",
}


def no_method(ufunc: Any, method: str, options: Iterable[str]) -> str:
    """What to say of a method or of options of a ufunc, which build nothing."""
    name = numpy_name(ufunc) + (f".{method}" if method != "__call__" else f" with {', '.join(options)}")
    plain = f"Use the plain function, {numpy_name(ufunc)}(...), without out= or where=."
    cure = f"Write {_METHODS[key]}." if (key := f"{ufunc.__name__}.{method}") in _METHODS else plain
    return f"{name} has no counterpart in a graph. {cure}"


def no_builder(function: Any) -> str:
    """What to say of a NumPy function that builds nothing: the way to compose it, or the nearest that does."""
    name = function.__name__
    start = f"{numpy_name(function)} has no operation in graphlearn."
    if name in NUMPY_CURES:
        return f"{start} {NUMPY_CURES[name]}"
    known = {f.__name__: numpy_name(f) for f in NUMPY_BUILDERS}
    import difflib  # 1 ms, for whoever has mistyped a name

    near = difflib.get_close_matches(name, sorted(known), 1)
    nearest = f" The nearest by name is {known[near[0]]}." if near else ""
    return (
        f"{start}{nearest} Compose it from operations that there are, or compute it on the arrays before they come in."
    )
