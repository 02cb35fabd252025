"""The backward pass of a derivation: one numbered step per adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.cells import cell_len

from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.render.adjoints import adjoint_name, bound_text, partial_symbol
from graphlearn.render.document import Formula, Inline, Math, Row, Sentence, Step, pieces
from graphlearn.render.names import subscript
from graphlearn.render.notation import Writer, axis_letter, is_spread_number, scalar_math, shape_math
from graphlearn.render.numbers import array_math
from graphlearn.render.opened import (
    join,
    opened_rows,
    outer_partial,
    say_simplified,
    spelled_out,
)
from graphlearn.render.phrases import Phrases
from graphlearn.render.reasons import reasons
from graphlearn.render.story import NUMERIC_WIDTH, Group, Share, Story

__all__ = ["backward_steps", "check_text", "group_formula", "outer_partial"]

_PATH_WIDTH = 40  # a longer operation is not written out to name a path
_EDGE_WIDTH = 40  # of the gradient in a remark beside its row
_RESULT_WIDTH = 130  # a longer array is shown by its corners; the text writer wraps at row borders


def backward_steps(story: Story, words: Phrases) -> list[Step]:
    """The numbered steps of the backward pass, the start first."""
    start = Row(
        left=adjoint_name(story, story.output), right=Math("1", "1"), shape=shape_math(()), note=words.word("seed")
    )
    steps = [Step(1, words.title("seed"), [Formula([start])], story.full_names[story.output])]
    for group in story.groups:
        steps.append(_step(len(steps) + 1, group, story, words))
    for node, ends in story.blocked.items():
        steps.append(_blocked_step(len(steps) + 1, node, ends, story, words))
    return steps


def _blocked_step(number: int, node: Node, ends: Sequence[Node], story: Story, words: Phrases) -> Step:
    """The row of a gradient that is zero since every way ends at an operation without derivative."""
    zero = Row(left=adjoint_name(story, node), right=Math("0", "0"), shape=shape_math(node.shape))
    names = ", ".join(dict.fromkeys(words.title(f"chain.{end.op.name}") for end in ends))
    key = "blocked" if ends else "blocked.gone"
    why = words.say(key, name=story.names[node], output=story.names[story.output], **({"ops": names} if ends else {}))
    return Step(number, words.title("blocked"), [Formula([zero]), Sentence(why)], story.full_names[node])


def _step(number: int, group: Group, story: Story, words: Phrases) -> Step:
    left = adjoint_name(story, group.node)
    if len(group.shares) == 1:
        share = group.shares[0]
        rows, sentences = _share(share, left, story, words)
        title = _title(share, words)
    else:
        title = words.title("accumulate")
        rows, sentences = _sum_of_shares(group, left, story, words)
    rows += _numbers(group, story, words)
    blocks: list[Formula | Sentence] = [
        Formula(rows),
        *(Sentence(s) for s in [*sentences, *_reading(group.node, story, words)]),
    ]
    return Step(number, title, blocks, story.full_names[group.node])


def _title(share: Share, words: Phrases) -> str:
    step = share.step
    rule = step.rule
    if f"{rule}.{step.argument}" in words.titles:
        return words.title(f"{rule}.{step.argument}")
    if share.summed is None:
        return words.title(rule)
    joined = f"{rule}.unbroadcast"
    return words.titles.get(joined) or f"{words.title(rule)}, {words.title('unbroadcast')}"


def _sum_of_shares(group: Group, left: Math, story: Story, words: Phrases) -> tuple[list[Row], list[Inline]]:
    rows: list[Row] = []
    sentences: list[Inline] = []
    symbols = []
    for k, share in enumerate(group.shares, 1):
        word = words.word("share")
        symbol = Math(word + subscript(str(k)), rf"\text{{{word}}}_{{{k}}}")
        part, said = _share(share, symbol, story, words)
        rows += [replace(part[0], note=_joined(_through(share, story, words), part[0].note)), *part[1:]]
        worked = [row for row in _with_numbers(share, story) if row.left is None] if story.adjoints else []
        rows += [*worked, *_value_of_share(share, (worked or part)[-1].right, story)]
        sentences += said
        symbols.append(symbol)
    total = Math(" + ".join(s.text for s in symbols), " + ".join(s.latex for s in symbols))
    rows.append(Row(left=left, right=total, shape=shape_math(group.node.shape)))
    return rows, list(dict.fromkeys(sentences))


def _through(share: Share, story: Story, words: Phrases) -> Inline:
    """The rule of one path, and which operation the path goes through."""
    rule = _title(share, words)
    consumer = share.step.consumer
    if consumer is None or consumer in story.openings:
        return rule
    formula = story.writer.write(consumer)
    if cell_len(formula.text) > _PATH_WIDTH:
        return rule
    if consumer.inputs.count(share.step.node) > 1 and share.step.argument is not None:
        return words.say("through.operand", rule=rule, consumer=formula, operand=str(share.step.argument + 1))
    return words.say("through", rule=rule, consumer=formula)


def _joined(one: Inline, other: Inline) -> Inline:
    return (*pieces(one), "; ", *pieces(other)) if pieces(other) else one


def _value_of_share(share: Share, last: Math, story: Story) -> list[Row]:
    if share.computed not in story.values:
        return []
    value = array_math(story.values[share.computed], width=_RESULT_WIDTH)
    return [Row(right=value)] if value.text != last.text else []


def _share(share: Share, left: Math, story: Story, words: Phrases) -> tuple[list[Row], list[Inline]]:
    """The rows of one contribution: in names, with the local derivative, simplified, summed."""
    consumer = share.step.consumer
    # Only the way through the inner function is opened: the derivative by the target is another one.
    if consumer is not None and consumer in story.openings and share.step.argument == 0 and share.summed is None:
        return opened_rows(share, story.openings[consumer], left, story, words), []
    rights = [] if consumer is story.output else _in_names(share, story)
    forms = (share.simplified,) if consumer is story.output else (share.expression, share.simplified)
    rights += [spelled_out(node, share, story) for node in forms]
    sentences: list[Inline] = []
    if share.summed is not None:
        rights = [_summation(share, right) for right in rights]
        sentences.append(_why_summed(share, story, words))
    sentences += _hidden_factor(share, story, words)
    sentences += reasons(share, left, story, words)
    if share.step.masked:
        sentences.append(words.say("because.masked"))
    unique = list(dict.fromkeys(rights))
    rows = [Row(left=left if k == 0 else None, right=right) for k, right in enumerate(unique)]
    rows[-1] = Row(left=rows[-1].left, right=rows[-1].right, shape=_shapes(share), note=_note(share, unique, words))
    return rows, sentences


def _hidden_factor(share: Share, story: Story, words: Phrases) -> list[Inline]:
    """Where a number such as 1/N comes from: it is the adjoint of an operation that has no row of its own."""
    consumer = share.step.consumer
    if consumer is None or consumer in story.names or consumer in story.openings:
        return []
    upstream = share.step.contributions[0]
    if not is_spread_number(upstream):
        return []
    factor, inner = story.writer.write(upstream), story.writer.write(consumer)
    if factor.text == "1" or cell_len(inner.text) > _PATH_WIDTH:
        return []
    return [words.say("hidden.factor", factor=factor, output=story.names[story.output], inner=inner)]


def group_formula(group: Group, writer: Writer, own: Math) -> Math:
    """How an adjoint comes about, on one line: the simplified contributions and their sum.

    Args:
        group: the adjoint.
        writer: writes the formulas, with the names of other adjoints.
        own: the name of this one, which is spelled out.
    """
    parts = []
    for share in group.shares:
        formula = writer.write(share.simplified, spell=writer.names.get(share.simplified) == own)
        parts.append(formula if share.summed is None else _summation(share, formula))
    text = " + ".join(part.text for part in parts).replace("+ −", "− ")
    return Math(text, " + ".join(part.latex for part in parts).replace("+ -", "- "))


def _in_names(share: Share, story: Story) -> list[Math]:
    """``∂L/∂h ⊙ ∂h/∂z``, unless the local derivative is a plain number, of which there is nothing to see."""
    local, consumer = share.step.local, share.step.consumer
    if local is None or consumer not in story.names or constant_array(local) is not None or consumer is None:
        return []
    if consumer.inputs.count(share.step.node) > 1:
        return []  # ∂(k·k)/∂k is 2k; what passes through one of the two operands has no such symbol
    upstream = adjoint_name(story, consumer)
    inner = partial_symbol(story.names[consumer], story.writer.write(share.step.node))
    sign = ("⊙", r"\odot") if consumer.shape else ("·", r"\cdot")
    return [join(upstream, sign, inner)]


def _note(share: Share, rights: list[Math], words: Phrases) -> Inline:
    if share.rules and len(rights) > 1:
        return say_simplified(share.rules, words)
    spread = share.expression.op.name == "broadcast_to" and constant_array(share.expression.inputs[0]) is not None
    return words.word("same.everywhere") if spread else ()


def _summation(share: Share, source: Math) -> Math:
    """The sum of un-broadcasting in index form, ``Σₙ (∂L/∂z)[n]``; over other axes than the first it names them."""
    before, after = share.expression.shape, share.step.node.shape
    lead = len(before) - len(after)
    kept = [k + lead for k, dim in enumerate(after) if dim != 1 or before[k + lead] == 1]
    summed = [k for k in range(len(before)) if k not in kept]
    one_array = source.text.startswith("[") and source.text.find("]") == len(source.text) - 1
    body = source.text if one_array or _is_one_piece(source.text) else f"({source.text})"
    if is_spread_number(share.expression) and len(summed) == lead:
        return Math(f"Σₙ {body}" if lead == 1 else f"Σ {body}", rf"\sum_{{n}} {source.latex}")
    if lead == 1 and summed == [0]:
        if one_array:
            return Math(f"Σₙ {body}", rf"\sum_{{n}} {source.latex}")
        return Math(f"Σₙ {body}[n]", rf"\sum_{{n}} \left({source.latex}\right)_{{n}}")
    if len(summed) == len(before):
        return Math(f"Σ {body}", rf"\sum \left({source.latex}\right)")
    axes = f"axis={summed[0] if len(summed) == 1 else tuple(summed)}"
    return Math(f"sum({source.text}, {axes})", rf"\sum_{{\text{{{axes}}}}} \left({source.latex}\right)")


def _is_one_piece(text: str) -> bool:
    """Whether no space stands outside of brackets, as in a name or in the call of a function."""
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == " " and not depth:
            return False
    return True


def _why_summed(share: Share, story: Story, words: Phrases) -> Inline:
    name = story.names[share.step.node]
    before, after = share.expression.shape, share.step.node.shape
    # The entries of a vector are rows only where they are samples.
    if before[1:] == after and (len(before) > 1 or isinstance(before[0], str)):
        return words.say("unbroadcast.rows", name=name, count=axis_letter(before[0]))
    return words.say("unbroadcast.axes", name=name, shape=shape_math(before))


def _shapes(share: Share) -> Math:
    """The shape of the result; for a matrix product how the shapes combine."""
    result = share.simplified if share.summed is None else share.summed
    if result.op.name == "matmul":
        parts = "".join(shape_math(n.shape).text for n in result.inputs)
        text = f"{parts} = {shape_math(result.shape).text}"
        return Math(text, text.replace("_", r"\_"))
    return shape_math(result.shape)


def _numbers(group: Group, story: Story, words: Phrases) -> list[Row]:
    """The same with numbers, and what finite differences say."""
    if group.node not in story.adjoints:
        return []
    rows = _with_numbers(group.shares[0], story) if len(group.shares) == 1 else _sum_with_numbers(group, story)
    value = array_math(story.adjoints[group.node], width=_RESULT_WIDTH)
    note = _why_otherwise(group, story, words)
    # Where the formula above does not give the value, no sign of equality joins them.
    left = adjoint_name(story, group.node) if note or (rows and rows[-1].left is not None) else None
    rows.append(Row(left=left, right=value, note=note, check=check_text(story, group.node, words)))
    return rows


def _with_numbers(share: Share, story: Story) -> list[Row]:
    """The formula with numbers in place of names; where that is too long, the local derivative by itself."""
    if not _is_computed_as_read(share, story):
        return []
    handed_on = share.simplified in share.step.contributions[:1]
    if handed_on and share.summed is None:
        return []  # its numbers stand in the row above
    numbers = story.numeric_writer
    formula = numbers.write(share.simplified, spell=share.simplified in numbers.names and not handed_on)
    named = story.writer.write(share.simplified)
    if share.summed is not None:
        formula, named = _summation(share, formula), _summation(share, named)
    if "…" not in formula.text and cell_len(formula.text) <= NUMERIC_WIDTH:
        shown = formula != named and share.simplified.inputs and not share.simplified.is_leaf
        return [Row(right=formula)] if shown else []
    local = share.step.local
    if local is None or constant_array(local) is not None or local not in story.values or local in story.names:
        return []
    return [Row(left=story.writer.write(local), right=array_math(story.values[local], width=_RESULT_WIDTH))]


def _sum_with_numbers(group: Group, story: Story) -> list[Row]:
    """The sum over paths with numbers, where it is short enough to be read."""
    parts = [array_math(story.values[share.computed], width=NUMERIC_WIDTH) for share in group.shares]
    total = Math(" + ".join(p.text for p in parts), " + ".join(p.latex for p in parts))
    text = total.text.replace("+ −", "− ")
    if "…" in text or cell_len(text) > NUMERIC_WIDTH:
        return []
    return [Row(right=Math(text, total.latex.replace("+ -", "- ")))]


def _is_computed_as_read(share: Share, story: Story) -> bool:
    """Whether the formula that is read gives these numbers: not at a kink, nor where it loses its digits."""
    computed, read = np.asarray(story.values[share.computed]), np.asarray(story.values[share.read])
    size = float(np.max(np.abs(computed[np.isfinite(computed)]), initial=0.0))
    return bool(np.allclose(read, computed, rtol=1e-6, atol=1e-9 * size, equal_nan=True))


def _why_otherwise(group: Group, story: Story, words: Phrases) -> Inline:
    other = [share.step.consumer for share in group.shares if not _is_computed_as_read(share, story)]
    if not other:
        return ()
    at_kink = any(consumer is not None and consumer.op.name in story.kinks for consumer in other)
    return words.word("kink.used" if at_kink else "computed.precise")


def check_text(story: Story, node: Node, words: Phrases) -> Inline:
    """What finite differences say about an adjoint."""
    check = story.checks.get(node)
    if check is None:
        return ()
    if np.isnan(check.error) and check.edge:
        graph = array_math(story.adjoints[node], width=_EDGE_WIDTH) if node in story.adjoints else ""
        return words.say("checked.edge", graph=graph)
    if np.isnan(check.error):
        return words.word("checked.infinite")
    if check.kink:
        return words.word("checked.kink")
    if not check.ok:
        inherited = check.step and any(not other.step for other in story.checks.values())
        key = "checked.inherited" if inherited else "checked.fail" if check.step else "checked.wrong"
        return words.say(key, error=f"{check.error:.1e}")
    key = "checked.step" if check.alone else "checked.projection" if check.projected else "checked.ok"
    return words.say(key, bound=bound_text(check.error))


def _reading(node: Node, story: Story, words: Phrases) -> list[Inline]:
    """What the largest entry of a gradient means, where a small step bears it out."""
    reading = story.readings.get(node)
    if reading is None:
        return []
    place = f"[{','.join(map(str, reading.index))}]" if reading.index else ""
    entry = Math(story.names[node].text + place, story.names[node].latex + (rf"_{{{place}}}" if place else ""))
    output = story.names[story.output]
    if reading.change == 0:
        return [words.say("reading.flat", entry=entry, output=output)]
    step, change = signed_math(reading.step), signed_math(reading.change)
    if node.op.name != "parameter":
        return [words.say("reading.plain", entry=entry, output=output, step=step, change=change)]
    key = "reading.down" if reading.change > 0 else "reading.up"
    return [words.say(key, entry=entry, output=output, step=step, change=change)]


def signed_math(value: float) -> Math:
    """A number with its sign and three significant digits: +0.00174."""
    math = scalar_math(float(f"{value:.3g}"))
    return math if value < 0 else Math(f"+{math.text}", f"+{math.latex}")
