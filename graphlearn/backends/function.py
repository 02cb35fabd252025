"""`compile`: a graph as a function that is called with arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphlearn.backends.numpy.interpreter import check_indices
from graphlearn.backends.registry import check_precision, check_speed, load_backend, load_saver
from graphlearn.errors import GraphUseError, NameClashError, OptionError, UnknownNameError
from graphlearn.graph.binding import Binding, bind
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_mapping, check_sequence
from graphlearn.graph.origin import derivatives_among
from graphlearn.graph.traverse import formed_as, leaves_in, require_nodes, symbols_in, topological
from graphlearn.ops.places import gathers
from graphlearn.program.narration import Notes, narrate_function

if TYPE_CHECKING:
    import pathlib


class Function:
    """A compiled graph. Call it with arrays by name, or with one mapping from leaf or name to array.

    Args:
        outputs: a node or a sequence.
        inputs: the leaves that may be given; default: all that the outputs use.
        updates: leaf -> next value, computed along with the outputs.
        backend: ``"numba"``, ``"numpy"`` or ``"cuda"``.
        precision: ``"float64"`` or ``"float32"``.
        fast: whether sums and products may be computed in another order.
        threads: the most that a matrix product may use.
    """

    def __init__(
        self,
        outputs: Node | Sequence[Node],
        inputs: Sequence[Node] | None,
        updates: Mapping[Node, Node] | None,
        backend: str,
        precision: str,
        fast: bool = False,
        threads: int = 1,
    ) -> None:
        check_precision(precision)
        speed = check_speed(fast, threads, backend)
        self._form = tuple(outputs) if isinstance(outputs, Iterator) else outputs
        self._outputs = require_nodes(self._form, "compile")
        if not self._outputs:
            raise GraphUseError(f"compile needs a node, or a sequence of nodes; got {outputs!r}. Name an output.")
        self._updates = check_mapping(updates, "compile with updates=", "Write {leaf: next value}.")
        require_nodes([*self._updates, *self._updates.values()], "compile with updates=")
        self._roots = (*self._outputs, *self._updates.values())
        order = topological(self._roots)
        self._leaves = leaves_in(order)
        self._gathers = gathers(order)
        self._run = leaves_in(order, "run")
        self._order = [n for n in order if n.is_leaf]
        self._require_free(symbols_in(order))
        self._require_known(inputs)
        self._compiled = load_backend(backend).compile_function(
            self._roots, (*self._leaves, *self._run), precision, speed
        )
        self._derived = derivatives_among(order)  # what its comments speak of is kept alive for them
        self._source: str | None = None  # made when somebody reads it
        self.backend = backend
        self.precision = precision

    def _require_free(self, names: Mapping[str, Node]) -> None:
        taken = [name for name in ("seed", "step") if self._run and name in names]
        if taken:
            raise NameClashError(
                f"a function that draws random numbers is called with seed= and step=; got a leaf called {taken[0]!r}. "
                "Rename the leaf.",
                nodes=(names[taken[0]],),
            )

    def _require_known(self, inputs: Sequence[Node] | None) -> None:
        if inputs is None:
            return
        given = check_sequence(inputs, "compile with inputs=", "Write inputs=[x].")
        wrong = [n for n in given if not isinstance(n, Node)]
        if wrong:
            raise UnknownNameError(f"compile needs nodes in inputs=; got {wrong[0]!r}. Give the leaf itself.")
        missing = [n.full_name for n in self._leaves if n.op.name == "input" and n not in given]
        if missing:
            raise UnknownNameError(
                f"compile needs every input that the outputs use in inputs=; got {len(given)} without "
                f"{', '.join(map(repr, missing))}. Add what is missing, or leave inputs= out."
            )

    @property
    def source(self) -> str:
        """The generated source. Where it computes derivatives, its comments name the steps of `gl.derive`."""
        if self._source is None:
            explain = getattr(self._compiled, "explain", None)  # a tape and the reference have nothing to explain
            notes = self._notes() if explain is not None else {}
            self._source = str(explain(notes)) if notes and explain is not None else self._compiled.source
        return self._source

    def _notes(self) -> Notes:
        """What the comments say of the nodes."""
        return narrate_function(self._roots, self._updates) if self._derived else {}

    @property
    def program(self) -> Any:
        """The program that the source was generated from."""
        return self._compiled.program

    def __call__(self, values: Mapping[Any, Any] | None = None, /, **named: Any) -> Any:
        """Compute the outputs.

        Args:
            values: leaf or full name -> array-like; or a model.
            named: the same by keyword, for names that are identifiers. Of a graph that draws random numbers, ``seed``
                and ``step`` say which; default 0.

        Returns:
            An array, or a tuple for several outputs; with ``updates``, a pair of that and the next values by name.
        """
        binding = self._bind(values, named)
        results = self._compiled(binding.arrays, binding.sizes)
        count = len(self._outputs)
        outputs = formed_as(self._form, results[:count])
        if not self._updates:
            return outputs
        return outputs, {leaf.full_name: array for leaf, array in zip(self._updates, results[count:], strict=True)}

    def _bind(self, values: Mapping[Any, Any] | None, named: dict[str, Any]) -> Binding:
        seed, step = (named.pop("seed", 0), named.pop("step", 0)) if self._run else (0, 0)
        if values is not None and named:
            raise NameClashError("call with one mapping, or with keywords; got both.")
        given = named if values is None else values
        binding = bind(
            self._roots, given, what="the call", seed=seed, step=step, order=self._order, precision=self.precision
        )
        for node in self._gathers:
            check_indices(node, binding, "the call")
        return binding

    def save_source(
        self, path: str | pathlib.Path, values: Mapping[Any, Any] | None = None, /, **named: Any
    ) -> pathlib.Path:
        """Write the generated code as a Python file that makes one call: compiled, or with ``--plain`` in NumPy alone.

        Args:
            path: a name that ends with ``.py``.
            values: what it is called with, as in a call.
            named: likewise.

        Returns:
            The path. More than 4096 numbers lie in an ``.npz`` of the same name beside it.

        Raises:
            OptionError: a place where nothing can be written, or a function that has no source of its own: by another
                backend than ``"numba"``, or a tape.
        """
        binding = self._bind(values, named)
        saved = getattr(self._compiled, "saved_calls", None)
        if saved is None:
            raise OptionError(
                "save_source needs a function with code of its own; this one is a tape, or by another backend than "
                '"numba". Compile a smaller graph, with backend="numba".'
            )
        written: pathlib.Path = load_saver().save_calls(path, saved(binding.arrays, binding.sizes, self._notes()))
        return written

    def __repr__(self) -> str:
        names = ", ".join(leaf.full_name for leaf in self._leaves)
        return f"<Function of {names} on {self.backend}, {self.precision}>"


def compile_graph(
    outputs: Node | Sequence[Node],
    *,
    inputs: Sequence[Node] | None = None,
    updates: Mapping[Node, Node] | None = None,
    backend: str = "numba",
    precision: str = "float64",
    fast: bool = False,
    threads: int = 1,
) -> Function:
    """Compile a graph into a function.

    Args:
        outputs: a node or a sequence of nodes; an array of nodes, as of `gl.scalarize`, counts as one.
        inputs: the inputs, if you want them checked; default: all that the outputs use.
        updates: parameter or state -> next value; returned beside the outputs.
        backend: ``"numba"`` (compiled for this CPU), ``"numpy"`` (the reference) or ``"cuda"``.
        precision: every float64 of the graph is computed in this precision; an explicit cast stays.
        fast: whether sums and products may be computed in another order than the graph's, which changes last digits,
            more of them where terms cancel (``(x + 1) - 1`` becomes ``x``), and the sign of a zero.
        threads: the most that a matrix product may use, where that is faster: in products of 4 million multiplications
            and more. ``f.program.describe()`` says so. The last bits depend on it.

    Returns:
        A `Function`: ``f(x=..., w=...)``, with ``.source`` and ``.program``.

    Raises:
        UnsupportedOp: the backend has no row for an operation; the message says which have.
        OptionError: an unknown backend or precision.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x", "n")
        >>> f = gl.compile(gl.sum(x * x), backend="numpy")
        >>> float(f(x=[1.0, 2.0]))
        5.0
    """
    return Function(outputs, inputs, updates, backend, precision, fast, threads)
