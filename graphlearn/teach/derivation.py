"""`derive`: every chain-rule step of a gradient, with names, shapes, numbers and reasons, checked."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.calculus.blocked import ends_of_influence, warn_of_zeros
from graphlearn.calculus.trace import Step, Trace
from graphlearn.errors import DataError, OptionError
from graphlearn.graph.binding import At, Binding, bind, default_values
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_choice, check_flag
from graphlearn.graph.streams import bind_run
from graphlearn.graph.traverse import depends_on_axis, leaves, require_node, require_nodes, symbols, topological
from graphlearn.render.document import Document
from graphlearn.render.explain import explain
from graphlearn.render.story import Check, Story
from graphlearn.render.text import write_text
from graphlearn.teach.judge import judged_ops, refuted_ops
from graphlearn.teach.narrate import Outline, outline
from graphlearn.teach.reading import read_gradients
from graphlearn.teach.update import require_update, tell_update
from graphlearn.teach.verify import check_adjoints

_DETAILS = ("full", "summary")
_RANDOM_LENGTH = 3  # length of a free axis where no values are given


@dataclass(frozen=True)
class Figures:
    """The numbers behind a derivation, and where they come from.

    Args:
        values: node -> value.
        adjoints: forward node -> value of its adjoint.
        trace: the derivative as it was computed.
        binding: values of the leaves.
    """

    values: Mapping[Node, np.ndarray]
    adjoints: Mapping[Node, np.ndarray]
    trace: Trace
    binding: Binding


class Derivation:
    """A derivation that prints itself in several languages and can be checked again.

    Made by `derive`; ``print`` it, or save it.
    """

    def __init__(self, story: Story, steps: tuple[Step, ...], figures: Figures) -> None:
        self._story = story
        self._figures = figures
        self.steps = steps

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Name -> gradient as an array; empty when the derivation was made without values."""
        return {
            self._story.full_names[w]: a
            for w, a in ((w, self._story.adjoints.get(w)) for w in self._story.wrt)
            if a is not None
        }

    def document(self, language: str = "en") -> Document:
        """The derivation as blocks, which writers turn into formats."""
        return explain(self._story, language)

    def to_text(self, language: str = "en", *, width: int | None = None) -> str:
        """Unicode text.

        Args:
            language: ``"en"`` or ``"ko"``.
            width: columns to wrap at; default 120, or the terminal's where that is narrower.
        """
        return write_text(self.document(language), width)

    def check(self) -> CheckReport:
        """Compare every adjoint with finite differences once more, and every step by itself."""
        story, figures = self._story, self._figures
        checks = check_adjoints(figures.trace, story.checks, figures.binding)
        return CheckReport({story.names[node].text: check for node, check in checks.items()}, refuted_ops(self._used))

    @property
    def _used(self) -> list[Node]:
        """The operations through which the chain rule went."""
        return [step.consumer for step in self.steps if step.consumer is not None]

    def save(self, path: str | pathlib.Path, *, language: str = "en") -> pathlib.Path:
        """Write the derivation to a file, in the format of its suffix.

        Args:
            path: a name that ends with ``.txt``.
            language: ``"en"`` or ``"ko"``.

        Raises:
            OptionError: a suffix that no writer has.
        """
        target = pathlib.Path(path)
        if target.suffix not in _WRITERS:
            raise OptionError(
                f"save needs a name that ends with {', '.join(_WRITERS)}; got {target.name!r}. Rename it."
            )
        target.write_text(_WRITERS[target.suffix](self, language) + "\n", encoding="utf-8")
        return target

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<Derivation of {self._story.names[self._story.output].text}: {len(self.steps)} steps>"


