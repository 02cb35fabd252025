"""From a `Story` to a `Document`: which sentence and which row stands where. The words come from `phrases`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from graphlearn.graph.node import Node
from graphlearn.render.adjoints import adjoint_name, bound_text
from graphlearn.render.backward import backward_steps, check_text
from graphlearn.render.document import (
    Block,
    Document,
    Formula,
    Heading,
    Inline,
    Math,
    Piece,
    Row,
    Sentence,
    Table,
    plain,
)
from graphlearn.render.notation import axis_letter, shape_math
from graphlearn.render.numbers import array_math
from graphlearn.render.phrases import Phrases, phrases
from graphlearn.render.signs import explain_signs
from graphlearn.render.story import NUMERIC_WIDTH, Story, UpdateRow

_ONE_LINE = 180  # display cells up to which a closed form is worth reading on one line
_VALUE_WIDTH = 130


def explain(story: Story, language: str = "en") -> Document:
    """Tell a derivation.

    Args:
        story: what to tell.
        language: ``"en"`` or ``"ko"``.

    Returns:
        A `Document` that any writer can turn into its format.
    """
    words = phrases(language)
    blocks: list[Block] = []
    if story.detail == "full":
        blocks += _forward(story, words)
        blocks += [Heading(words.word("backward")), _backward_sentence(story, words), *backward_steps(story, words)]
        blocks += _closed_forms(story, words)
    blocks += _summary(story, words)
    blocks += _updates(story, words)
    blocks += _checks(story, words)
    blocks += [*_footnotes(story, words), *explain_signs(blocks, words)]
    title = words.say("title", output=_output_formula(story))
    return Document(title, blocks, language, _aside(story, words))


def _output_formula(story: Story) -> Inline:
    writer = story.writer
    name = story.names[story.output]
    definition = writer.definition(story.output)
    return Math(f"{name.text} = {definition.text}", f"{name.latex} = {definition.latex}")


def _aside(story: Story, words: Phrases) -> Inline:
    parts = [f"{axis_letter(axis)} = {count}" for axis, count in story.sizes.items()]
    trained = [w for w in story.wrt if w.op.name == "parameter"]
    if trained:
        count = _entries(trained)
        total = _entries({*trained, *(node for node in story.shown if node.op.name == "parameter")})
        if count < total:  # the table below shows those that are held as well
            parts += [plain(words.say("parameters.some", count=str(count), total=str(total)))]
        else:
            parts += [plain(words.say("parameters" if count != 1 else "parameters.one", count=str(count)))]
    return ", ".join(parts)


def _entries(parameters: Iterable[Node]) -> int:
    return sum(math.prod(int(d) for d in w.shape) for w in parameters)


def _forward(story: Story, words: Phrases) -> list[Block]:
    writer = story.writer
    columns = [words.word(key) for key in ("name", "definition", "shape")]
    if story.values:
        columns.append(words.word("value"))
    rows: list[list[Inline]] = []
    for node in story.shown:
        definition: Inline = words.word(node.op.name) if node.is_leaf else writer.definition(node)
        row: list[Inline] = [story.names[node], definition, shape_math(node.shape)]
        if story.values:
            row.append(array_math(story.values[node], width=_VALUE_WIDTH))
        rows.append(row)
    return [Heading(words.word("forward")), Sentence(words.word("forward.explained")), Table(columns, rows)]


def _backward_sentence(story: Story, words: Phrases) -> Sentence:
    symbol = words.word("name")
    generic = Math(
        f"∂{story.names[story.output].text}/∂({symbol})", rf"\partial {story.names[story.output].latex}/\partial(\cdot)"
    )
    return Sentence(words.say("backward.explained", adjoint=generic))


def _closed_forms(story: Story, words: Phrases) -> list[Block]:
    writer = story.forward_writer
    rows = []
    for w, node in story.closed_forms.items():
        if writer.size(node) > _ONE_LINE:
            continue
        formula = writer.write(node)
        if len(formula.text) <= _ONE_LINE:
            rows.append(Row(left=adjoint_name(story, w), right=formula, shape=shape_math(w.shape)))
    return [Heading(words.word("one.line")), Formula(rows)] if rows else []


def _summary(story: Story, words: Phrases) -> list[Block]:
    columns: list[Inline] = [words.word("name"), words.word("shape")]
    if story.adjoints:
        columns += [words.word("gradient"), words.word("check")]
    rows: list[list[Inline]] = []
    for w in story.wrt:
        row: list[Inline] = [adjoint_name(story, w), shape_math(w.shape)]
        if story.adjoints:
            row += [array_math(story.adjoints[w], width=_VALUE_WIDTH), check_text(story, w, words)]
        rows.append(row)
    return [Heading(words.word("summary")), Table(columns, rows)]


def _updates(story: Story, words: Phrases) -> list[Block]:
    if not story.updates:
        return []
    writer = story.update_writer
    rows: list[Row] = []
    for update in story.updates:
        formula = writer.write(update.node, spell=_is_own(story, update))
        rows.append(Row(left=update.name, right=formula, shape=shape_math(update.node.shape)))
        if story.values:
            rows += _update_numbers(story, update, formula)
    return [Heading(words.word("updates")), Sentence(words.word("updates.explained")), Formula(rows)]


def _is_own(story: Story, update: UpdateRow) -> bool:
    """Whether the name of a row's node is the row's own, so that its formula is spelled out."""
    return story.update_names[update.node] == update.name


def _update_numbers(story: Story, update: UpdateRow, formula: Math) -> list[Row]:
    """The formula with numbers where that is short, and its value."""
    value = array_math(story.values[update.node], width=_VALUE_WIDTH)
    numbers = story.update_numeric_writer.write(update.node, spell=_is_own(story, update))
    short = cell_len(numbers.text) <= NUMERIC_WIDTH and "…" not in numbers.text
    return [Row(right=math) for math in ([numbers, value] if short else [value]) if math.text != formula.text]


def _checks(story: Story, words: Phrases) -> list[Block]:
    if not story.checks:
        return []
    sentences = [*_verdict(story, words), *_extent(story, words)]
    if story.random_values:
        sentences.append(words.word("checked.random"))
    if story.judged:
        sentences.append(words.say("checked.sympy", ops=", ".join(_rule_names(story, words))))
    if story.refuted:
        sentences.append(words.say("checked.refuted", ops=", ".join(story.refuted)))
    return [Heading(words.word("checked.heading")), *(Sentence(text) for text in sentences)]


def _rule_names(story: Story, words: Phrases) -> list[str]:
    """The judged operations by the names that the steps above have; a user's own by its name."""
    found: dict[str, list[str]] = {op: [] for op in story.judged}
    for share in (share for group in story.groups for share in group.shares):
        op = share.step.consumer.op.name if share.step.consumer is not None else ""
        if op in found:
            joined = words.titles.get(f"chain.{op}.unbroadcast") if share.summed is not None else None
            found[op].append(joined or words.titles.get(f"chain.{op}", op))
    return list(dict.fromkeys(name for names in found.values() for name in names))


