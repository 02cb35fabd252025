"""A derivative told as the sum over paths: each path with its product of local derivatives, in names and in numbers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len

from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological_above
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Block, Document, Formula, Math, Row, Sentence, Step
from graphlearn.render.names import subscript
from graphlearn.render.notation import Writer, scalar_math
from graphlearn.render.numbers import array_math
from graphlearn.render.phrases import Phrases, phrases
from graphlearn.render.story import NUMERIC_WIDTH, Numbers


@dataclass(frozen=True)
class Trail:
    """A path as it is told: along the nodes that have a name to be shown by.

    Args:
        nodes: from the node to the output.
        factors: the derivative of each by the one before, as it is read.
        value: their product as a number; None without values.
        single: whether each factor is the whole derivative of one node by the one before; not so where several ways
            lead from one to the other.
    """

    nodes: tuple[Node, ...]
    factors: tuple[Node, ...]
    value: float | None
    single: bool = True


@dataclass(frozen=True)
class Tale:
    """All that is told of the paths from a node to the output.

    Args:
        output: the number that is differentiated.
        wrt: by what.
        count: how many paths there are.
        trails: the paths; none where there are more than ``limit``, or none with a derivative.
        limit: how many paths are told at most.
        names: how shown nodes are written.
        values: node -> value; empty without values.
        total: the derivative as a number; None without values.
    """

    output: Node
    wrt: Node
    count: int
    trails: tuple[Trail, ...]
    limit: int
    names: Mapping[Node, Math]
    values: Mapping[Node, np.ndarray]
    total: float | None


def tell_paths(tales: Sequence[Tale], language: str = "en") -> Document:
    """Tell derivatives as sums over paths.

    Args:
        tales: one for each node by which the output is differentiated.
        language: ``"en"`` or ``"ko"``.
    """
    words = phrases(language)
    names, output = tales[0].names, tales[0].output
    blocks: list[Block] = [Sentence(words.say("paths.explained", output=names[output]))]
    for tale in tales:
        blocks += _tale(tale, words)
    return Document(words.say("paths.title", output=names[output]), blocks, language)


def _tale(tale: Tale, words: Phrases) -> list[Block]:
    symbol = partial_symbol(tale.names[tale.output], tale.names[tale.wrt])
    number = f"{tale.count:,}"
    if not tale.trails:
        rows = [Row(left=symbol, right=_number(tale.total))] if tale.total is not None else []
        many = words.say("paths.many", symbol=symbol, count=number, limit=f"{tale.limit:,}")
        said = many if tale.count else words.say("paths.none", symbol=symbol)
        return [Sentence(said), *([Formula(rows)] if rows else [])]
    key = "paths.one" if tale.count == 1 else "paths.sum"
    symbols = [_path_symbol(k, words) for k in range(1, len(tale.trails) + 1)]
    blocks: list[Block] = [Sentence(words.say(key, symbol=symbol, count=number))]
    defined = _definitions(tale)
    if defined:
        blocks += [Sentence(words.word("paths.forward")), Formula(defined)]
    steps = [_step(k, trail, symbols[k - 1], tale, words) for k, trail in enumerate(tale.trails, 1)]
    total = _joined(" + ", symbols)
    rows = [Row(left=symbol, right=total)]
    if tale.total is not None:
        if len(tale.trails) > 1:
            rows.append(Row(right=_joined(" + ", [_bracketed(_number(t.value)) for t in tale.trails])))
        rows.append(Row(right=_number(tale.total)))
    return [*blocks, *steps, Formula(rows)]


def _definitions(tale: Tale) -> list[Row]:
    """What the names in the paths stand for."""
    told = {node for trail in tale.trails for node in trail.nodes}
    told |= {n for trail in tale.trails for f in trail.factors for n in topological_above([f], tale.names)}
    writer, rows = Writer(tale.names), []
    for node in tale.names:
        if node in told and not node.is_leaf:
            rows.append(Row(left=tale.names[node], right=writer.definition(node)))
            if node in tale.values:
                rows.append(Row(right=_number(float(tale.values[node]))))
    return rows


def _path_symbol(number: int, words: Phrases) -> Math:
    word = words.word("path")
    return Math(word + subscript(str(number)), rf"\text{{{word}}}_{{{number}}}")


def _step(number: int, trail: Trail, symbol: Math, tale: Tale, words: Phrases) -> Step:
    names = [tale.names[node] for node in trail.nodes]
    way = Math(" → ".join(n.text for n in names), r" \to ".join(n.latex for n in names))
    pairs = list(zip(names[1:], names[:-1], strict=True))[::-1]
    if not pairs:
        return Step(number, words.word("path"), [Sentence([way]), Formula([Row(left=symbol, right=Math("1", "1"))])])
    symbols = [partial_symbol(top, bottom) for top, bottom in pairs]
    product = functools.reduce(operator.mul, trail.factors[::-1])
    partials = Math(" · ".join(s.text for s in symbols), r" \cdot ".join(s.latex for s in symbols))
    formula = Writer(tale.names).write(product)
    rows = [Row(left=symbol, right=partials), Row(right=formula)] if trail.single else [Row(left=symbol, right=formula)]
    if trail.value is not None:
        shown = {node: tale.values[node] for node in tale.names if node in tale.values}
        numbers = Writer(Numbers(shown)).write(product)
        value = _number(trail.value)
        if cell_len(numbers.text) <= NUMERIC_WIDTH and numbers.text not in (value.text, rows[-1].right.text):
            rows.append(Row(right=numbers))
        rows.append(Row(right=value))
    return Step(number, words.word("path"), [Sentence([way]), Formula(rows)])


def _number(value: float | None) -> Math:
    array = np.asarray(value, float)
    return scalar_math(float(array)) if float(array) in (0.0, 1.0, -1.0) else array_math(array)


def _bracketed(math: Math) -> Math:
    return Math(f"({math.text})", rf"\left({math.latex}\right)") if not math.text[0].isdigit() else math


def _joined(sign: str, parts: Sequence[Math]) -> Math:
    return Math(sign.join(p.text for p in parts), sign.join(p.latex for p in parts))
