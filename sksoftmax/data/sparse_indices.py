"""Validation of the indices of sparse matrices.

What lives here: ``check_indices``, which every method that takes X calls before anything else reads it. What doesn't: the
format, dtype and finiteness of X, which scikit-learn checks.

SciPy's constructors check neither that indices are within the shape nor that index pointers ascend. Where they do not, compiled
code that uses them, including SciPy's conversions to CSR, reads and writes beyond the arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def check_indices(X: Any, name: str = "X") -> None:
    """Raise a ValueError if an index of a sparse matrix is outside its shape; do nothing for other objects.

    One pass over the indices, which takes less than a hundredth of the time of a prediction. Indices may be unsorted and may
    occur more than once, and arrays may be longer than the number of entries.

    Parameters
    ----------
    X : object
        Rows as given by the user.
    name : str
        Name of X in error messages.

    Raises
    ------
    ValueError
        An array of X has not the length, shape or dtype of its format, an index is negative or too large, or an index pointer
        decreases; the message names the array, what was got and what is allowed.
    """
    if not sparse.issparse(X):
        return
    if len(X.shape) != 2:
        raise ValueError(f"Expected 2D input for {name}, got a sparse array of shape {X.shape}.")
    prefix = f"{name} is a damaged {X.format.upper()} matrix of shape {X.shape}"
    check = _CHECKS.get(X.format)
    if check is not None:
        check(X, prefix)


def _check_csr(X: Any, prefix: str) -> None:
    _check_compressed(X, prefix, *X.shape)


def _check_csc(X: Any, prefix: str) -> None:
    _check_compressed(X, prefix, *X.shape[::-1])


def _check_bsr(X: Any, prefix: str) -> None:
    if np.ndim(X.data) != 3 or 0 in X.data.shape[1:] or any(n % m for n, m in zip(X.shape, X.data.shape[1:], strict=True)):
        raise ValueError(f"{prefix}: data must hold blocks that divide it, got an array of shape {np.shape(X.data)}.")
    _check_compressed(X, prefix, *(n // m for n, m in zip(X.shape, X.data.shape[1:], strict=True)))


def _check_compressed(X: Any, prefix: str, n_major: int, n_minor: int) -> None:
    """Check the arrays of n_major compressed rows or columns of n_minor entries each."""
    for array in ("indptr", "indices"):
        _check_integers(getattr(X, array), f"{prefix}: {array}")
    indptr, n_stored = X.indptr, _check_lengths(X.data, X.indices, f"{prefix}: indices")
    if len(indptr) != n_major + 1:
        raise ValueError(f"{prefix}: indptr must have {n_major + 1} entries, got {len(indptr)}.")
    if indptr[0] != 0:
        raise ValueError(f"{prefix}: indptr must begin with 0, got {indptr[0]}.")
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        i = int(falls.argmax())
        raise ValueError(f"{prefix}: indptr must not fall, got {indptr[i + 1]} after {indptr[i]} at position {i + 1}.")
    if indptr[-1] > n_stored:
        raise ValueError(f"{prefix}: indptr must end within the {n_stored} entries of indices and data, got {indptr[-1]}.")
    _check_range(X.indices[: indptr[-1]], n_minor, f"{prefix}: indices")


def _check_coo(X: Any, prefix: str) -> None:
    for array, length in (("row", X.shape[0]), ("col", X.shape[1])):
        indices = getattr(X, array)
        _check_integers(indices, f"{prefix}: {array}")
        _check_lengths(X.data, indices, f"{prefix}: {array}")
        _check_range(indices, length, f"{prefix}: {array}")


def _check_dia(X: Any, prefix: str) -> None:
    _check_integers(X.offsets, f"{prefix}: offsets")
    if np.ndim(X.data) != 2 or len(X.data) != len(X.offsets):
        raise ValueError(f"{prefix}: data must have a row for each of {len(X.offsets)} offsets, got shape {np.shape(X.data)}.")


def _check_lil(X: Any, prefix: str) -> None:
    if len(X.rows) != X.shape[0] or len(X.data) != X.shape[0]:
        raise ValueError(f"{prefix}: rows and data must have {X.shape[0]} entries, got {len(X.rows)} and {len(X.data)}.")
    for i, (columns, values) in enumerate(zip(X.rows, X.data, strict=True)):
        indices = np.asarray(columns if len(columns) else np.empty(0, dtype=np.int64))
        _check_integers(indices, f"{prefix}: rows[{i}]")
        _check_lengths(values, indices, f"{prefix}: rows[{i}]")
        _check_range(indices, X.shape[1], f"{prefix}: rows[{i}]")


# Dictionaries of keys have no row here: SciPy converts them by a COO matrix, whose constructor checks the indices.
_CHECKS = {"csr": _check_csr, "csc": _check_csc, "bsr": _check_bsr, "coo": _check_coo, "dia": _check_dia, "lil": _check_lil}


def _check_integers(indices: Any, what: str) -> None:
    if not isinstance(indices, np.ndarray) or indices.ndim != 1 or indices.dtype not in (np.int32, np.int64):
        kind = f"dtype {indices.dtype} and shape {indices.shape}" if isinstance(indices, np.ndarray) else repr(type(indices))
        raise ValueError(f"{what} must be a vector of int32 or int64, got {kind}.")


def _check_lengths(data: Any, indices: NDArray, what: str) -> int:
    """Return the number of entries; raise if data and indices differ in length."""
    if len(data) != len(indices):
        raise ValueError(f"{what} and data must have the same length, got {len(indices)} and {len(data)}.")
    return len(indices)


def _check_range(indices: NDArray, length: int, what: str) -> None:
    # Negative indices are large as unsigned integers: one maximum, which NumPy vectorises, checks both bounds.
    if len(indices) and indices.view(f"u{indices.itemsize}").max() >= length:
        i = int(np.argmax((indices < 0) | (indices >= length)))
        raise ValueError(f"{what} must be in 0..{length - 1}, got {indices[i]} at position {i}.")
