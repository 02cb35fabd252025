"""`Fit`: one call of `Model.fit`; and `Trainer`: what a model keeps between two of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlearn.backends.mapped import is_mapped
from graphlearn.backends.registry import PLAIN, Speed, TrainingRun, load_backend, load_saver, lowered
from graphlearn.errors import NonFiniteError, OptionError
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.learn.data import lay_out
from graphlearn.learn.failure import Failure, advise, find_culprit
from graphlearn.learn.finite import is_finite
from graphlearn.learn.history import History
from graphlearn.learn.interrupt import Interrupt
from graphlearn.learn.loop import Loop
from graphlearn.learn.optim import Optimizer
from graphlearn.learn.plan import Plan, make_plan, require_loss
from graphlearn.learn.progress import Pace, Progress
from graphlearn.learn.telling import tell
from graphlearn.learn.values import Values
from graphlearn.program.narration import narrate

if TYPE_CHECKING:
    import pathlib

    from graphlearn.backends.forms import Form

Arrays = Mapping[Node, np.ndarray]


class Trainer:
    """Training steps by the structure of the optimizer, and the latest compiled run.

    Args:
        loss: what the model makes small, or None.
        parameters: what it trains.
        precision: of the computation.
    """

    def __init__(self, loss: Node | None, parameters: Sequence[Node], precision: str) -> None:
        self._loss = loss
        self._parameters = tuple(parameters)
        self._precision = precision
        self.pace = Pace()  # of the latest run
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._latest: tuple[tuple[Plan, str, int, Speed], dict[Node, np.ndarray], TrainingRun] | None = None

    def plan(self, optimizer: Optimizer) -> Plan:
        """The training step; made once for all optimizers of one structure."""
        loss = require_loss(self._loss)
        key = optimizer.structure
        if key not in self._plans:
            self._plans[key] = make_plan(loss, lay_out(loss), self._parameters, optimizer)
        return self._plans[key]

    def open(
        self, plan: Plan, arrays: Arrays, given: Arrays, backend: str, capacity: int, speed: Speed = PLAIN
    ) -> TrainingRun:
        """A compiled run over these arrays: the latest one, if it is the same training on the same data.

        Args:
            plan: the training.
            arrays: the data, input -> array in the dtype in which it is computed.
            given: the same as the caller has it: what was converted is not copied again.
            backend: name of a backend.
            capacity: rows of the largest batch.
            speed: what may be done for speed.
        """
        data = {leaf: arrays[leaf] for leaf in plan.layout.batched}
        key = (plan, backend, capacity, speed)
        if self._latest is not None and self._latest[0] == key and _equal(self._latest[1], data):
            return self._latest[2]
        # Copies: what the caller writes into the arrays must not reach a training, nor be taken for what it was given.
        # A file may be larger than memory, so it is read where it lies.
        data = {leaf: _own(array, given[leaf]) for leaf, array in data.items()}
        self.pace = Pace()
        self._latest = None  # two sets of data may be more than there is room for
        run = load_backend(backend).open_training(plan.step, data, self._precision, capacity, speed)
        self._latest = (key, data, run)
        return run

    @property
    def source(self) -> str:
        """The code of the latest run, in the words of the derivation; empty before the first."""
        if self._latest is None:
            return ""
        (plan, *_), _, run = self._latest
        if run.program is None:
            return run.source
        return run.explain(narrate(plan.given, plan.parameters, plan.step))

    def save_source(self, path: str | pathlib.Path, loop: Loop) -> pathlib.Path:
        """Write the steps of a loop of the latest run as a file that repeats them.

        Raises:
            OptionError: a place where nothing can be written, or a backend whose code needs the backend.
        """
        forms: Sequence[Form] = ()
        if self._latest is not None:
            (plan, *_), data, run = self._latest
            forms = run.forms(narrate(plan.given, plan.parameters, plan.step)) if run.program is not None else ()
        if self._latest is None or not forms:
            raise OptionError('save_source needs a training by compiled CPU code. Call fit with backend="numba" first.')
        step, values = loop.origin
        counts, order = loop.take(step, loop.done)
        start = {
            leaf.full_name: np.asarray(array, lowered(leaf.dtype, self._precision)) for leaf, array in values.items()
        }
        known = {name: array for form in forms for name, array in form.constants.items()}
        given = {
            leaf.full_name: np.asarray(array, lowered(leaf.dtype, self._precision)) for leaf, array in data.items()
        }
        saver = load_saver()
        made = saver.Repetition(tuple(forms), start | known, given, counts, order, loop.batches.steps_per_epoch)
        written: pathlib.Path = saver.save_repetition(path, made)
        return written

    @property
    def description(self) -> str:
        """What the latest run does to the loss, and its program where the backend has one; empty before the first."""
        if self._latest is None:
            return ""
        (plan, *_), _, run = self._latest
        told = tell(plan.rewrites, plan.given) if plan.rewrites else ("The loss is computed as it is written.",)
        return "\n".join(told if run.program is None else [*told, "", run.program.describe()])


class Borders:
    """What happens after stated epochs: validation, callbacks.

    Args:
        model: handed to the callbacks.
        validate: gives the loss on the validation data, or None.
        every: validate after every so many epochs.
        callbacks: called with (model, epoch from 1, logs) after each epoch; True stops the training.

    Raises:
        OptionError: something else than functions.
    """

    def __init__(
        self, model: object, validate: Callable[[], float] | None, every: int, callbacks: Sequence[Callable[..., Any]]
    ) -> None:
        if not isinstance(callbacks, (list, tuple)) or not all(callable(c) for c in callbacks):
            raise OptionError(
                f"callbacks needs functions of (model, epoch, logs) in a list or tuple; got {callbacks!r}. Write "
                "[function]."
            )
        self._model = model
        self._validate = validate
        self._every = every
        self._callbacks = tuple(callbacks)
        self.period = 1 if callbacks else every if validate else 0
        self.validation: list[tuple[int, float]] = []

    def visit(self, epoch: int, logs: dict[str, float]) -> bool:
        """Do what is due after an epoch; True when a callback wants to stop."""
        if self._validate is not None and epoch % self._every == 0:
            logs["validation"] = self._validate()
            self.validation.append((epoch, logs["validation"]))
        answers = [callback(self._model, epoch, logs) for callback in self._callbacks]
        return any(answer is True for answer in answers)


class Fit:
    """One training.

    Args:
        plan: the training step.
        loop: its steps.
        arrays: the data, input -> array.
        values: of the model; brought up to date whenever somebody may look.
        optimizer: its state and counters likewise.
        borders: what happens after stated epochs.
        precision: of the computation.
        pace: of the chunks.
    """

    def __init__(
        self,
        plan: Plan,
        loop: Loop,
        arrays: Arrays,
        values: Values,
        optimizer: Optimizer,
        borders: Borders,
        precision: str,
        pace: Pace,
    ) -> None:
        self._plan = plan
        self._loop = loop
        self._arrays = arrays
        self._values = values
        self._optimizer = optimizer
        self._borders = borders
        self._precision = precision
        self._pace = pace
        self._steps_before = optimizer.steps
        self._started = time.perf_counter()

    def run(self, progress: Progress, interrupt: Interrupt) -> None:
        """Make all steps; whatever happens, model and optimizer hold the values of the last finished chunk.

        Args:
            progress: where it is shown.
            interrupt: holds Ctrl-C back, until after this function.

        Raises:
            NonFiniteError: a loss, or at the end a parameter, is not finite.
        """
        try:
            with progress:
                self._run(progress, interrupt)
            if not all(is_finite(a) for a in self._loop.values().values() if a.dtype.kind == "f"):
                raise self._failure()
        finally:
            self._store()

    def _run(self, progress: Progress, interrupt: Interrupt) -> None:
        loop = self._loop
        per_epoch = loop.batches.steps_per_epoch
        stride = self._borders.period * per_epoch
        while loop.done < loop.total:
            limit = min(loop.total - loop.done, stride - loop.place % stride if stride else loop.total)
            steps = self._pace.next(loop.place, limit, per_epoch)
            started = time.perf_counter()
            if not loop.advance(steps):
                raise self._failure()
            self._pace.note(steps, time.perf_counter() - started)
            with interrupt.guests():
                progress.show(loop.done, -(-loop.place // per_epoch), float(loop.losses[-1]))
            if stride and loop.place % stride == 0 and self._visit(interrupt):
                return
            interrupt.check()

    def _visit(self, interrupt: Interrupt) -> bool:
        self._store()
        loop, values = self._loop, self._values.arrays()
        logs = {"loss": loop.latest_mean, "step": loop.done}
        with interrupt.guests():
            stop = self._borders.visit(loop.epochs_done, logs)
        self._take_over(values)
        return stop

    def _take_over(self, before: Arrays) -> None:
        """Go on with what callbacks have changed: values of the model, hyperparameters of the optimizer.

        Raises:
            OptionError: a hyperparameter without which, or only with which, the optimizer is another rule.
        """
        if self._optimizer.structure != self._plan.structure:
            raise OptionError(
                f"a callback may change the numbers of an optimizer, not its rule; it is {self._optimizer!r} now. A "
                "momentum or beta of 0 is a rule of its own: call fit again for it."
            )
        changed = {leaf: array for leaf, array in self._values.arrays().items() if array is not before[leaf]}
        numbers = hyperparameters(self._plan, self._optimizer)
        changed |= {leaf: array for leaf, array in numbers.items() if array != self._loop.scalars[leaf]}
        if changed:
            self._loop.change(changed)

    def _store(self) -> None:
        values = self._loop.values()
        self._values.store(values)
        self._optimizer.state = {leaf.full_name: values[leaf] for leaf in self._plan.updates.states}
        batches = self._loop.batches
        begun = self._loop.place % batches.steps_per_epoch
        self._optimizer.steps = self._steps_before + self._loop.done
        self._optimizer.epochs = batches.first_epoch + self._loop.epochs_done
        self._optimizer.begun = (batches.kind, begun) if begun else None

    @property
    def history(self) -> History:
        """The record so far."""
        epochs, losses = zip(*self._borders.validation, strict=True) if self._borders.validation else ((), ())
        loop = self._loop
        return History(
            loop.losses if loop.done == loop.total else loop.losses.copy(),  # nothing is written there any more
            loop.mean_losses(),
            np.array(losses, np.float64),
            np.array(epochs, np.int64),
            time.perf_counter() - self._started,
            loop.compute_seconds,
        )

    # --- when a value is not finite -----------------------------------------------------------------------------------

    def _failure(self) -> NonFiniteError:
        """Find the culprit, and leave the loop at the last step whose loss was finite."""
        loop, step = self._loop, self._plan.step
        failed, loss = loop.done, loop.failed_loss
        last = max(failed - 1, 0)
        last_loss = float(loop.losses[last]) if failed else None
        at = last
        found = self._search(step.roots, last, loop.rewind(last)) if failed else None
        if found is None:
            at = failed
            # After the last step there is no further loss: a parameter itself is the culprit.
            roots = (step.loss,) if failed < loop.total else tuple(step.updates)
            found = self._search(roots, failed, loop.rewind(failed))
        loop.rewind(last)
        node, name, value = found or (
            step.loss,
            Names(step.roots)[step.loss],
            "is finite by the reference interpreter, yet not as compiled",
        )
        failure = Failure(
            at, (loop.batches.begin + at) // loop.batches.steps_per_epoch + 1, node, name, value, loss, last_loss, last
        )
        return failure.error(advise(node, step.loss, self._optimizer.hyperparameters.get("learning_rate"), failed))

    def _search(self, roots: Sequence[Node], at: int, values: Arrays) -> tuple[Node, str, str] | None:
        counts, order = self._loop.take(at, at + 1)
        batch = {
            leaf: self._arrays[leaf] if order is None else self._arrays[leaf][order]
            for leaf in self._plan.layout.batched
        }
        arrays = {**self._loop.scalars, **values, **batch}
        return find_culprit(self._plan.step, roots, arrays, int(counts.sum()), self._precision)


def start_scalars(plan: Plan, arrays: Arrays, optimizer: Optimizer) -> dict[Node, np.ndarray]:
    """Scalars of a fit: numbers of the data, seed and first step of what is drawn, and hyperparameters."""
    given = {leaf: arrays[leaf] for leaf in (*plan.layout.scalars, *plan.drawn.values())}
    return {**given, **hyperparameters(plan, optimizer)}


def hyperparameters(plan: Plan, optimizer: Optimizer) -> dict[Node, np.ndarray]:
    """Scalar input -> the optimizer's number."""
    numbers = optimizer.hyperparameters
    return {leaf: np.asarray(numbers[name]) for name, leaf in plan.updates.hyperparameters.items()}