def _verdict(story: Story, words: Phrases) -> list[Inline]:
    """How many adjoints agree, and which do not."""
    sentences: list[Inline] = []
    smooth = [check for check in story.checks.values() if not check.kink]
    for key, alone in (("checked.all", False), ("checked.steps", True)):
        made = [check for check in smooth if check.alone is alone]
        good = [check for check in made if check.ok]
        bound = bound_text(max((check.error for check in good), default=0.0))
        if made and all(math.isnan(check.error) for check in made):
            sentences.append(words.word("checked.nothing"))
        elif made and not good:
            sentences.append(words.say("checked.none", total=str(len(made))))
        elif made:
            sentences.append(words.say(key, good=str(len(good)), total=str(len(made)), bound=bound))
    lost = {node: check for node, check in story.checks.items() if math.isnan(check.error)}
    for key, edge in (("checked.not.finite", False), ("checked.edges", True)):
        names = [adjoint_name(story, node) for node, check in lost.items() if check.edge is edge]
        if names:
            sentences.append(words.say(key, adjoints=_listed(names)))
    failed = {node: check for node, check in story.checks.items() if not check.ok and not math.isnan(check.error)}
    origins = {node: check for node, check in failed.items() if not check.step}
    key = "checked.wrong.step" if origins else "checked.differs"
    for node, check in (origins or failed).items():
        sentences.append(words.say(key, adjoint=adjoint_name(story, node), error=f"{check.error:.1e}"))
    inherited = [adjoint_name(story, node) for node in failed if node not in origins] if origins else []
    if inherited:
        sentences.append(words.say("checked.because", adjoints=_listed(inherited)))
    return sentences


def _listed(names: Sequence[Math]) -> list[Piece]:
    return [part for name in names for part in (", ", name)][1:]


def _extent(story: Story, words: Phrases) -> list[Inline]:
    """How much was compared, and how."""
    checks = story.checks.values()
    entries = sum(check.entries for check in checks if not check.projected)
    sentences: list[Inline] = [words.say("checked.entries", entries=str(entries))]
    projected = sum(check.projected for check in checks)
    kinks = sum(check.kink for check in checks)
    if projected:
        sentences.append(words.say("checked.projected", count=str(projected)))
    if kinks:
        sentences.append(words.say("checked.kinks", count=str(kinks)))
    return sentences


def _footnotes(story: Story, words: Phrases) -> list[Block]:
    """The conventions at kinks; that of a user's own operation in the user's words."""
    notes = [words.sentences.get(f"kink.{op}", f"{op}: {convention}") for op, convention in story.kinks.items()]
    return [Heading(words.word("footnotes"), 2), *(Sentence(note) for note in notes)] if notes else []
