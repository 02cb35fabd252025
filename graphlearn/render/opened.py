"""The way through a loss whose inner function has a name: two derivatives, their product, and its textbook form."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.ops.algebra import GRAPH
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Inline, Math, Row, pieces
from graphlearn.render.notation import Writer, shape_math
from graphlearn.render.phrases import Phrases
from graphlearn.render.story import Share, Story

_TIMES = ("·", r"\cdot")


def opened_rows(share: Share, opening: Opening, left: Math, story: Story, words: Phrases) -> list[Row]:
    """The rows of a contribution that passes through an opened operation.

    Args:
        share: the contribution.
        opening: the textbook graph behind the operation.
        left: what the rows are about.
        story: what is told.
        words: of the language.
    """
    consumer = share.step.consumer
    if consumer is not None and opening.inner.op.name == "softmax":
        return _through_softmax(share, consumer, left, story, words)
    writer, node = story.writer, share.step.node
    inner, output = story.names[opening.inner], story.names[story.output]
    by_inner, inner_by = partial_symbol(output, inner), partial_symbol(inner, story.names[node])
    sign = ("⊙", r"\odot") if node.shape else _TIMES
    outer, local = outer_partial(share, opening, writer), _inner_derivative(opening, writer)
    return [
        Row(left=left, right=join(by_inner, sign, inner_by), shape=shape_math(node.shape)),
        Row(left=by_inner, right=outer, note=words.say("open.outer", loss=writer.write(opening.graph))),
        Row(left=inner_by, right=local, note=_definition(opening, story, words)),
        Row(left=left, right=join(outer, sign, bracketed(local))),
        Row(right=spelled_out(share.simplified, share, story), note=_textbook(share, words)),
    ]


def _textbook(share: Share, words: Phrases) -> Inline:
    """How the product became what it is, and what its textbook form says."""
    consumer = share.step.consumer
    if share.product is None or consumer is None:
        return words.word("product")
    simplified = say_simplified(share.product.rules, words)
    key = f"textbook.{consumer.op.name}"
    return (words.word(key), "; ", *pieces(simplified)) if key in words.sentences else simplified


def _through_softmax(share: Share, loss: Node, left: Math, story: Story, words: Phrases) -> list[Row]:
    """Each output of a softmax depends on every input of its row, so the chain rule sums over the row."""
    writer, node, opening = story.writer, share.step.node, story.openings[loss]
    inner, output = story.names[opening.inner], story.names[story.output]
    p_i, z = _indexed(inner, "ᵢ", "i"), story.names[node]
    p_j, z_j = _indexed(inner, "ⱼ", "j"), _indexed(z, "ⱼ", "j")
    chain = join(partial_symbol(output, p_i), _TIMES, partial_symbol(p_i, z))
    jacobian = Math(f"{p_i.text}·(δᵢⱼ − {p_j.text})", rf"{p_i.latex} \cdot \left(\delta_{{ij}} - {p_j.latex}\right)")
    target = bracketed(writer.write(loss.inputs[1]))
    t_i = _indexed(target, "ᵢ", "i")
    total = Math(
        f"({inner.text}·Σᵢ {t_i.text} − {target.text})", rf"({inner.latex} \sum_i {t_i.latex} - {target.latex})"
    )
    return [
        Row(left=left, right=Math(f"Σᵢ {chain.text}", rf"\sum_i {chain.latex}"), shape=shape_math(node.shape)),
        Row(
            left=partial_symbol(output, inner), right=outer_partial(share, opening, writer),
            note=words.say("open.outer", loss=writer.write(opening.graph)),
        ),
        Row(left=partial_symbol(p_i, z_j), right=jacobian, note=_definition(opening, story, words)),
        Row(left=left, right=_scaled(share, total, writer)),
        Row(
            right=spelled_out(share.simplified, share, story),
            note=words.word("textbook.cross_entropy" if loss.attr("normalized") else "product"),
        ),
    ]  # fmt: skip


def _definition(opening: Opening, story: Story, words: Phrases) -> Inline:
    name = story.names[opening.inner]
    return words.say("open.inner", name=name, definition=story.writer.definition(opening.inner))


def _indexed(math: Math, text: str, latex: str) -> Math:
    return Math(math.text + text, rf"{{{math.latex}}}_{{{latex}}}")


def outer_partial(share: Share, opening: Opening, writer: Writer) -> Math:
    """The derivative by the inner node of an opened operation, such as ``1/N · (p − t) / (p (1 − p))``.

    Args:
        share: the contribution that passes through the operation.
        opening: the textbook graph behind it.
        writer: writes the formulas.
    """
    return _scaled(share, writer.write(opening.partial), writer)


def _scaled(share: Share, formula: Math, writer: Writer) -> Math:
    """A formula times the adjoint of the loss's entries, such as 1/N."""
    upstream = writer.write(share.step.contributions[0])
    return formula if upstream.text == "1" else join(bracketed(upstream), _TIMES, formula)


def _inner_derivative(opening: Opening, writer: Writer) -> Math:
    """The textbook derivative of the inner function."""
    table = opening.inner.op.textbook or opening.inner.op.partials
    if not table or table[0] is None:
        raise TypeError(f"the inner function {opening.inner.op.name} of an opening needs a derivative")
    local: Node = table[0](GRAPH, *opening.inner.inputs, opening.inner)
    return writer.write(local)


def share_writer(share: Share, story: Story) -> Writer:
    """Calls the adjoint that the chain rule starts from by the node that it comes from.

    Two nodes may have one adjoint: after ``t = y − target`` the same array is ∂L/∂y and ∂L/∂t.
    """
    consumer, contributions = share.step.consumer, share.step.contributions
    if consumer is None or consumer not in story.names or not contributions:
        return story.writer
    upstream, name = contributions[0], partial_symbol(story.names[story.output], story.names[consumer])
    if story.adjoint_names.get(upstream, name) == name:
        return story.writer
    return story.writer.calling({upstream: name})


def spelled_out(node: Node, share: Share, story: Story) -> Math:
    """A formula by the names of the adjoints that it comes from; one that is equal by chance is spelled out.

    Args:
        node: what to write.
        share: the contribution that the row is about.
        story: what is told.
    """
    upstream = share.step.contributions[:1]
    return share_writer(share, story).write(node, spell=node in story.adjoint_names and node not in upstream)


def say_simplified(rules: Sequence[str], words: Phrases) -> Inline:
    """Which rules simplified a formula; a repetition that is left out is named only where nothing else was done.

    Args:
        rules: names of rules of simplification.
        words: of the language.
    """
    visible = [rule for rule in rules if rule != "implicit_broadcast"] or rules
    return words.say("simplified", rules=", ".join(dict.fromkeys(words.title(f"simplify.{rule}") for rule in visible)))


def join(a: Math, sign: tuple[str, str], b: Math) -> Math:
    """Two formulas with a sign between them, in text and in LaTeX."""
    return Math(f"{a.text} {sign[0]} {b.text}", f"{a.latex} {sign[1]} {b.latex}")


def bracketed(math: Math) -> Math:
    """A formula in brackets if it has more than one part."""
    return Math(f"({math.text})", rf"\left({math.latex}\right)") if " " in math.text else math
