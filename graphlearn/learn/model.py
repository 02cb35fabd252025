"""`Model`: a graph with values, which can be trained, asked and looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlearn.backends.registry import PLAIN, Speed, check_precision, check_speed
from graphlearn.errors import DataError, GraphUseError
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.streams import check_seed
from graphlearn.graph.traverse import find_leaf, leaves, symbols
from graphlearn.learn.batches import Batches, make_batches
from graphlearn.learn.data import TargetCheck, convert_inputs, count_rows, read_numbers
from graphlearn.learn.fit import Borders, Fit, Trainer, check_optimizer, check_whole, start_values
from graphlearn.learn.functions import Functions, Outputs
from graphlearn.learn.history import History
from graphlearn.learn.interrupt import Interrupt
from graphlearn.learn.loop import Loop
from graphlearn.learn.optim import Optimizer
from graphlearn.learn.plan import Plan, require_loss
from graphlearn.learn.progress import Progress, make_progress
from graphlearn.learn.rows import split_rows
from graphlearn.learn.summary import summarize
from graphlearn.learn.values import Values

if TYPE_CHECKING:
    import pathlib

Data = Mapping[Any, Any]
Callback = Callable[["Model", int, dict[str, float]], Any]


class Model:
    """A graph together with a value for each of its parameters and states.

    Args:
        output: what `predict` gives: a node, or a sequence or dict of nodes.
        loss: scalar node that contains its target inputs; needed by `fit`.
        precision: ``"float32"`` or ``"float64"``; every float64 of the graph, declared or default, is computed in it.
        seed: of the initial values. Each parameter has its own random numbers, keyed by its full name, so that adding
            one changes no other; both precisions start from the same numbers, rounded.

    Raises:
        NameClashError: two leaves, or two named nodes, of one name.
        GraphUseError: the output or the loss is no node.
        OptionError: no such precision or seed, or an initializer that cannot be used.

    Example:
        >>> import graphlearn as gl
        >>> x, t = gl.input("x", "batch"), gl.input("t", "batch")
        >>> y = x * gl.parameter("w", value=0.0)
        >>> model = gl.Model(y, loss=gl.losses.mse(y, t), precision="float64")
        >>> history = model.fit(
        ...     {"x": [1, 2, 3], "t": [2, 4, 6]}, optimizer=gl.optim.SGD(0.1), epochs=60, backend="numpy"
        ... )
        >>> model.predict({"x": [5]}, backend="numpy").round(6)
        array([10.])
    """

    def __init__(self, output: Any, *, loss: Node | None = None, precision: str = "float32", seed: int = 0) -> None:
        self.output = output
        self.loss = loss
        self.precision = check_precision(precision)
        self.seed = check_seed(seed)
        self.history: History | None = None
        self._loop: Loop | None = None
        self._outputs = Outputs(output, "a model's output")
        roots = (*self._outputs.nodes, *(() if loss is None else Outputs(loss, "a model's loss").nodes))
        Names(roots)  # refuses two nodes of one name
        self._table = symbols(*roots)
        carried = {leaf.full_name: leaf for leaf in leaves(roots, "parameter", "state")}
        self._values = Values(carried, self.precision, self.seed)
        self._trainer = Trainer(loss, self.parameters, self.precision)
        self._functions = Functions(self.precision)
        self._targets: TargetCheck | None = None  # made by the first fit
        self._training = threading.Lock()

    # --- values -------------------------------------------------------------------------------------------------------

    @property
    def values(self) -> Values:
        """Full name -> array of every parameter and state. ``model.values["hidden1/W"] = array`` is checked."""
        return self._values

    @values.setter
    def values(self, new: Mapping[Any, Any]) -> None:
        """Assign several at once: all of them, or none where one does not fit."""
        self._values.replace(new)

    @property
    def parameters(self) -> tuple[Node, ...]:
        """The parameters, in topological order."""
        return tuple(leaf for leaf in self._table.values() if leaf.op.name == "parameter")

    def leaf_values(self) -> dict[Node, np.ndarray]:
        """Parameter or state -> its current value."""
        return self._values.arrays()

    def at(self, data: Data) -> dict[Node, Any]:
        """The model's values together with data, for `gl.evaluate`, `gl.derive`, `gl.draw` and the like.

        Args:
            data: leaf or name -> array. A value given for a parameter takes the place of the model's.

        Raises:
            UnknownNameError: a name that the model does not have.
        """
        merged: dict[Node, Any] = dict(self.leaf_values())
        for key, value in data.items():
            leaf = find_leaf(self._table, key, "at") if isinstance(key, str) else key
            merged[key if leaf is None else leaf] = value
        return merged

    def reset(self) -> None:
        """Go back to the initial values."""
        self._values.reset()

    # --- training ---------------------------------------------------------------------------------------------------

    def fit(
        self, data: Data, *, optimizer: Optimizer, epochs: int, batch_size: int | None = None, backend: str = "numba",
        shuffle: bool = True, seed: int = 0, validation: Data | None = None, validation_every: int = 1,
        callbacks: Sequence[Callback] = (), progress: bool | Progress | None = None, order: Any = None,
        fast: bool = False, threads: int = 1,
    ) -> History:  # fmt: skip
        """Make the loss small.

        The same optimizer object continues where it stopped: fit(5) and fit(5) again is fit(10), bit for bit; a new one
        starts afresh. Ctrl-C (however often it is pressed; the step that runs is finished) and errors leave the model
        usable, with the values of the last finished step; ``epochs=10 - optimizer.epochs`` then makes the rest of 10,
        within the epoch too, as if undisturbed. A callback that does not end is broken off by the second Ctrl-C.

        Args:
            data: input or name -> array, list or number, with as many rows in each. A `numpy.memmap` of the model's
                precision whose rows lie one after the other is read where it lies, batch by batch; any other one is
                copied as a whole, with a `ConversionWarning` from 64 MiB on.
            optimizer: from `gl.optim`.
            epochs: passes over the data.
            batch_size: rows of a step, at most those of the data; the last batch of an epoch may be smaller. None: all.
            backend: ``"numba"``, ``"numpy"`` or ``"cuda"``.
            shuffle: another order of rows in each epoch, where a batch does not hold all of them.
            seed: of the shuffling and of what the loss draws. The order depends on (seed, rows, epoch) alone; random
                numbers on (seed, step), the steps counted by the optimizer.
            validation: data whose loss is recorded after epochs, of all rows at once, as by `evaluate`: that takes
                memory for every intermediate result of all of them. Give fewer rows where there is not enough.
            validation_every: after every so many of them.
            callbacks: called with (model, epoch from 1, logs) after each epoch, logs holding ``loss``, ``step`` and
                perhaps ``validation``. One may return True to stop, or assign values and hyperparameters.
            progress: show epoch, loss and time left; None: when standard output is a terminal. An object with the
                methods of `graphlearn.learn.progress.Progress` shows them in its own way.
            order: whole row numbers (steps, batch), to repeat another's run exactly; ``epochs`` then groups the steps.
            fast: let sums and products be computed in another order.
            threads: the most that a large matrix product may use; ``describe()`` says how many are. The last bits
                depend on it.

        Returns:
            What happened, also kept as ``model.history``.

        Raises:
            OptionError, DataError, UnknownNameError, MissingValueError, ShapeError, DTypeError: an argument that cannot
                be used; the message says which and what to do.
            DisconnectedError: a parameter that does not influence the loss.
            NonFiniteError: a value overflowed or lost its meaning; ``.failure`` says which, and the model keeps the
                last values that had a finite loss.
        """
        speed = check_speed(fast, threads, backend)
        plan = self._trainer.plan(check_optimizer(optimizer, self))
        given = read_numbers(self._table, plan.layout.inputs, data)
        arrays, rows = self._convert(plan, given, "data")
        arrays |= plan.run_values(check_seed(seed), optimizer.steps)
        batches = make_batches(
            rows, plan.layout.axis, epochs=check_whole("epochs", epochs), batch_size=batch_size, shuffle=shuffle,
            seed=seed, order=order, after=(optimizer.epochs, optimizer.begun),
        )  # fmt: skip
        validate = None if validation is None else self._validator(plan, validation, backend)
        borders = Borders(self, validate, check_whole("validation_every", validation_every), callbacks)
        shown = make_progress(progress, epochs * batches.steps_per_epoch - batches.begin, epochs)
        return self._train(plan, arrays, given, batches, epochs, borders, optimizer, backend, shown, speed)

    def _train(
        self,
        plan: Plan,
        arrays: Mapping[Node, np.ndarray],
        given: Mapping[Node, np.ndarray],
        batches: Batches,
        epochs: int,
        borders: Borders,
        optimizer: Optimizer,
        backend: str,
        progress: Progress,
        speed: Speed,
    ) -> History:
        if not self._training.acquire(blocking=False):
            raise GraphUseError(
                "a model trains once at a time; fit is running on it already. Wait for it, or make a second model."
            )
        try:
            run = self._trainer.open(plan, arrays, given, backend, batches.capacity, speed)
            loop = Loop(run, batches, epochs, start_values(plan, arrays, self._values, optimizer, self.precision))
            self._loop = loop
            fit = Fit(plan, loop, arrays, self._values, optimizer, borders, self.precision, self._trainer.pace)
            with Interrupt() as interrupt:  # until the history is there, which belongs to the values
                try:
                    fit.run(progress, interrupt)
                finally:
                    self.history = fit.history
        finally:
            self._training.release()
        return self.history

    @property
    def source(self) -> str:
        """The code of the training loop that the last `fit` ran.

        Raises:
            GraphUseError: there was no `fit` yet.
        """
        if not self._trainer.source:
            raise GraphUseError(
                "model.source is the code that fit generates; there was no fit yet. Call model.fit(...) first."
            )
        return self._trainer.source

    def save_source(self, path: str | pathlib.Path) -> pathlib.Path:
        """Write the training that the last `fit` made as a Python file that repeats it.

        The file holds the generated code as `source` shows it, what the training started from, its data, and a few
        lines that run it. ``python FILE`` compiles the code and gives the same losses and values, bit for bit (on the
        same machine, with the same number of threads, which the file asks for); ``python FILE --plain`` runs it in
        Python with NumPy alone, where sums are added up in another order: one of n products may differ by n * eps times
        the sum of their absolute values. A gradient whose terms cancel is nothing but such a difference in both; Adam
        can make a step of the whole learning rate of it. More than 4096 numbers lie in an ``.npz`` of the same name
        beside it. What a callback changes on the way is not repeated: then the file begins after the last change.

        Args:
            path: a name that ends with ``.py``.

        Returns:
            The path.

        Raises:
            GraphUseError: there was no `fit` yet.
            OptionError: a place where nothing can be written, or a fit by another backend than ``"numba"``.
        """
        if self._loop is None:
            raise GraphUseError(
                "save_source writes the training of the last fit; there was no fit yet. Call model.fit."
            )
        return self._trainer.save_source(path, self._loop)

    def describe(self) -> str:
        """What the last `fit` ran: each stabilising rule that changed the loss, and where; then the compiled program.

        Returns:
            Text for `print`: rewrites, buffers, steps, operations and bytes. The NumPy backend compiles nothing.

        Raises:
            GraphUseError: there was no `fit` yet.
        """
        if not self._trainer.description:
            raise GraphUseError(
                "model.describe() is about the training that fit runs; there was no fit yet. Call model.fit(...) first."
            )
        return self._trainer.description

    def _convert(self, plan: Plan, given: Mapping[Node, np.ndarray], what: str) -> tuple[dict[Node, np.ndarray], int]:
        arrays = convert_inputs(given, self.precision, what)
        if self._targets is None:
            self._targets = TargetCheck([require_loss(self.loss)])
        self._targets(arrays, what, self.precision)
        return arrays, count_rows(plan.layout, arrays, what)

    def _validator(self, plan: Plan, data: Data, backend: str) -> Callable[[], float]:
        given = read_numbers(self._table, plan.layout.inputs, data, "validation")
        arrays, _ = self._convert(plan, given, "validation")
        # In the form that is trained: a loss that overflows as it is written must not do so here alone.
        (loss,) = self._functions.settled((plan.loss,))
        return lambda: float(self._functions.compute((loss,), {**self.leaf_values(), **arrays}, backend)[0])

    # --- answers ----------------------------------------------------------------------------------------------------

    def predict(
        self,
        inputs: Any,
        *,
        batch_size: int | None = None,
        backend: str = "numba",
        seed: int = 0,
        step: int = 0,
        threads: int = 1,
    ) -> Any:
        """The model's output once training is over: without dropout; see `gl.inference`.

        Args:
            inputs: input or name -> array; only what the output needs is looked at. Where it needs one input, the array
                alone will do. Arrays of the model's precision are read where they lie, memory-mapped ones too; others
                are converted, batch by batch.
            batch_size: rows that are computed at a time; None: all, or as many as have room for what lies between
                input and output (32 MiB).
            backend: where it is computed.
            seed: of the random numbers that are left, such as noise of your own.
            step: likewise.
            threads: as in `fit`.

        Returns:
            Arrays in the form of ``model.output``, in the model's precision; batches are written into them directly.

        Raises:
            UnknownNameError, MissingValueError, ShapeError, DTypeError, DataError: the inputs do not fit.
        """
        speed = check_speed(False, threads, backend)
        return self._answer(self._outputs, inputs, backend, seed, step, speed, batch_size)

    def evaluate(self, nodes: Any, inputs: Any, *, backend: str = "numba", seed: int = 0, step: int = 0) -> Any:
        """The values of any nodes over the model's leaves, e.g. of a hidden layer or the loss, without dropout.

        All rows are computed at once, and so need memory for their intermediate results; `predict` takes a
        ``batch_size``. Where a mean over more rows is wanted, evaluate some at a time and average.

        Args:
            nodes: a node, or a sequence or dict of nodes.
            inputs: as in `predict`.
            backend: where it is computed.
            seed: as in `predict`.
            step: as in `predict`.

        Returns:
            Arrays in the form of ``nodes``.

        Raises:
            UnknownNameError, MissingValueError, ShapeError, DTypeError, DataError: the inputs do not fit, or are no
                targets that a loss among the nodes can take.
        """
        return self._answer(Outputs(nodes, "evaluate"), inputs, backend, seed, step)

    def _answer(
        self,
        outputs: Outputs,
        inputs: Any,
        backend: str,
        seed: int,
        step: int,
        speed: Speed = PLAIN,
        batch_size: int | None = None,
    ) -> Any:
        nodes = self._functions.settled(outputs.nodes)
        needed = leaves(nodes, "input")
        if not isinstance(inputs, Mapping):
            if len(needed) != 1:
                names = ", ".join(repr(n.full_name) for n in needed) or "none"
                raise DataError(
                    "inputs needs a mapping from name to array where there is not just one input; the inputs are: "
                    f"{names}."
                )
            inputs = {needed[0]: inputs}
        table = {**self._table, **symbols(*outputs.nodes)}
        raw = read_numbers(table, needed, inputs, "inputs")
        function = self._functions.compiled(nodes, backend, speed)
        rows = split_rows(nodes, raw, self.leaf_values(), function.program, self.precision, batch_size)
        targets = TargetCheck(outputs.nodes)
        if rows is not None and targets.is_empty:
            return outputs.arrange(rows.compute(function))
        arrays = convert_inputs(raw, self.precision, "inputs")
        targets(arrays, "inputs", self.precision)
        values = self._functions.compute(nodes, {**self.leaf_values(), **arrays}, backend, seed, step, speed)
        return outputs.arrange(values)

    # --- for people -------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """A table of parameters and states with their shapes and numbers of entries, as text for `print`."""
        return summarize((self._table[name] for name in self._values), self.precision)

    def __repr__(self) -> str:
        count = sum(self._values[leaf].size for leaf in self.parameters)
        tensors = len(self.parameters)
        parts = f"{tensors} parameter{'s' * (tensors != 1)} with {count:,} number{'s' * (count != 1)}"
        return f"<Model: {parts}, {self.precision}>"
