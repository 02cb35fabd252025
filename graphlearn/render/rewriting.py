"""Says what simplification did: one line per rewrite, with the rule's name and both formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphlearn.calculus.simplify import Rewrite
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.render.notation import Writer
from graphlearn.render.phrases import phrases

_LONGEST = 24  # names, numbers and operations that a formula may write before its operands are called by name


def tell_rewrites(rewrites: Sequence[Rewrite], roots: Iterable[Node], *, language: str = "en") -> tuple[str, ...]:
    """One line per rewrite: ``log of softmax, at t₂: log(softmax(z)) becomes log softmax(z)``.

    Args:
        rewrites: as `graphlearn.calculus.simplify` records them.
        roots: outputs of the graph that was simplified, which gives the nodes their names.
        language: ``"en"`` or ``"ko"``.
    """
    words = phrases(language)
    outputs = tuple(roots)
    names = Names(outputs)
    called = {node: name_math(names[node]) for node in names}
    # Named nodes and leaves are called by name; what has only a number is spelled out, where that is short.
    everything = topological([*names, *(node for rewrite in rewrites for node in (rewrite.old, rewrite.new))])
    whole = {node.full_name for node in outputs}  # no part of a formula: mean(t) is not to be called loss
    known = {node: name_math(node.full_name) for node in everything if node.full_name and node.full_name not in whole}
    template = words.word("rewritten")
    lines = []
    for rewrite in rewrites:
        old, new = (_formula(node, known, called) for node in (rewrite.old, rewrite.new))
        place = called[rewrite.source].text if rewrite.source in called else old
        rule = words.title(f"simplify.{rewrite.rule}")
        lines.append(template.format(rule=rule, node=place, old=old, new=new))
    return tuple(lines)


def _formula(node: Node, known: Mapping[Node, Math], called: Mapping[Node, Math]) -> str:
    writer = Writer(known)
    if writer.size(node, spell=True) > _LONGEST:
        writer = Writer(_operands(node, called))
    return writer.write(node, spell=True).text


def _operands(node: Node, called: Mapping[Node, Math]) -> dict[Node, Math]:
    """Every node below by its name or number; what simplification has made anew, by dots."""
    found = dict(called)
    for operand in node.inputs:
        if operand not in found and operand.op.name != "constant":
            found[operand] = Math("…", r"\ldots")
    return found
