"""Random scripts: straight NumPy code, line by line, that runs on arrays and on nodes alike.

A script is text, so that NumPy itself says what it means, and so that a failure is printed as a program to be run.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import graphlearn as gl
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, as_node, new_node
from graphlearn.graph.op import NUMPY_BUILDERS, OPS, Op, find_op
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.structural import build
from graphlearn.types import ArrayType, Shape

_NAME = re.compile(r"\b[xv]\d+\b")
NUMPY_OF: dict[str, tuple[str, ...]] = {}  # op -> NumPy's functions that build it and nothing else
for _target, _builder in NUMPY_BUILDERS.items():
    if hasattr(_builder, "op") and (isinstance(_target, np.ufunc) or _target is np.where):
        NUMPY_OF[_builder.op.name] = (*NUMPY_OF.get(_builder.op.name, ()), _target.__name__)


@dataclass(frozen=True)
class Leaf:
    """An input of a script.

    Args:
        name: ``x0``, ``x1``, ...
        array: its value.
        shape: its declared shape, in which axes may be free.
    """

    name: str
    array: np.ndarray
    shape: Shape

    @property
    def free(self) -> dict[str, int]:
        """The lengths of its free axes."""
        return {d: n for d, n in zip(self.shape, self.array.shape, strict=True) if isinstance(d, str)}


@dataclass(frozen=True)
class Line:
    """``name = text``."""

    name: str
    text: str

    @property
    def uses(self) -> tuple[str, ...]:
        """Names that the text reads."""
        return tuple(dict.fromkeys(_NAME.findall(self.text)))


@dataclass(frozen=True)
class Script:
    """Leaves, and lines whose last one is the scalar output."""

    leaves: tuple[Leaf, ...]
    lines: tuple[Line, ...]

    @property
    def output(self) -> str:
        """Name of the result."""
        return self.lines[-1].name

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Leaf -> value."""
        return {leaf.name: leaf.array for leaf in self.leaves}

    @property
    def sizes(self) -> dict[str, int]:
        """Lengths of the free axes."""
        return {axis: length for leaf in self.leaves for axis, length in leaf.free.items()}

    def inputs(self) -> dict[str, Node]:
        """A fresh input node for each leaf."""
        return {leaf.name: input_of(leaf) for leaf in self.leaves}

    def text(self) -> str:
        """The script as a program to be run: it prints the value by NumPy and by graphlearn, and the gradients."""
        real = [leaf.name for leaf in self.leaves if leaf.array.dtype.kind == "f"]
        declared = [f"{x.name} = gl.input({x.name!r}, {x.shape!r}, {x.array.dtype.name!r})" for x in self.leaves]
        given = [f"    {x.name}: {_array_text(x.array)}," for x in self.leaves]
        computed = [f"{line.name} = {line.text}" for line in self.lines]
        return "\n".join(
            [
                "import numpy as np",
                "import graphlearn as gl",
                "from graphlearn.graph.op import find_op",
                "from graphlearn.ops.algebra import GRAPH as m",
                "from graphlearn.ops.structural import build",
                *declared,
                *computed,
                "at = {",
                *given,
                "}",
                f"print(gl.evaluate({self.output}, at))",
                f"for g in gl.grad({self.output}, [{', '.join(real)}], disconnected='zero'):",
                "    print(gl.evaluate(g, at))",
            ]
        )


def _array_text(array: np.ndarray) -> str:
    if not array.size:
        return f"np.zeros({array.shape}, {array.dtype.name!r})"
    return f"np.array({array.tolist()!r}, {array.dtype.name!r})"


def input_of(leaf: Leaf) -> Node:
    """An input node for a leaf."""
    return new_node(INPUT, (), (), ArrayType(leaf.shape, leaf.array.dtype.name), leaf.name, "")


# --- the two worlds in which a line runs -----------------------------------------------------------------------------