class CheckReport:
    """What checking a derivation found; true when every adjoint agrees.

    Args:
        checks: name of a node -> what was found about its adjoint.
        refuted: operations whose local derivative SymPy contradicts.
    """

    def __init__(self, checks: Mapping[str, Check], refuted: Sequence[str] = ()) -> None:
        self.checks = dict(checks)
        self.refuted = tuple(refuted)

    @property
    def failed(self) -> dict[str, float]:
        """Name of each node whose adjoint is wrong -> its error."""
        return {name: check.error for name, check in self.checks.items() if not check.ok}

    @property
    def wrong_steps(self) -> tuple[str, ...]:
        """Names of the nodes at which an error enters; the other failed ones only hand it on."""
        return tuple(name for name, check in self.checks.items() if not check.step)

    @property
    def ok(self) -> bool:
        """Whether every adjoint agrees with finite differences and every local derivative with SymPy."""
        return not self.failed and not self.refuted

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            return "every adjoint agrees with finite differences, every local derivative with SymPy"
        lines = [self._fault(name, check) for name, check in self.checks.items() if not check.ok]
        return "\n".join([*lines, *(f"the derivative of {name} differs from SymPy's" for name in self.refuted)])

    def _fault(self, name: str, check: Check) -> str:
        if np.isnan(check.error):
            return f"the adjoint of {name} cannot be compared: a number is not finite"
        if not check.step:
            cause = ": the step that gives it is wrong"
        else:
            cause = ": its own step is right, but not what enters it" if self.wrong_steps else ""
        return f"the adjoint of {name} differs from finite differences by {check.error:.1e}{cause}"


def _text(derivation: Derivation, language: str) -> str:
    return derivation.to_text(language, width=120)


_WRITERS = {".txt": _text}


def derive(
    output: Node,
    wrt: Node | Sequence[Node] | None = None,
    *,
    at: At | None = None,
    updates: Mapping[Node, Node] | None = None,
    detail: str = "full",
    simplify: bool = True,
    seed: int = 0,
    step: int = 0,
) -> Derivation:
    """Derive the gradient of a scalar, every step with its reason.

    Args:
        output: scalar node, such as a loss.
        wrt: node or nodes to differentiate by; default: every parameter that the output uses.
        at: leaf or name -> array-like, or a model; without it the derivation holds no numbers, and its checks run at
            seeded random values.
        updates: parameter or state -> next value, such as `optimizer.updates(...)`; adds the update with its numbers,
            those of the optimizer where ``at`` gives no others.
        detail: ``"full"``, or ``"summary"`` for the table of gradients alone.
        simplify: lead each row to its textbook form.
        seed: of the random numbers that the graph draws, as of `fit`.
        step: of the training whose random numbers are drawn, from 0 on.

    Returns:
        A `Derivation`. Its numbers come from the computed graph, not from the simplified one.

    Raises:
        ShapeError: the output is not a scalar, or a next value has not the shape of its leaf.
        DisconnectedError: some node does not influence the output.
        OptionError: an unknown detail, nothing to differentiate by, or an update of something else than a parameter
            or state.
        GraphUseError: something else than nodes.

    Example:
        >>> import graphlearn as gl
        >>> w, x = gl.parameter("w", ()), gl.input("x")
        >>> print(gl.derive(gl.square(w * x).named("L"), w, at={w: 2.0, x: 3.0}).gradients)
        {'w': array(36.)}
    """
    check_choice(detail, _DETAILS, "detail")
    check_flag(simplify, "derive with simplify")
    output = require_node(output, "derive")
    targets = _targets(output, wrt)
    changes = require_update(updates)
    lines = outline(output, targets, simplify)
    warn_of_zeros(output, lines.computed.gradients, cure="leave it out of wrt")
    roots = [output, *changes, *changes.values()]
    if at is None:
        binding = _random_binding(roots)
        bind_run(topological(roots), binding.arrays, seed, step)
    else:
        binding = bind(roots, at, defaults=default_values(updates), seed=seed, step=step)
    figures = _figures(output, lines, binding, changes)
    return Derivation(_story(lines, figures, at is None, changes, detail), lines.reading.steps, figures)


def _targets(output: Node, wrt: Node | Sequence[Node] | None) -> tuple[Node, ...]:
    if wrt is not None:
        targets = tuple(dict.fromkeys(require_nodes(wrt, "derive by wrt")))
        cure = "got an empty wrt. Name a node, or leave wrt out for every parameter"
    else:
        targets = leaves([output], "parameter")
        cure = "the output uses no parameter. Give wrt="
    if not targets:
        raise OptionError(f"derive needs a node to differentiate by; {cure}.")
    return targets


