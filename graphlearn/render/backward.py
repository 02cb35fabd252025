"""The backward pass of a derivation: one numbered step per adjoint."""

from __future__ import annotations

import numpy as np

from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.ops.algebra import GRAPH
from graphlearn.render.adjoints import adjoint_name, bound_text, partial_symbol
from graphlearn.render.document import Formula, Inline, Math, Row, Sentence, Step
from graphlearn.render.names import subscript
from graphlearn.render.notation import Writer, axis_letter, shape_math
from graphlearn.render.numbers import array_math, format_number
from graphlearn.render.phrases import Phrases
from graphlearn.render.story import NUMERIC_WIDTH, Group, Share, Story

_RESULT_WIDTH = 130  # a longer array is shown by its corners; the text writer wraps at row borders


def backward_steps(story: Story, words: Phrases) -> list[Step]:
    """The numbered steps of the backward pass, the start first."""
    start = Row(
        left=adjoint_name(story, story.output), right=Math("1", "1"), shape=shape_math(()), note=words.word("seed")
    )
    steps = [Step(1, words.title("seed"), [Formula([start])], _anchor(story, story.output))]
    for group in story.groups:
        steps.append(_step(len(steps) + 1, group, story, words))
    return steps


def _anchor(story: Story, node: Node) -> str:
    return node.full_name or story.names[node].text


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
    return Step(number, title, blocks, _anchor(story, group.node))


def _title(share: Share, words: Phrases) -> str:
    step = share.step
    rule = step.rule
    if rule == "chain.matmul" and step.argument is not None:
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
        rows += part
        sentences += said
        symbols.append(symbol)
    total = Math(" + ".join(s.text for s in symbols), " + ".join(s.latex for s in symbols))
    rows.append(Row(left=left, right=total, shape=shape_math(group.node.shape)))
    return rows, sentences


def _share(share: Share, left: Math, story: Story, words: Phrases) -> tuple[list[Row], list[Inline]]:
    """The rows of one contribution: in names, with the local derivative, simplified, summed."""
    consumer = share.step.consumer
    if consumer is not None and consumer in story.openings:
        return _opened(share, story.openings[consumer], left, story, words), []
    rights = [] if consumer is story.output else _in_names(share, story)
    forms = (share.simplified,) if consumer is story.output else (share.expression, share.simplified)
    rights += [_spelled(node, share, story) for node in forms]
    sentences: list[Inline] = []
    if share.summed is not None:
        rights = [_summation(share, right) for right in rights]
        sentences.append(_why_summed(share, story, words))
    if share.step.rule == "chain.matmul":
        sentences += _why_matmul(share, story, words)
    unique = list(dict.fromkeys(rights))
    rows = [Row(left=left if k == 0 else None, right=right) for k, right in enumerate(unique)]
    rows[-1] = Row(left=rows[-1].left, right=rows[-1].right, shape=_shapes(share), note=_note(share, unique, words))
    return rows, sentences


def _spelled(node: Node, share: Share, story: Story) -> Math:
    """A formula by the names of other adjoints; the adjoint that the row is about is spelled out."""
    own = adjoint_name(story, share.step.node)
    return story.writer.write(node, spell=story.adjoint_names.get(node) == own)


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
    upstream = adjoint_name(story, consumer)
    inner = partial_symbol(story.names[consumer], story.writer.write(share.step.node))
    sign = ("⊙", r"\odot") if consumer.shape else ("·", r"\cdot")
    return [Math(f"{upstream.text} {sign[0]} {inner.text}", f"{upstream.latex} {sign[1]} {inner.latex}")]


def _note(share: Share, rights: list[Math], words: Phrases) -> Inline:
    if share.rules and len(rights) > 1:
        titles = dict.fromkeys(words.title(f"simplify.{rule}") for rule in share.rules)
        return words.say("simplified", rules=", ".join(titles))
    spread = share.expression.op.name == "broadcast_to" and constant_array(share.expression.inputs[0]) is not None
    return words.word("same.everywhere") if spread else ()


