"""What generated source calls, once more as plain Python over NumPy: so a saved file runs without a compiler.

Elementary functions are computed in float64 and rounded, so that a float32 result is within 0.51 ULP of the truth.
"""

from __future__ import annotations

import re

_TYPES = {"f32": "float32", "f64": "float64"}
_BITS = {"f32": "int32", "f64": "int64"}

# name without suffix -> NumPy's function of one real number
_ELEMENTARY = {
    "fexp": "np.exp", "fexpm1": "np.expm1", "flog": "np.log", "flog1p": "np.log1p", "fsqrt": "np.sqrt",
    "ftanh": "np.tanh", "fexp2": "np.exp2", "fcbrt": "np.cbrt", "ffloor": "np.floor", "fceil": "np.ceil",
    "frint": "np.rint", "fabs": "np.abs", "fsin": "np.sin", "fcos": "np.cos", "ftan": "np.tan", "ferf": "math.erf",
    "ferfc": "math.erfc", "fsinh": "np.sinh", "fcosh": "np.cosh", "fasin": "np.asin", "facos": "np.acos",
    "fatan": "np.atan", "fasinh": "np.asinh", "facosh": "np.acosh", "fatanh": "np.atanh", "flog2": "np.log2",
    "flog10": "np.log10",
}  # fmt: skip
_PAIRS = {"fpow": "np.power", "fatan2": "np.atan2"}  # of two
# name without suffix -> definition; {name}: with suffix, {type}: the float type, {bits}: the whole numbers of its size
_OTHERS = {
    "fmax": "def {name}(a, b):\n    return np.maximum(a, b)",
    "fmin": "def {name}(a, b):\n    return np.minimum(a, b)",
    "rmax": "def {name}(a, b):\n    return np.maximum(a, b)",
    "rmin": "def {name}(a, b):\n    return np.minimum(a, b)",
    "radd": "def {name}(a, b):\n    return a + b",
    "fsigmoid": "def {name}(x):\n    return {type}(1 / (1 + np.exp(-float64(x))))",
    "bits": "def {name}(x):\n    return {type}(x).view({bits})",
    "from_bits": "def {name}(x):\n    return {bits}(x).view({type})",
    "gemm": '''\
def {name}(trans_a, trans_b, m, n, k, alpha, a, a_at, lda, b, b_at, ldb, beta, c, c_at, ldc):
    """C = alpha A B, row by row, from places in flat arrays; beta is 0."""
    def matrix(flat, first, leading, rows, columns):
        size = flat.itemsize
        return np.lib.stride_tricks.as_strided(flat[first:], (rows, columns), (leading * size, size))
    left = matrix(a, a_at, lda, k, m).T if trans_a else matrix(a, a_at, lda, m, k)
    right = matrix(b, b_at, ldb, n, k).T if trans_b else matrix(b, b_at, ldb, k, n)
    matrix(c, c_at, ldc, m, n)[...] = alpha * (left @ right)''',
}
_CALL = re.compile(r"\b([a-z_]+[a-z0-9_]*?)_(f32|f64)\(")
_MATH = re.compile(r"\bmath\.(\w+)")


def plain_definitions(source: str) -> str:
    """Definitions of every function that a source calls.

    Args:
        source: generated code without lanes.

    Returns:
        Python text over ``np``, ``math`` and the number types of NumPy.

    Raises:
        KeyError: a function that has no plain form.
    """
    names = sorted(set(_CALL.findall(source)))
    return "\n\n\n".join(plain_definition(stem, suffix) for stem, suffix in names)


def plain_definition(stem: str, suffix: str) -> str:
    """The plain form of one function, such as ``fexp`` for ``f32``."""
    name, kind = f"{stem}_{suffix}", _TYPES[suffix]
    if stem in _ELEMENTARY:
        return f"def {name}(x):\n    return {kind}({_ELEMENTARY[stem]}(float64(x)))"
    if stem in _PAIRS:
        return f"def {name}(x, y):\n    return {kind}({_PAIRS[stem]}(float64(x), float64(y)))"
    return _OTHERS[stem].replace("{name}", name).replace("{type}", kind).replace("{bits}", _BITS[suffix])


def plain_math(source: str) -> list[str]:
    """The functions of ``math`` that a source calls; NumPy has them without errors at the borders of their domains."""
    return sorted(set(_MATH.findall(source)) - {"inf", "nan"})