def _figures(output: Node, lines: Outline, binding: Binding, updates: Mapping[Node, Node]) -> Figures:
    shares = [share for group in lines.groups for share in group.shares]
    locals_ = [share.step.local for share in shares if share.step.local is not None]
    adjoints = lines.computed.adjoints
    zero = {w: gradient for w, gradient in lines.computed.gradients.items() if w not in adjoints}
    given = [*adjoints.values(), *zero.values()]
    roots = [output, *lines.shown.nodes, *given, *locals_, *(share.read for share in shares)]
    values = interpret([*roots, *updates, *updates.values()], binding, keep=True)
    found = {node: np.asarray(values[adjoint]) for node, adjoint in (*adjoints.items(), *zero.items())}
    return Figures(values, found, lines.computed, binding)


def _story(lines: Outline, figures: Figures, random: bool, updates: dict[Node, Node], detail: str) -> Story:
    values, adjoints, binding = figures.values, figures.adjoints, figures.binding
    active = [node for node in lines.shown.nodes if node in lines.computed.adjoints]
    used = [share.step.consumer for group in lines.groups for share in group.shares if share.step.consumer is not None]
    blocked = _blocked(lines.computed)
    reached = [w for w in lines.computed.wrt if w not in blocked]
    bent = [*used, *(node for ends in blocked.values() for node in ends)]
    update, update_names = tell_update(lines, updates)
    return Story(
        output=lines.computed.output, wrt=lines.computed.wrt, names=lines.names,
        full_names={w: w.full_name for w in blocked} | lines.shown.names, adjoint_names=lines.adjoint_names,
        shown=lines.shown.nodes, groups=lines.groups,
        closed_forms=lines.closed_forms, openings=lines.openings, values={} if random else values,
        adjoints={} if random else adjoints,
        checks=check_adjoints(lines.computed, active, binding), random_values=random, judged=judged_ops(used),
        refuted=refuted_ops(used), blocked=blocked,
        kinks={node.op.name: node.op.kink for node in bent if node.op.has_kink(node)},
        updates=update, update_names=update_names, sizes={} if random else binding.sizes, detail=detail,
        adjoint_values={lines.reading.adjoints[n]: adjoints[n] for n in reversed(active)},
        axis_lengths={n: a for n, a in values.items() if n.op.name == "axis_size"},
        readings={} if random else read_gradients(lines.computed.output, reached, adjoints, binding),
    )  # fmt: skip


def _blocked(trace: Trace) -> dict[Node, tuple[Node, ...]]:
    """What no derivative reaches -> the operations at which its influence ends; none where it has dropped out."""
    order = topological([trace.output])
    present = set(order)
    return {w: tuple(ends_of_influence(order, w)) if w in present else () for w in trace.wrt if w not in trace.adjoints}


def _random_binding(roots: Sequence[Node]) -> Binding:
    """Seeded values between 0.5 and 1.5 for every leaf that has none: inside the domain of logarithms and roots."""
    stream = np.random.Generator(np.random.Philox(0))
    sizes = dict.fromkeys(depends_on_axis(leaves(roots)), _RANDOM_LENGTH)
    arrays = {}
    for name, leaf in symbols(*roots).items():
        shape = tuple(sizes[d] if isinstance(d, str) else d for d in leaf.shape)
        if not leaf.type.is_float and leaf.dtype not in ("bool", "uint8", "int32", "int64"):
            raise DataError(f"no random value can be made for {name!r} of dtype {leaf.dtype}. Give at=.")
        draw = stream.uniform(0.5, 1.5, shape)
        arrays[leaf] = draw.astype(leaf.dtype) if leaf.type.is_float else np.zeros(shape, leaf.dtype)
    for node in topological(roots):
        if node.op.name == "cross_entropy" and node.attr("normalized") and node.inputs[1] in arrays:
            # The op was promised targets that sum to 1.
            arrays[node.inputs[1]] /= np.sum(arrays[node.inputs[1]], axis=node.attr("axis"), keepdims=True)
    return Binding(arrays, sizes)
