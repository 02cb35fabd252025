"""What generated code says of itself: for each node its formula, or the derivation's step and row.

The numbers are those of `derive`. A training may compute a loss in another form than the one that was written, so its
own derivation is made beside: an equation that stands in both has its number, one that does not is called stabilised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphlearn.graph.names import names_of_function
from graphlearn.graph.node import Node
from graphlearn.graph.origin import derivatives_among
from graphlearn.graph.traverse import topological
from graphlearn.program.narration import Note, Notes
from graphlearn.program.training import TrainingStep
from graphlearn.render.backward import backward_steps
from graphlearn.render.document import Formula, Math, Step
from graphlearn.render.notation import Writer
from graphlearn.render.phrases import phrases
from graphlearn.render.story import Story
from graphlearn.teach.narrate import Outline, outline
from graphlearn.teach.update import tell_update

_LONGEST = 60  # names, numbers and operations of a formula that is written out; a longer one is left to the code


def note_training(loss: Node, parameters: tuple[Node, ...], step: TrainingStep) -> Notes:
    """What is said of the nodes of a training step.

    Args:
        loss: as it was given, and as `derive` is asked about it.
        parameters: what is trained.
        step: what is run.

    Returns:
        node of the step's graph -> notes.
    """
    told = outline(loss, parameters, True)
    run = told if step.loss is loss else outline(step.loss, parameters, True, known=step.names)
    return _collected([*_forward(run, told), *_backward(run, told), *_update(run, step.updates)])


def note_function(outputs: tuple[Node, ...], updates: Mapping[Node, Node]) -> Notes:
    """What is said of the nodes of a function that computes derivatives.

    Args:
        outputs: all that it computes.
        updates: leaf -> its next value, one of them.

    Returns:
        node -> notes; nothing where there is no derivative, or where Python has freed what was differentiated.
    """
    derived = derivatives_among(topological(outputs))
    names = names_of_function(outputs)
    known = {node: names[node] for node in names if not node.full_name}
    notes: list[tuple[Node, Note]] = []
    for output, wrt in derived.items():
        told = outline(output, wrt, True, known=known)
        of = f" of the derivative of {told.names[output].text}" if len(derived) > 1 else ""
        notes += [*_forward(told, told), *_backward(told, told, of)]
        if updates and len(derived) == 1:
            notes += _update(told, updates)
    return _collected(notes)


def _collected(notes: Iterable[tuple[Node, Note]]) -> Notes:
    found: dict[Node, dict[Note, None]] = {}
    for node, note in notes:
        found.setdefault(node, {})[note] = None
    return {node: tuple(said) for node, said in found.items()}


def _writer(lines: Outline) -> Writer:
    spelled = {node: opening.graph for node, opening in lines.openings.items()}
    return Writer({**lines.adjoint_names, **lines.names}, spelled)


def _definitions(lines: Outline) -> dict[Node, tuple[Math, str]]:
    """Shown node that is computed -> its name and its formula."""
    writer = _writer(lines)
    return {
        node: (lines.names[node], writer.definition(node).text if _is_short(writer, node) else "…")
        for node in lines.shown.nodes
        if not node.is_leaf
    }


def _is_short(writer: Writer, node: Node) -> bool:
    return writer.size(node, spell=True) <= _LONGEST


def _forward(run: Outline, told: Outline) -> Iterator[tuple[Node, Note]]:
    known = {name.text: formula for name, formula in _definitions(told).values()}
    made = _definitions(run)
    for node, (name, formula) in made.items():
        changed = "" if known.get(name.text) == formula else "stabilised: "
        yield node, Note("forward", name.text, f"{changed}{name.text} = {formula}")
    # The inner function of an operation that is opened is no node of the graph: it is computed inside.
    writer = _writer(run)
    for node, opening in run.openings.items():
        if node not in made and opening.inner in made:
            name, formula = made[opening.inner]
            label = node.op.name.replace("_", " ")
            yield node, Note("forward", label, f"{writer.write(node).text}, with {name.text} = {formula}")


def _equations(lines: Outline) -> Iterator[tuple[Node, int, str]]:
    """Node, number of the step that gives its adjoint, and the equation in the form to which that step leads."""
    groups = {group.node: len(group.shares) for group in lines.groups}
    by_name = {lines.shown.names[node]: node for node in groups}
    for step in backward_steps(_story(lines), phrases("en")):
        node = by_name.get(step.anchor)
        if node is not None:
            yield node, step.number, _equation(step, several=groups[node] > 1)


def _equation(step: Step, *, several: bool) -> str:
    """The last form of what a step computes; after it the shares of a sum."""
    forms: dict[str, str] = {}
    left = main = ""
    for row in (row for block in step.blocks if isinstance(block, Formula) for row in block.rows):
        left = left if row.left is None else row.left.text
        forms[left] = row.right.text
        main = left if several else main or left
    shares = [f"{name} = {form}" for name, form in forms.items() if several and name != main]
    return ", with ".join([f"{main} = {forms[main]}", *filter(None, [", ".join(shares)])])


def _story(lines: Outline) -> Story:
    """What the outline tells without any value."""
    return Story(
        output=lines.computed.output, wrt=lines.computed.wrt, full_names=lines.shown.names, names=lines.names,
        adjoint_names=lines.adjoint_names, shown=lines.shown.nodes, groups=lines.groups,
        closed_forms=lines.closed_forms, openings=lines.openings, values={}, adjoints={}, checks={},
        random_values=False, judged=(), refuted=(), kinks={},
    )  # fmt: skip


def _backward(run: Outline, told: Outline, of: str = "") -> Iterator[tuple[Node, Note]]:
    numbers = {equation: number for _, number, equation in _equations(told)}
    for node, _, equation in _equations(run):
        label = f"step {numbers[equation]}{of}" if equation in numbers else "stabilised"
        note = Note("backward", label, f"{label}: {equation}")
        own = run.computed.adjoints[node]
        for adjoint in dict.fromkeys([own, run.computed.gradients.get(node, own)]):
            if not adjoint.is_leaf and adjoint.op.name != "constant":
                yield adjoint, note


def _update(run: Outline, updates: Mapping[Node, Node]) -> Iterator[tuple[Node, Note]]:
    rows, names = tell_update(run, updates)
    writer = Writer(names)
    for row in rows:
        own = names[row.node] == row.name
        formula = writer.write(row.node, spell=own).text if writer.size(row.node, spell=own) <= _LONGEST else "…"
        yield row.node, Note("update", row.name.text, f"{row.name.text} = {formula}")