def _opened(share: Share, opening: Opening, left: Math, story: Story, words: Phrases) -> list[Row]:
    """Through a loss whose inner function has a name: the two derivatives, then their product in the textbook form."""
    writer = story.writer
    node = share.step.node
    inner, output = story.names[opening.inner], story.names[story.output]
    by_inner, inner_by = partial_symbol(output, inner), partial_symbol(inner, story.names[node])
    sign = ("⊙", r"\odot") if node.shape else ("·", r"\cdot")
    rows = [Row(left=left, right=_join(by_inner, sign, inner_by), shape=shape_math(node.shape))]
    scaled = outer_partial(share, opening, writer)
    definition = writer.definition(opening.inner)
    rows.append(Row(left=by_inner, right=scaled, note=words.say("open.outer", loss=writer.write(opening.graph))))
    local = _inner_derivative(opening, writer)
    rows.append(Row(left=inner_by, right=local, note=words.say("open.inner", name=inner, definition=definition)))
    product = _spelled(share.simplified, share, story)
    rows.append(Row(left=left, right=product, note=words.word("factor.cancels")))
    return rows


def outer_partial(share: Share, opening: Opening, writer: Writer) -> Math:
    """The derivative by the inner node of an opened operation, such as ``1/N · (p − t) / (p (1 − p))``.

    Args:
        share: the contribution that passes through the operation.
        opening: the textbook graph behind it.
        writer: writes the formulas.
    """
    upstream = writer.write(share.step.contributions[0])
    outer = writer.write(opening.partial)
    return outer if upstream.text == "1" else _join(_bracketed(upstream), ("·", r"\cdot"), outer)


def _inner_derivative(opening: Opening, writer: Writer) -> Math:
    """The derivative of the inner function; that of softmax is a matrix for each row."""
    if opening.inner.op.name == "softmax":
        p = writer.write(opening.inner)
        return Math(f"{p.text}ᵢ (δᵢⱼ − {p.text}ⱼ)", rf"{p.latex}_i \left(\delta_{{ij}} - {p.latex}_j\right)")
    rule = opening.inner.op.textbook[0] or opening.inner.op.partials[0]
    if rule is None:
        raise TypeError(f"the inner function {opening.inner.op.name} of an opening needs a derivative")
    from_formula: Node = rule(GRAPH, *opening.inner.inputs, opening.inner)
    return writer.write(from_formula)


def _join(a: Math, sign: tuple[str, str], b: Math) -> Math:
    return Math(f"{a.text} {sign[0]} {b.text}", f"{a.latex} {sign[1]} {b.latex}")


def _summation(share: Share, source: Math) -> Math:
    """The sum of un-broadcasting in index form: ``Σₙ (∂L/∂z)[n]``."""
    before, after = share.expression, share.summed
    lead = before.ndim - (after.ndim if after is not None else 0)
    if lead == 1 and after is not None and before.shape[1:] == after.shape:
        simple = " " not in source.text
        body = source.text if simple else f"({source.text})"
        return Math(f"Σₙ {body}[n]", rf"\sum_{{n}} \left({source.latex}\right)_{{n}}")
    return Math(
        f"Σ {source.text if ' ' not in source.text else f'({source.text})'}", rf"\sum \left({source.latex}\right)"
    )


def _why_summed(share: Share, story: Story, words: Phrases) -> Inline:
    name = story.names[share.step.node]
    shape = share.expression.shape
    lead = len(shape) - share.step.node.ndim
    if lead == 1 and shape[1:] == share.step.node.shape:
        return words.say("unbroadcast.rows", name=name, count=axis_letter(shape[0]))
    return words.say("unbroadcast.axes", name=name, shape=shape_math(shape))


