"""Sparse matrices whose indices can be trusted.

What lives here: ``check_indices``, which every method that takes X calls before anything else reads it. What doesn't: the
format, dtype and finiteness of X, which scikit-learn checks.

SciPy's constructors do not look whether indices lie within the shape, nor whether index pointers ascend, and compiled code that
follows them, SciPy's conversions to CSR among it, reads and writes foreign memory where they do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def check_indices(X: Any, name: str = "X") -> None:
    """Raise unless the indices that a sparse matrix holds stay within its shape; do nothing for anything else.

    One pass over the indices, which is below a hundredth of a prediction. Unsorted and duplicate indices are fine, and so is
    what arrays hold behind the last entry.

    Parameters
    ----------
    X : object
        Whatever was given for a table of rows.
    name : str
        What error messages call it.

    Raises
    ------
    ValueError
        An array of X has another length, shape or dtype than the format asks for, an index is negative or too large, or an
        index pointer falls; the message names the array, what was got and what is allowed.
    """
    if not sparse.issparse(X):
        return
    if len(X.shape) != 2:
        raise ValueError(f"Expected 2D input for {name}, got a sparse array of shape {X.shape}.")
    whom = f"{name} is a damaged {X.format.upper()} matrix of shape {X.shape}"
    check = _CHECKS.get(X.format)
    if check is not None:
        check(X, whom)


def _check_csr(X: Any, whom: str) -> None:
    _check_compressed(X, whom, *X.shape)


def _check_csc(X: Any, whom: str) -> None:
    _check_compressed(X, whom, *X.shape[::-1])


def _check_bsr(X: Any, whom: str) -> None:
    if np.ndim(X.data) != 3 or 0 in X.data.shape[1:] or any(n % m for n, m in zip(X.shape, X.data.shape[1:], strict=True)):
        raise ValueError(f"{whom}: data must hold blocks that divide it, got an array of shape {np.shape(X.data)}.")
    _check_compressed(X, whom, *(n // m for n, m in zip(X.shape, X.data.shape[1:], strict=True)))


def _check_compressed(X: Any, whom: str, n_major: int, n_minor: int) -> None:
    """Check the arrays of n_major compressed rows or columns of n_minor entries each."""
    for array in ("indptr", "indices"):
        _check_integers(getattr(X, array), f"{whom}: {array}")
    indptr, n_stored = X.indptr, _check_lengths(X.data, X.indices, f"{whom}: indices")
    if len(indptr) != n_major + 1:
        raise ValueError(f"{whom}: indptr must have {n_major + 1} entries, got {len(indptr)}.")
    if indptr[0] != 0:
        raise ValueError(f"{whom}: indptr must begin with 0, got {indptr[0]}.")
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        i = int(falls.argmax())
        raise ValueError(f"{whom}: indptr must not fall, got {indptr[i + 1]} after {indptr[i]} at position {i + 1}.")
    if indptr[-1] > n_stored:
        raise ValueError(f"{whom}: indptr must end within the {n_stored} entries of indices and data, got {indptr[-1]}.")
    _check_range(X.indices[: indptr[-1]], n_minor, f"{whom}: indices")


def _check_coo(X: Any, whom: str) -> None:
    for array, length in (("row", X.shape[0]), ("col", X.shape[1])):
        indices = getattr(X, array)
        _check_integers(indices, f"{whom}: {array}")
        _check_lengths(X.data, indices, f"{whom}: {array}")
        _check_range(indices, length, f"{whom}: {array}")


def _check_dia(X: Any, whom: str) -> None:
    _check_integers(X.offsets, f"{whom}: offsets")
    if np.ndim(X.data) != 2 or len(X.data) != len(X.offsets):
        raise ValueError(f"{whom}: data must have a row for each of {len(X.offsets)} offsets, got shape {np.shape(X.data)}.")


def _check_lil(X: Any, whom: str) -> None:
    if len(X.rows) != X.shape[0] or len(X.data) != X.shape[0]:
        raise ValueError(f"{whom}: rows and data must have {X.shape[0]} entries, got {len(X.rows)} and {len(X.data)}.")
    for i, (columns, values) in enumerate(zip(X.rows, X.data, strict=True)):
        indices = np.asarray(columns if len(columns) else np.empty(0, dtype=np.int64))
        _check_integers(indices, f"{whom}: rows[{i}]")
        _check_lengths(values, indices, f"{whom}: rows[{i}]")
        _check_range(indices, X.shape[1], f"{whom}: rows[{i}]")


# A dictionary of keys goes through a COO matrix made of it, whose constructor looks.
_CHECKS = {"csr": _check_csr, "csc": _check_csc, "bsr": _check_bsr, "coo": _check_coo, "dia": _check_dia, "lil": _check_lil}


def _check_integers(indices: Any, what: str) -> None:
    if not isinstance(indices, np.ndarray) or indices.ndim != 1 or indices.dtype not in (np.int32, np.int64):
        kind = f"dtype {indices.dtype} and shape {indices.shape}" if isinstance(indices, np.ndarray) else repr(type(indices))
        raise ValueError(f"{what} must be a vector of int32 or int64, got {kind}.")


def _check_lengths(data: Any, indices: NDArray, what: str) -> int:
    """Return the number of entries."""
    if len(data) != len(indices):
        raise ValueError(f"{what} and data must have the same length, got {len(indices)} and {len(data)}.")
    return len(indices)


def _check_range(indices: NDArray, length: int, what: str) -> None:
    # As unsigned numbers negative ones are large: one maximum, which NumPy vectorises, tells all.
    if len(indices) and indices.view(f"u{indices.itemsize}").max() >= length:
        i = int(np.argmax((indices < 0) | (indices >= length)))
        raise ValueError(f"{what} must be in 0..{length - 1}, got {indices[i]} at position {i}.")
