"""The colours and borders of diagrams, chosen once for paper, screen, dark rooms and all eyes.

Fills come from the hues that readers know (input blue, parameter amber, operation lilac, loss rose, state green).
Letters stand on every fill with a contrast of at least 4.5:1, and each kind has a border of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Border:
    """How a kind of node is bordered.

    Args:
        rounded: round corners instead of square ones.
        width: line width in points.
        line: ``""`` for a full line, ``"dashed"`` or ``"dotted"``.
        double: a second line around the first.
    """

    rounded: bool = True
    width: int = 1
    line: str = ""
    double: bool = False


BORDERS: Mapping[str, Border] = MappingProxyType(
    {
        "input": Border(rounded=False),
        "parameter": Border(rounded=False, width=2),
        "operation": Border(),
        "loss": Border(double=True),
        "state": Border(rounded=False, line="dashed"),
        "constant": Border(rounded=False, line="dotted"),
        "group": Border(width=2),
        "update": Border(width=2, line="dashed"),
        "fault": Border(rounded=False, width=3),
    }
)


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a diagram, each as ``#rrggbb``.

    Args:
        background: behind everything.
        text: names and values.
        muted: definitions, edge labels, the legend.
        gradient: the gradient lines of cards.
        forward: arrows along which values flow.
        backward: arrows along which adjoints flow.
        cluster_fill: behind the nodes of a scope.
        cluster_border: around them.
        kinds: fill and border of each kind of node.
    """

    background: str
    text: str
    muted: str
    gradient: str
    forward: str
    backward: str
    cluster_fill: str
    cluster_border: str
    kinds: Mapping[str, tuple[str, str]]


LIGHT = Palette(
    background="#ffffff",
    text="#1c2430",
    muted="#4f5b6b",
    gradient="#b3202a",
    forward="#66758a",
    backward="#cc2936",
    cluster_fill="#f7f8fa",
    cluster_border="#c3cad4",
    kinds=MappingProxyType(
        {
            "input": ("#dcecfb", "#2b6cb0"),
            "parameter": ("#ffefc7", "#b7791f"),
            "operation": ("#efe7fb", "#7c5cbf"),
            "loss": ("#fde3e7", "#c2304a"),
            "state": ("#def3e8", "#2f855a"),
            "constant": ("#f1f3f5", "#6b7686"),
            "group": ("#e9ecf2", "#4a5568"),
            "update": ("#d8f3f0", "#0d7a72"),
            "fault": ("#ffffff", "#cc2936"),
        }
    ),
)

DARK = Palette(
    background="#12161d",
    text="#eef1f6",
    muted="#b4bfce",
    gradient="#ff9a9f",
    forward="#8896aa",
    backward="#ff6b75",
    cluster_fill="#191f29",
    cluster_border="#3c4757",
    kinds=MappingProxyType(
        {
            "input": ("#16324d", "#63a4e0"),
            "parameter": ("#43340f", "#e0a83e"),
            "operation": ("#33264f", "#a98be8"),
            "loss": ("#4a1c27", "#f0738a"),
            "state": ("#143a2a", "#58bd8b"),
            "constant": ("#262c36", "#8b97a8"),
            "group": ("#2a3140", "#a3aec0"),
            "update": ("#103a38", "#4fc4b8"),
            "fault": ("#12161d", "#ff6b75"),
        }
    ),
)
