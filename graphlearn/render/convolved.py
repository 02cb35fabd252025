"""Where the adjoints of a convolution come from, in index notation."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.graph.node import Node
from graphlearn.render.document import Inline, Math
from graphlearn.render.notation import is_spread_number
from graphlearn.render.opened import bracketed, share_writer
from graphlearn.render.phrases import Phrases
from graphlearn.render.story import Share, Story

_PLACES, _INSIDE = "ijh", "abe"  # letters of places of the result, and of the kernel
_MOST = 3


def why_conv(share: Share, left: Math, story: Story, words: Phrases) -> list[Inline]:
    """Which entry meets which: the convolution as a sum, and what the derivative of that sum is.

    Args:
        share: a contribution by a convolution.
        left: the symbol of what is derived.
        story: the derivation.
        words: of the language.

    Returns:
        One sentence; none where the formula would need more letters or cases than it explains.
    """
    consumer = share.step.consumer
    if consumer is None or not 0 < len(consumer.attr("stride")) <= _MOST or consumer.ndim > _most_axes(consumer):
        return []
    by_image = share.step.argument == 0
    if by_image and set(consumer.attr("stride")) != {1}:
        return []  # only every second window, say, holds an entry: a case for each remainder
    writer = share_writer(share, story)
    image, kernel = (bracketed(writer.write(n)) for n in consumer.inputs)
    upstream = share.step.contributions[0]
    adjoint = bracketed(writer.write(upstream))
    number = is_spread_number(upstream) and upstream not in writer.names
    sample = ["n"] if consumer.ndim > len(consumer.attr("stride")) + 1 else []
    places, inside = _letters(consumer)
    met = _indexed(image, [*sample, *_met(consumer), "c"])
    weight = _indexed(kernel, [*inside, "c", "k"])
    product = _equation(
        _indexed(bracketed(writer.write(consumer)), [*sample, *places, "k"]), [*inside, "c"], [met, weight]
    )
    if by_image:
        came = adjoint if number else _indexed(adjoint, [*sample, *_came(consumer), "k"])
        result = _equation(_indexed(left, [*sample, *places, "c"]), [*inside, "k"], [came, weight])
    else:
        came = adjoint if number else _indexed(adjoint, [*sample, *places, "k"])
        result = _equation(_indexed(left, [*inside, "c", "k"]), [*sample, *places], [met, came])
    return [words.say("because.matmul", product=product, result=result)]


def _most_axes(consumer: Node) -> int:
    return len(consumer.attr("stride")) + 2


def _letters(consumer: Node) -> tuple[str, str]:
    many = len(consumer.attr("stride"))
    return _PLACES[:many], _INSIDE[:many]


def _met(consumer: Node) -> list[str]:
    """The places of the image that the kernel meets: ``2i+a−1``."""
    settings = zip(*_letters(consumer), *(consumer.attr(k) for k in ("stride", "dilation", "padding")), strict=True)
    return [_sum(_times(s, i), _times(d, a), -low) for i, a, s, d, (low, _) in settings]


def _came(consumer: Node) -> list[str]:
    """The places of the result to which a place of the image contributed: ``i−a+1``."""
    settings = zip(*_letters(consumer), consumer.attr("dilation"), consumer.attr("padding"), strict=True)
    return [_sum(i, f"−{_times(d, a)}", low) for i, a, d, (low, _) in settings]


def _times(factor: int, letter: str) -> str:
    return letter if factor == 1 else f"{factor}{letter}"


def _sum(first: str, second: str, number: int) -> str:
    text = first + (second if second.startswith("−") else f"+{second}")
    return text if not number else f"{text}−{-number}" if number < 0 else f"{text}+{number}"


def _indexed(array: Math, indices: Sequence[str]) -> Math:
    text = ",".join(indices)
    return Math(f"{array.text}[{text}]", f"{{{array.latex}}}_{{{text.replace('−', '-')}}}")


def _equation(left: Math, over: Sequence[str], factors: Sequence[Math]) -> Math:
    """``left = Σ(a,c) factor factor``."""
    text = f"{left.text} = Σ({','.join(over)}) {' '.join(f.text for f in factors)}"
    return Math(text, rf"{left.latex} = \sum_{{{','.join(over)}}} {' '.join(f.latex for f in factors)}")
