r"""How a name looks: `W2` as W₂ in text and ``W_{2}`` in LaTeX; nothing that tells two names apart is dropped.

Only trailing digits right after a letter become a subscript, and only a whole word such as ``sigma`` becomes a Greek
letter. An entry such as `W2[0,1]` is written as its array is, W₂[0,1]. The scopes before the last slash are kept as
they are written. Two spellings of one sign (``sigma1``, ``σ₁``) look alike.
"""

from __future__ import annotations

import re

from graphlearn.render.document import Math
from graphlearn.render.escape import latex_text, printable

# Capitals that look like Latin letters (Alpha, Beta, ...) and omicron stay words: nobody could tell A from Α.
_GREEK = {
    "alpha": ("α", r"\alpha"),
    "beta": ("β", r"\beta"),
    "gamma": ("γ", r"\gamma"),
    "delta": ("δ", r"\delta"),
    "epsilon": ("ε", r"\varepsilon"),
    "zeta": ("ζ", r"\zeta"),
    "eta": ("η", r"\eta"),
    "theta": ("θ", r"\theta"),
    "iota": ("ι", r"\iota"),
    "kappa": ("κ", r"\kappa"),
    "lambda": ("λ", r"\lambda"),
    "mu": ("μ", r"\mu"),
    "nu": ("ν", r"\nu"),
    "xi": ("ξ", r"\xi"),
    "pi": ("π", r"\pi"),
    "rho": ("ρ", r"\rho"),
    "sigma": ("σ", r"\sigma"),
    "tau": ("τ", r"\tau"),
    "upsilon": ("υ", r"\upsilon"),
    "phi": ("φ", r"\varphi"),
    "chi": ("χ", r"\chi"),
    "psi": ("ψ", r"\psi"),
    "omega": ("ω", r"\omega"),
    "Gamma": ("Γ", r"\Gamma"),
    "Delta": ("Δ", r"\Delta"),
    "Theta": ("Θ", r"\Theta"),
    "Lambda": ("Λ", r"\Lambda"),
    "Xi": ("Ξ", r"\Xi"),
    "Pi": ("Π", r"\Pi"),
    "Sigma": ("Σ", r"\Sigma"),
    "Upsilon": ("Υ", r"\Upsilon"),
    "Phi": ("Φ", r"\Phi"),
    "Psi": ("Ψ", r"\Psi"),
    "Omega": ("Ω", r"\Omega"),
}
_LETTERS = dict(_GREEK.values())
_SUBSCRIPTS = str.maketrans("0123456789-+=()x", "₀₁₂₃₄₅₆₇₈₉₋₊₌₍₎ₓ")
_SUPERSCRIPTS = str.maketrans("0123456789-+=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁼⁽⁾")
_FROM_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
# A letter (no digit, no underscore) must stand right before the digits, so that w1 and w_1 stay apart.
_INDEXED = re.compile(r"(?P<stem>.*[^\W\d_₀-₉])(?P<index>[0-9]+|[₀-₉]+)", re.DOTALL)
_ENTRY = re.compile(r"(?P<array>.+)(?P<entry>\[[0-9]+(?:,[0-9]+)*\])", re.DOTALL)


def subscript(text: str) -> str:
    """Return digits, ``+ - = ( )`` and ``x`` as Unicode subscripts.

    Args:
        text: other characters stay as they are.
    """
    return text.translate(_SUBSCRIPTS)


def superscript(text: str) -> str:
    """Return digits and ``+ - = ( )`` as Unicode superscripts.

    Args:
        text: other characters stay as they are.
    """
    return text.translate(_SUPERSCRIPTS)


def display_name(name: str) -> str:
    """Return a name as it is shown in terminals and diagrams.

    Args:
        name: full name, such as ``"hidden1/W2"``.

    Returns:
        Unicode text, such as ``"hidden1/W₂"``.

    >>> display_name("z1"), display_name("hidden1/W"), display_name("sigma2"), display_name("w_1")
    ('z₁', 'hidden1/W', 'σ₂', 'w_1')
    """
    path, stem, index, entry = _split(printable(name))
    return path + _GREEK.get(stem, (stem,))[0] + subscript(index) + entry


def latex_name(name: str) -> str:
    r"""Return a name as math-mode LaTeX.

    Args:
        name: full name, such as ``"hidden1/W2"``.

    Returns:
        LaTeX in which every special character of the name is escaped.

    >>> print(latex_name("W2"), latex_name("hidden1/W"), latex_name("sigma"), latex_name("y_pred"))
    W_{2} \mathrm{hidden1/W} \sigma \mathrm{y\_pred}
    """
    path, stem, index, entry = _split(printable(name))
    letter = _GREEK.get(stem, (stem,))[0]
    if letter in _LETTERS:
        body = (_upright(path) if path else "") + _LETTERS[letter]
    elif not path and re.fullmatch("[A-Za-z]", stem):
        body = stem
    else:
        body = _upright(path + stem)
    return body + (f"_{{{index}}}" if index else "") + entry


def name_math(name: str) -> Math:
    """Return both forms of a name.

    Args:
        name: full name.
    """
    return Math(display_name(name), latex_name(name))


def _split(name: str) -> tuple[str, str, str, str]:
    """Return the scopes with their last slash, the word, its index in plain digits, and the entry in brackets."""
    head, slash, last = name.rpartition("/")
    found = _ENTRY.fullmatch(last)
    array, entry = (last, "") if found is None else (found["array"], found["entry"])
    match = _INDEXED.fullmatch(array)
    if match is None:
        return head + slash, array, "", entry
    return head + slash, match["stem"], match["index"].translate(_FROM_SUBSCRIPTS), entry


def _upright(text: str) -> str:
    # \mathrm drops spaces, sets a hyphen as a minus sign and knows no Hangul; \text keeps all three.
    command = r"\mathrm" if re.fullmatch(r"[A-Za-z0-9_./]+", text) else r"\text"
    return f"{command}{{{latex_text(text)}}}"
