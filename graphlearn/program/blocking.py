"""Products that are computed block by block, each with the loop over its entries that follows: bias and activation.

A backend that writes such products itself says which, and which loops it can join to them. A product moves down to its
loop, which alone reads it; so between the two nothing changes that either reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphlearn.graph.node import Node
from graphlearn.program.counts import count, row_major
from graphlearn.program.merge import as_matrix
from graphlearn.program.steps import Blocks, Buffer, FusedLoop, Load, MatMul, Step
from graphlearn.program.uses import reads_of, same_entries
from graphlearn.types import Shape


@dataclass(frozen=True)
class Blocking:
    """What a backend computes block by block.

    Args:
        objection: why it does not do so with a product; nothing where it does.
        joins: whether it can do a loop over the entries of a product, block by block, too.
        rooms: the shapes of the scratch that a product needs, with such a loop or without.
        most: so many products at most, the largest.
    """

    objection: Callable[[MatMul], str]
    joins: Callable[[MatMul, FusedLoop], bool]
    rooms: Callable[[MatMul, FusedLoop | None], Mapping[str, Shape]]
    most: int


def block_products(
    steps: Sequence[Step], first_update: int, how: Blocking, room_for: Callable[[Node, Shape], Buffer]
) -> tuple[list[Step], int, tuple[str, ...]]:
    """Let products be computed block by block.

    Args:
        steps: of a training program; each value is written once.
        first_update: where the updates begin; what they do is not joined to a product.
        how: what the backend does so.
        room_for: a scratch buffer of a shape for a node.

    Returns:
        The steps, where the updates begin, and a remark on the products that are left to the library or to loops.
    """
    result = list(steps)
    products = [step for step in steps if isinstance(step, MatMul)]
    reasons = {step: how.objection(step) for step in products}
    fitting = sorted(
        (step for step in products if not reasons[step]), key=lambda step: -count((*step.batch, *step.sizes)).factor
    )
    reasons |= dict.fromkeys(fitting[how.most :], f"{how.most} larger ones are")
    for product in fitting[: how.most]:
        at = result.index(product)
        loop = None if at >= first_update or product.into else _follower(product, result, first_update)
        then = None if loop is None else as_matrix(loop)
        if then is not None and not (_fits(then, product) and how.joins(product, then)):
            then = None
        rooms = {name: room_for(product.node, shape) for name, shape in how.rooms(product, then).items()}
        blocked = replace(product, blocks=Blocks(rooms, then))
        if loop is None or then is None:
            result[at] = blocked
        else:
            result[result.index(loop)] = blocked
            del result[at]
            first_update -= 1
    return result, first_update, _remark([(step, reason) for step, reason in reasons.items() if reason])


def _remark(left: Sequence[tuple[MatMul, str]]) -> tuple[str, ...]:
    """Which products are not computed block by block, and why."""
    forms = Counter((f"{'x'.join(map(str, (*step.batch, *step.sizes)))}", reason) for step, reason in left)
    told = [f"{f'{number} of ' if number > 1 else ''}{sizes} ({reason})" for (sizes, reason), number in forms.items()]
    return (f"products that are left to the library or to loops: {', '.join(told)}.",) if told else ()


def _follower(product: MatMul, steps: Sequence[Step], first_update: int) -> FusedLoop | None:
    """The loop before the updates that alone reads a product."""
    users = [(number, step) for number, step in enumerate(steps) if product.out.buffer in reads_of(step)]
    if len(users) != 1 or users[0][0] >= first_update:
        return None
    loop = users[0][1]
    return loop if isinstance(loop, FusedLoop) else None


def _fits(loop: FusedLoop, product: MatMul) -> bool:
    """Whether a loop reads a product entry by entry."""
    out, axes = product.out.buffer, product.sizes[:2]
    if product.batch or loop.axes != axes or (*product.out.strides,) != row_major(axes):
        return False
    reads = [v for v in loop.body if isinstance(v, Load) and v.buffer is out]
    return all(not v.offset and same_entries(v.strides, out, axes) for v in reads)
