"""All functions on lanes that a source mentions, by name, for both front ends."""

from __future__ import annotations

from graphlearn.backends.native.kinds import Intrinsic
from graphlearn.backends.native.lanes import lane_intrinsics
from graphlearn.backends.native.near import near_intrinsics
from graphlearn.backends.native.squares import square_intrinsics
from graphlearn.backends.native.sums import sum_intrinsics


def laned_names(source: str) -> dict[str, Intrinsic]:
    """The functions on lanes that a source may call."""
    found = lane_intrinsics(source), near_intrinsics(source), square_intrinsics(source), sum_intrinsics(source)
    return {name: function for names in found for name, function in names.items()}
