"""What to write in place of NumPy functions that build nothing, by their names: a table, and nothing else."""

from __future__ import annotations

from graphlearn.graph.op import NUMPY_CURES

_SHAPE = "It is known without a value: write node.{}."
_DATA = "Compute it on the arrays before they come in."
_SORTED = f"A graph has no sorting. {_DATA}"
_CHOSEN = (
    "The shape of the result would depend on values. Write gl.where(condition, x, 0) to keep entries; a condition that "
    "is known is an index: x[condition]."
)
_BITS = f"A graph has no operations on bits. {_DATA}"
_SPECTRUM = f"A graph has no eigenvalues and singular values. {_DATA}"
_FOURIER = f"Numbers of graphs are real. {_DATA}"
_VALUE = "A node has no value yet. Write gl.evaluate(node, at={...}) first."
_FIXED = "A node is immutable. Write gl.where(condition, a, b), or gl.scatter_add for numbered places."
_FORMULA = "Write the polynomial with np.polyval; these compute on known coefficients: do so before they come in."
_DATES = "Graphs hold no dates. Subtract one and divide by a unit before they come in."
_KIND = "A node knows its dtype: node.dtype."

NUMPY_CURES.update(
    {
        **{name: _SHAPE.format(name) for name in ("shape", "ndim")},
        **dict.fromkeys(["sort", "argsort", "lexsort", "partition", "argpartition", "sort_complex"], _SORTED),
        **dict.fromkeys(["median", "percentile", "quantile", "nanmedian", "nanpercentile", "nanquantile"], _SORTED),
        **dict.fromkeys(["searchsorted", "digitize", "histogram", "histogram2d", "histogramdd"], _SORTED),
        **dict.fromkeys(["histogram_bin_edges", "isin", "in1d", "trim_zeros"], _DATA),
        **dict.fromkeys(["unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"], _CHOSEN),
        **dict.fromkeys(["union1d", "intersect1d", "setdiff1d", "setxor1d"], _CHOSEN),
        **dict.fromkeys(["nonzero", "flatnonzero", "argwhere"], _CHOSEN),
        **dict.fromkeys(["place", "put", "putmask", "put_along_axis", "copyto", "fill_diagonal"], _FIXED),
        **dict.fromkeys(["left_shift", "right_shift", "bitwise_count", "packbits", "unpackbits"], _BITS),
        **dict.fromkeys(["gcd", "lcm", "ldexp", "frexp", "modf", "nextafter", "spacing", "i0", "unwrap"], _DATA),
        **dict.fromkeys(["eig", "eigh", "eigvals", "eigvalsh", "svd", "svdvals", "qr", "cond"], _SPECTRUM),
        **dict.fromkeys(["matrix_rank", "tensorsolve", "tensorinv", "roots", "poly"], _DATA),
        **dict.fromkeys(["polyadd", "polysub", "polymul", "polydiv", "polyder", "polyint"], _FORMULA),
        **dict.fromkeys(["fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2"], _FOURIER),
        **dict.fromkeys(["irfft2", "rfftn", "irfftn", "hfft", "ihfft", "angle"], _FOURIER),
        **dict.fromkeys(["fftshift", "ifftshift"], "Write np.roll(x, n // 2), and by -(n // 2) back."),
        **dict.fromkeys(["isreal", "iscomplex", "isrealobj", "iscomplexobj", "real_if_close"], _KIND),
        **dict.fromkeys(["can_cast", "result_type", "min_scalar_type", "common_type"], _KIND),
        **dict.fromkeys(["may_share_memory", "shares_memory", "isnat"], "A node is no memory; compare the arrays."),
        **dict.fromkeys(["array2string", "array_repr", "array_str"], _VALUE),
        **dict.fromkeys(["save", "savetxt", "savez", "savez_compressed", "einsum_path"], _VALUE),
        **dict.fromkeys(["busday_count", "busday_offset", "is_busday", "datetime_as_string"], _DATES),
        **dict.fromkeys(["linspace", "geomspace", "logspace"], "Write start + (stop - start) * np.linspace(0, 1, n)."),
        **dict.fromkeys(["tril_indices_from", "triu_indices_from", "diag_indices_from"], "Give it the known shape."),
        **dict.fromkeys(
            ["nanargmax", "nanargmin"],
            "Write np.argmax(np.where(np.isnan(x), -np.inf, x)), or likewise with argmin and np.inf.",
        ),
        **dict.fromkeys(["apply_along_axis", "apply_over_axes"], "Write the function with axis=, on the whole array."),
        "array_equiv": "Write np.array_equal(*np.broadcast_arrays(a, b)).",
        "bincount": "Write np.sum(gl.one_hot(numbers, classes), axis=0).",
        "choose": "Write np.select([gl.equal(a, 0), gl.equal(a, 1)], choices), and so on.",
        "empty_like": "Write np.zeros_like(x): a graph has no memory that is not written yet.",
        "insert": "Write np.concatenate([x[:k], values, x[k:]]).",
        "ix_": "Write x[rows][:, columns] for all pairs.",
        "ravel_multi_index": "Write row * columns + column.",
        "unravel_index": "Write (n - n % columns) / columns and n % columns.",
        "resize": "Write np.tile(x, n) and a slice of it.",
        "lstsq": "Write np.linalg.solve(X.T @ X, X.T @ y), the normal equations.",
        "pinv": "Write np.linalg.solve(X.T @ X, X.T) where columns are independent.",
        "polyfit": "Write np.linalg.solve(X.T @ X, X.T @ y) with X = np.vander(x, degree + 1).",
    }
)
