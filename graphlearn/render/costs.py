"""What a graph costs, told: a table of its nodes and the totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphlearn.program.cost import NodeCost
from graphlearn.render.document import Block, Document, Heading, Inline, Sentence, Table
from graphlearn.render.names import name_math
from graphlearn.render.notation import axis_letter, shape_math
from graphlearn.render.phrases import Phrases, phrases

_MOST = 60  # rows; of a larger graph those that cost most


@dataclass(frozen=True)
class Bill:
    """All that is told of a graph's costs.

    Args:
        title: name of the output.
        rows: cost of each operation of the forward pass, and its name.
        parameters: trained numbers.
        parameter_bytes: bytes that they take.
        flops: of the forward pass.
        backward: of the gradients; None where they were not asked for.
        bytes: of all results.
        sizes: length of each free axis.
        precision: what float64 is computed in.
    """

    title: str
    rows: Sequence[tuple[str, NodeCost]]
    parameters: int
    parameter_bytes: int
    flops: int
    backward: int | None
    bytes: int
    sizes: Mapping[str, int]
    precision: str


def tell_costs(bill: Bill, language: str = "en") -> Document:
    """Tell what a graph costs.

    Args:
        bill: the figures.
        language: ``"en"`` or ``"ko"``.
    """
    words = phrases(language)
    shown = bill.rows
    if len(shown) > _MOST:
        least = sorted((cost.flops for _, cost in bill.rows), reverse=True)[_MOST - 1]
        shown = [row for row in bill.rows if row[1].flops >= least][:_MOST]
    blocks: list[Block] = []
    if shown:
        columns = [words.word(key) for key in ("name", "cost.operation", "shape", "cost.flops", "cost.bytes")]
        table = Table(columns, [_row(name, cost) for name, cost in shown], ["left", "left", "left", "right", "right"])
        blocks.append(table)
    if len(shown) < len(bill.rows):
        blocks.append(Sentence(words.say("cost.rest", shown=str(len(shown)), total=f"{len(bill.rows):,}")))
    blocks += [Heading(words.word("cost.totals"), 2), _totals(bill, words)]
    blocks.append(Sentence(words.word("cost.conventions")))
    aside = ", ".join([f"{axis_letter(a)} = {n:,}" for a, n in bill.sizes.items()] + [bill.precision])
    return Document(words.say("cost.title", output=name_math(bill.title)), blocks, language, aside)


def _row(name: str, cost: NodeCost) -> list[Inline]:
    return [name_math(name), cost.node.op.name, shape_math(cost.node.shape), f"{cost.flops:,}", f"{cost.bytes:,}"]


def _totals(bill: Bill, words: Phrases) -> Table:
    rows: list[list[Inline]] = [
        [words.word("cost.parameters"), f"{bill.parameters:,}", f"{bill.parameter_bytes:,}"],
        [words.word("cost.forward"), f"{bill.flops:,}", f"{bill.bytes:,}"],
    ]
    if bill.backward is not None:
        rows.append([words.word("cost.backward"), f"{bill.backward:,}", ""])
    return Table(["", words.word("cost.count"), words.word("cost.bytes")], rows, ["left", "right", "right"])