def _why_matmul(share: Share, story: Story, words: Phrases) -> list[Inline]:
    """Where the transpose comes from, in index notation."""
    consumer, argument = share.step.consumer, share.step.argument
    if consumer is None or consumer.ndim != 2 or any(n.ndim != 2 for n in consumer.inputs):
        return []
    writer = story.writer
    a, b = (_bracketed(writer.write(n)) for n in consumer.inputs)
    c = _bracketed(writer.write(consumer))
    g = _bracketed(writer.write(share.step.contributions[0]))
    w = adjoint_name(story, share.step.node)
    product = _indexed("{0}[n,k] = Σⱼ {1}[n,j] {2}[j,k]", r"{0}_{{nk}} = \sum_j {1}_{{nj}} {2}_{{jk}}", c, a, b)
    if argument == 0:
        result = _indexed("{0}[n,j] = Σₖ {1}[n,k] {2}[j,k]", r"{0}_{{nj}} = \sum_k {1}_{{nk}} {2}_{{jk}}", w, g, b)
    else:
        result = _indexed("{0}[j,k] = Σₙ {1}[n,j] {2}[n,k]", r"{0}_{{jk}} = \sum_n {1}_{{nj}} {2}_{{nk}}", w, a, g)
    return [words.say("because.matmul", product=product, result=result)]


def _indexed(text: str, latex: str, *parts: Math) -> Math:
    return Math(text.format(*(p.text for p in parts)), latex.format(*(p.latex for p in parts)))


def _bracketed(math: Math) -> Math:
    return Math(f"({math.text})", rf"\left({math.latex}\right)") if " " in math.text else math


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
    rows = _with_numbers(group.shares[0], story) if len(group.shares) == 1 else []
    value = array_math(story.adjoints[group.node], width=_RESULT_WIDTH)
    left = adjoint_name(story, group.node) if rows and rows[-1].left is not None else None
    rows.append(Row(left=left, right=value, check=check_text(story, group.node, words)))
    return rows


def _with_numbers(share: Share, story: Story) -> list[Row]:
    """The formula with numbers in place of names; where that is too long, the local derivative by itself."""
    formula = story.numeric_writer.write(share.simplified, spell=share.simplified in story.numeric_writer.names)
    named = story.writer.write(share.simplified)
    if share.summed is None and "…" not in formula.text and len(formula.text) <= NUMERIC_WIDTH and formula != named:
        return [Row(right=formula)] if share.simplified.inputs and not share.simplified.is_leaf else []
    local = share.step.local
    if local is None or constant_array(local) is not None or local not in story.values or local in story.names:
        return []
    return [Row(left=story.writer.write(local), right=array_math(story.values[local], width=_RESULT_WIDTH))]


def check_text(story: Story, node: Node, words: Phrases) -> Inline:
    """What finite differences say about an adjoint."""
    check = story.checks.get(node)
    if check is None:
        return ()
    if check.kink:
        return words.word("checked.kink")
    if not check.ok:
        return words.say("checked.fail", error=f"{check.error:.1e}")
    return words.say("checked.projection" if check.projected else "checked.ok", bound=bound_text(check.error))


def _reading(node: Node, story: Story, words: Phrases) -> list[Inline]:
    """What the largest entry of a parameter's gradient means."""
    if node not in story.wrt or node not in story.adjoints or not np.size(story.adjoints[node]):
        return []
    gradient = np.asarray(story.adjoints[node])
    if not np.all(np.isfinite(gradient)):
        return []
    index = np.unravel_index(int(np.argmax(np.abs(gradient))), gradient.shape)
    value = float(gradient[index])
    place = f"[{','.join(str(int(k)) for k in index)}]" if index else ""
    entry = Math(story.names[node].text + place, story.names[node].latex + (rf"_{{{place}}}" if place else ""))
    output = story.names[story.output]
    if value == 0:
        return [words.say("reading.flat", entry=entry, output=output)]
    sign = "+" if value > 0 else ""
    change = Math(sign + format_number(0.01 * value, 6), sign + f"{0.01 * value:.6f}")
    direction = words.word("down" if value > 0 else "up")
    return [words.say("reading", entry=entry, output=output, change=change, direction=direction)]
