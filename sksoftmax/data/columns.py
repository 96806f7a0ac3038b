"""What a table of rows must be before anything is computed of it.

What lives here: ``check_columns``, which refuses dates, and ``check_magnitude``, which refuses numbers whose squares overflow.
What doesn't: shapes, dtypes and finiteness, which scikit-learn checks, and the indices of sparse matrices (``sparse_rows``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

LARGEST = {np.dtype(np.float32): 1e18, np.dtype(np.float64): 1e150}
"""The greatest magnitude that X may have where squares of it are summed over columns and rows."""


def check_columns(X: Any, name: str = "X") -> None:
    """Raise where X, or a column of a data frame, holds dates or durations, which NumPy would make numbers of some unit.

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
        is_temporal = getattr(dtype, "is_temporal", None)  # Polars has no kinds
        if is_temporal() if is_temporal is not None else getattr(dtype, "kind", None) in ("M", "m"):
            where = "" if column is None else f" in column {column!r}"
            raise ValueError(
                f"{name} must hold numbers, got dtype {dtype}{where}. Convert dates to numbers, such as days since one of them."
            )


def check_magnitude(X: Any, name: str = "X", columns: Sequence | None = None) -> None:
    """Raise where the square of a number is beyond what sums of squares can hold; one pass over the numbers, no copy.

    Parameters
    ----------
    X : ndarray, C-contiguous, or CSR matrix, float32 or float64
        Finite.
    name : str
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
