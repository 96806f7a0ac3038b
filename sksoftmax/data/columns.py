"""Checks of the values of a table of rows that scikit-learn does not make.

What lives here: ``check_columns``, against dates and durations, and ``check_magnitude``, against numbers whose squares
overflow. What doesn't: shapes, dtypes and finiteness, which scikit-learn checks, and the indices of sparse matrices
(``sparse_indices``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

LARGEST = {np.dtype(np.float32): 1e18, np.dtype(np.float64): 1e150}
"""The greatest magnitude of X for which sums of squares over columns and rows do not overflow."""


def check_columns(X: Any, name: str = "X") -> None:
    """Raise a ValueError if X, or a column of a data frame, holds dates or durations.

    NumPy would convert them to integers of whatever unit their dtype has.

    Raises
    ------
    ValueError
        The message names the column and its dtype.
    """
    dtypes = getattr(X, "dtypes", None)
    if dtypes is None or not hasattr(X, "columns"):
        dtypes, columns = [getattr(X, "dtype", None)], [None]
    else:
        columns = X.columns
    for column, dtype in zip(columns, dtypes, strict=True):
        is_temporal = getattr(dtype, "is_temporal", None)  # Polars' dtypes have no kind
        if is_temporal() if is_temporal is not None else getattr(dtype, "kind", None) in ("M", "m"):
            where = "" if column is None else f" in column {column!r}"
            raise ValueError(
                f"{name} must hold numbers, got dtype {dtype}{where}. Convert dates to numbers, such as days since one of them."
            )


def check_magnitude(X: Any, name: str = "X", columns: Sequence | None = None) -> None:
    """Raise a ValueError if a number exceeds ``LARGEST`` in magnitude; one pass over the numbers, no copy.

    Parameters
    ----------
    X : ndarray, C-contiguous, or CSR matrix, float32 or float64
        Finite.
    name : str
        Name of X in the message.
    columns : sequence of str or None
        Names of the columns, if there are any.

    Raises
    ------
    ValueError
        The message names the column, what was got and what is allowed.
    """
    values: NDArray = X.data[: X.nnz] if sparse.issparse(X) else X.reshape(-1)
    limit = LARGEST[values.dtype]
    with np.errstate(over="ignore"):
        if np.einsum("i,i->", values, values) <= limit**2 or not len(values):
            return
    largest, least = int(values.argmax()), int(values.argmin())
    worst = largest if values[largest] >= -values[least] else least
    if abs(values[worst]) <= limit:
        return
    column = int(X.indices[worst]) if sparse.issparse(X) else worst % X.shape[1]
    called = "" if columns is None else f" ({columns[column]!r})"
    raise ValueError(
        f"{name} must not exceed {limit:g} in magnitude, as {values.dtype}: sums of squares would overflow; got "
        f"{values[worst]:.3g} in column {column}{called}. Divide the column by a constant."
    )