class _Plain:
    """The functions of graphlearn on arrays: NumPy's own, or textbook formulas over these; no kernel, no adjoint."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ORACLES:
            return ORACLES[name]
        if name not in OPS:
            raise AttributeError(name)
        return functools.partial(_weakly, self._function(name))

    def _function(self, name: str) -> Callable[..., Any]:
        op = OPS[name]
        if name in NUMPY_OF:
            return getattr(np, NUMPY_OF[name][0])  # type: ignore[no-any-return]
        if op.kind == "defined" and op.formula is not None:
            return functools.partial(op.formula, self)
        assert op.reference is not None
        return op.reference


def _weakly(function: Callable[..., Any], *operands: Any, **options: Any) -> Any:
    """The square root of the Python number 2 is a Python number, which takes the dtype of what it meets."""
    value = function(*operands, **options)
    return value.item() if isinstance(value, np.generic) and not any(hasattr(x, "dtype") for x in operands) else value


PLAIN = _Plain()


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


# What NumPy has no function for, in NumPy.
ORACLES: dict[str, Callable[..., Any]] = {
    "softmax": _softmax,
    "log_softmax": lambda x, axis=-1: np.log(_softmax(x, axis)),
    "logsumexp": lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "cast": lambda x, dtype: np.asarray(x).astype(dtype),
    "square": np.square,
}


def _apply_reference(op: Op, operands: Iterable[Any], **attrs: Any) -> Any:
    assert op.reference is not None
    return op.reference(*operands, **attrs)


ON_NODES: dict[str, Any] = {"np": np, "gl": gl, "m": GRAPH, "build": build, "find_op": find_op}
ON_ARRAYS: dict[str, Any] = {"np": np, "gl": PLAIN, "m": PLAIN, "build": _apply_reference, "find_op": find_op}


def compute(text: str, world: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """The value of one line."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return eval(text, dict(world), dict(values))


def run(script: Script, world: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every line and leaf.

    Args:
        script: what runs.
        world: `ON_NODES` or `ON_ARRAYS`.
        values: leaf -> node or array.
    """
    found = dict(values)
    for line in script.lines:
        found[line.name] = compute(line.text, world, found)
    return found


def nodes_of(script: Script, inputs: Mapping[str, Node]) -> dict[str, Node]:
    """The node of every leaf and line."""
    return {name: as_node(value) for name, value in run(script, ON_NODES, inputs).items()}


# --- making a failing script smaller ---------------------------------------------------------------------------------


def needed(script: Script) -> Script:
    """The script without what its output does not use."""
    wanted = {script.output}
    for line in reversed(script.lines):
        if line.name in wanted:
            wanted.update(line.uses)
    return Script(
        tuple(leaf for leaf in script.leaves if leaf.name in wanted),
        tuple(line for line in script.lines if line.name in wanted),
    )


def shrink(script: Script, fails: Callable[[Script], bool]) -> Script:
    """A smaller script that still fails: another output, values in place of what computes them, fewer numbers.

    Args:
        script: fails.
        fails: whether a script does; must not raise.
    """
    best = script
    while True:
        smaller = next((s for s in _smaller(best) if fails(s)), None)
        if smaller is None:
            return best
        best = smaller


def _smaller(script: Script) -> Iterable[Script]:
    arrays = run(script, ON_ARRAYS, script.arrays)
    last = script.lines[-1]
    for line in script.lines[:-1]:  # the earliest line alone that fails as well
        above = script.lines[: script.lines.index(line) + 1]
        text = f"np.sum(np.sin({line.name}))"
        if (*above, replace(last, text=text)) != script.lines and np.asarray(arrays[line.name]).dtype.kind == "f":
            shorter = needed(Script(script.leaves, (*above, replace(last, text=text))))
            if len(shorter.lines) < len(script.lines):
                yield shorter
    terms = last.text.split(" + np.mean(")
    for k in range(len(terms) if len(terms) > 1 else 0):  # an output of fewer terms
        rest = " + np.mean(".join(terms[:k] + terms[k + 1 :])
        text = rest if k or rest.startswith("np.") else f"np.mean({rest}"
        yield needed(Script(script.leaves, (*script.lines[:-1], replace(last, text=text))))
    for line in reversed(script.lines[:-1]):  # a leaf in place of a line
        value = np.asarray(arrays[line.name])
        fresh = f"x{1 + max((int(x.name[1:]) for x in script.leaves), default=0)}"
        if value.dtype.kind in "fib" and line.uses:
            leaf = Leaf(fresh, value, value.shape)
            rest = tuple(
                replace(other, text=re.sub(rf"\b{line.name}\b", fresh, other.text))
                for other in script.lines
                if other is not line
            )
            yield needed(Script((*script.leaves, leaf), rest))
