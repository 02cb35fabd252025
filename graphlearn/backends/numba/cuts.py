"""Which matrix products are our own, and how they are cut into blocks, stripes of columns and panels of rows."""

from __future__ import annotations

from collections.abc import Mapping

from graphlearn.backends.native import lanes_for, vector_registers
from graphlearn.backends.numba.follow import can_follow
from graphlearn.backends.numba.operands import layout
from graphlearn.program.blocking import Blocking
from graphlearn.program.steps import ITEM_SIZE, FusedLoop, MatMul
from graphlearn.types import Dim, Shape

# Vectors of columns in a block -> its speed: with one, the machine waits for numbers of the other operand.
_SPEED = {1: 0.86, 2: 1.0, 3: 1.0}
_MOST = 16  # products of a program, so that compiling stays at about a second: each costs 20 to 50 ms
_INNER = 2048  # terms up to which a stripe of columns stays in the second cache
_GUESS = 32  # rows where their number is known only when it runs
_LEAST = 512  # multiplications from which a block beats plain loops
_TALL = 64  # rows from which copying a stripe of columns costs less than reading it in steps does
COPIED = 32  # the same where code for both is there
_STRIPE = 126, 128  # rows that are copied at a time, for blocks of 6 and of 8
_FAR = 4096  # bytes from one row to the next from which neighbours share no page
_PANEL = 1 << 20  # bytes of the left operand that stay in the second cache from stripe to stripe
_LONG = 512  # rows of it from which doing without panels costs less than a loop of its own for what follows
FEW = 3  # rows up to which more columns at a time are faster than more rows
_ACROSS = 8  # vectors of them


def blocking(precision: str, longest: int | None) -> Blocking:
    """What is computed block by block.

    Args:
        precision: the dtype of its products.
        longest: the largest length of a free axis; None: it is not known.
    """
    guess = _GUESS if longest is None else longest

    def objection(step: MatMul) -> str:
        height, width, inner = (guess if isinstance(d, str) else d for d in step.sizes)
        if step.node.dtype != precision:
            return f"{step.node.dtype}"
        free = [isinstance(d, str) for d in step.sizes]
        if free[1] or (free[2] and longest is None):
            return f"how many {'columns' if free[1] else 'terms'} there are is known only when it runs"
        if 1 in (height, width, inner):
            return "an operand is a vector"
        if width < lanes_for(precision):
            return f"fewer columns than the {lanes_for(precision)} of a vector"
        if inner > _INNER:
            return f"more than {_INNER:,} terms"
        if height * width * inner <= _LEAST:
            return f"at most {_LEAST} multiplications"
        return "both operands lie transposed" if all(_turned(step)) else ""

    def rooms(step: MatMul, then: FusedLoop | None) -> Mapping[str, Shape]:
        shape = Cut(step, precision, longest)
        found: dict[str, Shape] = {}
        if shape.copies_right:
            found["right"] = (step.sizes[2], shape.width)
        if shape.copies_left:
            found["left"] = (shape.stripe, step.sizes[2])
        if then is not None:
            found["block"] = (shape.height, shape.width)
        return found

    def joins(step: MatMul, then: FusedLoop) -> bool:
        if then.reductions and not Cut(step, precision, longest).sums_rows:
            return False
        return can_follow(step, then, precision)

    return Blocking(objection, joins, rooms, _MOST if longest is not None else _MOST // 2)


def _turned(step: MatMul) -> tuple[bool, bool]:
    """Whether each operand lies transposed."""
    height, width, inner = step.sizes
    return bool(layout(step.a, (height, inner))[0]), bool(layout(step.b, (inner, width))[0])


class Cut:
    """How a product is cut.

    Args:
        step: the product.
        dtype: of its entries.
        longest: the largest length of a free axis; None: it is not known.
    """

    def __init__(self, step: MatMul, dtype: str, longest: int | None) -> None:
        height, width, inner = step.sizes
        self.lanes = lanes_for(dtype)
        self.height = 8 if vector_registers() >= 32 else 6
        self.vectors = _vectors_for(width, self.lanes)
        self.width = self.vectors * self.lanes
        self.stripe = _STRIPE[self.height == 8]
        self.left_turned, self.left = layout(step.a, (height, inner))
        self.right_turned, self.right = layout(step.b, (inner, width))
        rows = longest if isinstance(height, str) else height
        tall = rows is None or rows >= _TALL
        beside = not self.right_turned and self.right.is_literal and self.right.factor == self.width
        self.copies_right = bool(self.right_turned) or (tall and not beside)
        self.asks = rows is None and self.copies_right and not self.right_turned  # at the call, whether copying pays
        far = self.left.is_literal and self.left.factor * ITEM_SIZE[dtype] >= _FAR
        self.copies_left = bool(self.left_turned) and far and tall
        self.panel = 0 if rows is not None and rows < _TALL else self._panel(inner, dtype)
        self.at_once = not self.copies_left and (not self.panel or (rows is not None and rows <= self.panel))
        # Sums over rows stay in registers from the first row to the last, so that there can be no panels.
        self.sums_rows = self.at_once or (not self.copies_left and self.panel >= _LONG)
        self.across = self._across(width) if rows is None and not self.right_turned and not self.left_turned else 0

    def _panel(self, inner: Dim, dtype: str) -> int:
        """Rows of the left operand that stay in the cache; 0 where it lies transposed or its rows have any length."""
        if self.left_turned or isinstance(inner, str):
            return 0
        return max(_PANEL // (inner * ITEM_SIZE[dtype]), _TALL) // self.height * self.height

    def _across(self, width: Dim) -> int:
        """Vectors of a single row that are computed at a time; 0 where a block has as many."""
        whole = int(width) // self.lanes
        fitting = [
            v
            for v in range(2 * self.vectors, min(_ACROSS, self.height * self.vectors // 2) + 1, self.vectors)
            if v <= whole
        ]
        return min(fitting, key=lambda v: (-(-whole // v) * v, -v), default=0)


def _vectors_for(width: Dim, lanes: int) -> int:
    """How many vectors a block has so that few columns are computed twice."""
    if not isinstance(width, int):
        raise TypeError("a product in blocks has a known number of columns")
    needed = -(-width // lanes)
    fitting = {v: speed for v, speed in _SPEED.items() if v <= needed and (v < 3 or vector_registers() >= 32)}

    def time(v: int) -> float:
        return needed // v * v / fitting[v] + (1 / _SPEED[1] if needed % v == 1 else v * (needed % v > 0))

    return min(fitting, key=lambda v: (time(v), -v))
