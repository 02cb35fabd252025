"""From a `Story` to a `Document`: which sentence and which row stands where. The words come from `phrases`."""

from __future__ import annotations

import math

from graphlearn.render.adjoints import adjoint_name, bound_text
from graphlearn.render.backward import backward_steps, check_text
from graphlearn.render.document import Block, Document, Formula, Heading, Inline, Math, Row, Sentence, Table
from graphlearn.render.notation import axis_letter, shape_math
from graphlearn.render.numbers import array_math
from graphlearn.render.phrases import Phrases, phrases
from graphlearn.render.story import Story

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
    blocks += _footnotes(story, words)
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
        count = sum(math.prod(int(d) for d in w.shape) for w in trained)
        parts += ["".join(str(p) for p in words.say("parameters", count=str(count)))]
    return ", ".join(parts)


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
    writer = story.writer
    rows: list[Row] = []
    for leaf, node in story.updates.items():
        arrow = Math("←", r"\leftarrow")
        rows.append(Row(left=story.names[leaf], relation=arrow, right=writer.write(node), shape=shape_math(leaf.shape)))
        if leaf in story.update_values:
            rows.append(Row(right=array_math(story.update_values[leaf], width=_VALUE_WIDTH)))
    return [Heading(words.word("updates")), Sentence(words.word("updates.explained")), Formula(rows)]


def _checks(story: Story, words: Phrases) -> list[Block]:
    if not story.checks:
        return []
    made = [c for c in story.checks.values() if not c.kink]
    good = sum(c.ok for c in made)
    worst = max((c.error for c in made), default=0.0)
    entries = sum(c.entries for c in made)
    sentences = [Sentence(words.say("checked.all", good=str(good), total=str(len(made)), bound=bound_text(worst)))]
    sentences.append(Sentence(words.say("checked.entries", entries=str(entries))))
    if story.random_values:
        sentences.append(Sentence(words.word("checked.random")))
    if story.judged:
        sentences.append(Sentence(words.say("checked.sympy", ops=", ".join(story.judged))))
    return [Heading(words.word("checked.heading")), *sentences]


def _footnotes(story: Story, words: Phrases) -> list[Block]:
    notes = [words.sentences[f"kink.{op}"] for op in story.kinks if f"kink.{op}" in words.sentences]
    return [Heading(words.word("footnotes"), 2), *(Sentence(note) for note in notes)] if notes else []