def start_values(
    plan: Plan, arrays: Arrays, values: Values, optimizer: Optimizer, precision: str
) -> dict[Node, np.ndarray]:
    """Everything that a run is loaded with: the model's values, the optimizer's state, fixed inputs and scalars."""
    states = {
        leaf: np.asarray(optimizer.state.get(leaf.full_name, leaf.attr("value").array), lowered(leaf.dtype, precision))
        for leaf in plan.updates.states
    }
    fixed = {state: arrays[leaf] for leaf, state in plan.carriers.items()}
    return {**values.arrays(), **states, **fixed, **start_scalars(plan, arrays, optimizer)}


def check_whole(name: str, value: object) -> int:
    """A whole number above 0.

    Raises:
        OptionError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f"fit needs a whole number above 0 as {name}; got {value!r}.")
    return int(value)


def check_optimizer(optimizer: object, model: object) -> Optimizer:
    """An optimizer that belongs to this model.

    Raises:
        OptionError: something else, or one that carries the state of another model.
    """
    if not isinstance(optimizer, Optimizer):
        raise OptionError(
            f"fit needs an optimizer object such as gl.optim.SGD(0.1) or gl.optim.Adam(); got {optimizer!r}."
        )
    optimizer.bind(model)
    return optimizer


def _own(array: np.ndarray, given: np.ndarray) -> np.ndarray:
    return array.copy() if np.may_share_memory(array, given) and not is_mapped(array) else array


def _equal(old: Arrays, new: Arrays) -> bool:
    return all(_same(array, new[leaf]) for leaf, array in old.items())


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    if is_mapped(one) or is_mapped(two):  # the same stretch of the same mapping, whatever is in it now
        return one.__array_interface__ == two.__array_interface__
    return one.shape == two.shape and np.array_equal(one, two)
