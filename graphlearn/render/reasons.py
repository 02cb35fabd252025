"""Why the adjoint of an operation is what it is: in index notation, by one line of differentials, or in a sentence."""

from __future__ import annotations

from collections.abc import Callable

from graphlearn.render.convolved import why_conv
from graphlearn.render.document import Inline, Math
from graphlearn.render.notation import is_spread_number
from graphlearn.render.opened import bracketed, share_writer
from graphlearn.render.phrases import Phrases
from graphlearn.render.story import Share, Story

Reason = Callable[[Share, Math, Story, Phrases], list[Inline]]

# The equation that is differentiated on both sides, and what follows.
_DIFFERENTIALS = {
    "chain.inverse": (
        Math("A A⁻¹ = I", r"A \, A^{-1} = I"),
        Math("d(A⁻¹) = −A⁻¹ dA A⁻¹", r"d(A^{-1}) = -A^{-1} \, dA \, A^{-1}"),
    ),
    "chain.solve": (Math("A x = b", r"A \, x = b"), Math("dx = A⁻¹ (db − dA x)", r"dx = A^{-1} (db - dA \, x)")),
    "chain.cholesky": (
        Math("A = L Lᵀ", r"A = L \, L^T"),
        Math("dL = L Φ(L⁻¹ dA (L⁻¹)ᵀ)", r"dL = L \, \Phi\left(L^{-1} \, dA \, (L^{-1})^T\right)"),
    ),
    "chain.det": (
        Math("det(A) = Σⱼ A[i,j] cof(A)[i,j]", r"\det(A) = \sum_j A_{ij} \operatorname{cof}(A)_{ij}"),
        Math("∂det(A)/∂A[i,j] = cof(A)[i,j]", r"\frac{\partial \det(A)}{\partial A_{ij}} = \operatorname{cof}(A)_{ij}"),
    ),
    "chain.softmax": (
        Math("y[i] = exp(x[i]) / Σₖ exp(x[k])", r"y_i = e^{x_i} / \sum_k e^{x_k}"),
        Math("∂y[i]/∂x[j] = y[i]·(δᵢⱼ − y[j])", r"\frac{\partial y_i}{\partial x_j} = y_i \, (\delta_{ij} - y_j)"),
    ),
    "chain.norm": (
        Math("‖x‖² = Σᵢ x[i]²", r"\|x\|^2 = \sum_i x_i^2"),
        Math("‖x‖ d‖x‖ = Σᵢ x[i] dx[i]", r"\|x\| \, d\|x\| = \sum_i x_i \, dx_i"),
    ),
}  # fmt: skip


def reasons(share: Share, left: Math, story: Story, words: Phrases) -> list[Inline]:
    """Why a contribution is what it is; nothing where the local derivative says it all.

    Args:
        share: the contribution.
        left: the symbol of what is derived.
        story: the derivation.
        words: of the language.
    """
    rule = share.step.rule
    if rule in _REASONS:
        return _REASONS[rule](share, left, story, words)
    if rule in _DIFFERENTIALS:
        equation, result = _DIFFERENTIALS[rule]
        return [words.say("because.differential", equation=equation, result=result)]
    return [words.word(f"because.{rule}")] if f"because.{rule}" in words.sentences else []


def _why_matmul(share: Share, left: Math, story: Story, words: Phrases) -> list[Inline]:
    """Where the transpose comes from, in index notation."""
    consumer, argument = share.step.consumer, share.step.argument
    if consumer is None or consumer.ndim != 2 or any(n.ndim != 2 for n in consumer.inputs):
        return []
    writer = share_writer(share, story)
    a, b = (bracketed(writer.write(n)) for n in consumer.inputs)
    c = bracketed(writer.write(consumer))
    upstream = share.step.contributions[0]
    g = bracketed(writer.write(upstream))
    if not is_spread_number(upstream) or upstream in writer.names:
        g = Math(f"{g.text}[n,k]", f"{{{g.latex}}}_{{nk}}")
    product = _indexed("{0}[n,k] = Σⱼ {1}[n,j] {2}[j,k]", r"{0}_{{nk}} = \sum_j {1}_{{nj}} {2}_{{jk}}", c, a, b)
    if argument == 0:
        result = _indexed("{0}[n,j] = Σₖ {1} {2}[j,k]", r"{0}_{{nj}} = \sum_k {1} {2}_{{jk}}", left, g, b)
    else:
        result = _indexed("{0}[j,k] = Σₙ {1}[n,j] {2}", r"{0}_{{jk}} = \sum_n {1}_{{nj}} {2}", left, a, g)
    return [words.say("because.matmul", product=product, result=result)]


def _indexed(text: str, latex: str, *parts: Math) -> Math:
    return Math(text.format(*(p.text for p in parts)), latex.format(*(p.latex for p in parts)))


def _why_einsum(share: Share, left: Math, story: Story, words: Phrases) -> list[Inline]:
    """The summation with its letters, and what is left of it after one factor is taken away."""
    consumer, argument = share.step.consumer, share.step.argument
    if consumer is None or argument is None:
        return []
    writer = share_writer(share, story)
    operands, _, result = consumer.attr("subscripts").partition("->")
    letters = operands.split(",")
    factors = [_entry(bracketed(writer.write(n)), own) for n, own in zip(consumer.inputs, letters, strict=True)]
    upstream = share.step.contributions[0]
    spread = is_spread_number(upstream) and upstream not in writer.names
    came = _entry(bracketed(writer.write(upstream)), "" if spread else result)
    others = [came, *(factor for k, factor in enumerate(factors) if k != argument)]
    met = result + "".join(own for k, own in enumerate(letters) if k != argument)
    product = _summation(_entry(bracketed(writer.write(consumer)), result), "".join(letters), result, factors)
    return [
        words.say(
            "because.matmul",
            product=product,
            result=_summation(_entry(left, letters[argument]), met, letters[argument], others),
        )
    ]


def _entry(array: Math, letters: str) -> Math:
    """One entry of an array: ``A[i,j]``; of a number, the number."""
    if not letters:
        return array
    return Math(f"{array.text}[{','.join(letters)}]", f"{{{array.latex}}}_{{{letters}}}")


def _summation(left: Math, met: str, kept: str, factors: list[Math]) -> Math:
    """``left = Σ(j) factor factor`` over the letters that are met and not kept."""
    over = list(dict.fromkeys(letter for letter in met if letter not in kept))
    text = (f"Σ({','.join(over)}) " if over else "") + " ".join(f.text for f in factors)
    latex = (rf"\sum_{{{','.join(over)}}} " if over else "") + r" \, ".join(f.latex for f in factors)
    return Math(f"{left.text} = {text}", f"{left.latex} = {latex}")


_REASONS: dict[str, Reason] = {"chain.matmul": _why_matmul, "chain.conv": why_conv, "chain.einsum": _why_einsum}
