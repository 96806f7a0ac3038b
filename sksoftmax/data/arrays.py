"""Arrays on entry: those of other libraries as NumPy arrays, numbers as floats, rows of class probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Rows of probabilities rounded to a few decimals are accepted as summing to one.
PROBA_TOLERANCE = 1e-4


def as_numpy(**arrays: Any) -> tuple[Any, ...]:
    """Return tensors and other libraries' arrays as NumPy arrays, and all else as it is.

    What scikit-learn's own checks know better stays: sparse matrices, lists, and whatever has ``to_numpy``, as data frames and
    series have, whose names and labels count. Whether ``array_api_dispatch`` is set makes no difference.

    Parameters
    ----------
    **arrays
        By the names that an error shall have.

    Returns
    -------
    arrays : tuple
        In the order given.

    Raises
    ------
    TypeError
        NumPy cannot read one of them: it requires a gradient, or its memory is on another device.

    Examples
    --------
    >>> from sksoftmax.data.arrays import as_numpy
    >>> as_numpy(X=[[1, 2]], y=None)
    ([[1, 2]], None)
    """
    return tuple(_as_numpy(name, array) for name, array in arrays.items())


def _as_numpy(name: str, array: Any) -> Any:
    if isinstance(array, np.ndarray | np.generic) or hasattr(array, "to_numpy") or not hasattr(array, "__array__"):
        return array
    try:
        return np.asarray(array)
    except Exception as error:
        kind = f"{type(array).__module__.partition('.')[0]}.{type(array).__qualname__}"
        reason = str(error).rstrip(".")
        raise TypeError(f"{name} must be a NumPy array or convert to one; got a {kind}: {reason}.") from error


def as_floats(values: Any, name: str) -> NDArray:
    """Return real numbers as float32 or float64; other dtypes, objects and nullable columns included, become float64.

    Raises
    ------
    ValueError
        Complex numbers, dates, texts, or objects that are no numbers, such as missing ones.
    """
    (array,) = as_numpy(**{name: values})
    given = np.asarray(array)
    if given.dtype.kind == "O":
        try:
            given = given.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be real numbers; of its objects one is none: {error}") from error
    if given.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be real numbers, got dtype {given.dtype}.")
    return given if given.dtype == np.float32 else given.astype(np.float64, copy=False)


def check_proba(proba: ArrayLike, name: str, *, shape: tuple[int, int] | None = None) -> NDArray:
    """Return rows of class probabilities as a C-contiguous float array, not copied if it is one.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Non-negative, each row summing to one within ``PROBA_TOLERANCE``.
    name : str
        Name of the parameter in error messages.
    shape : tuple of int, default=None
        Required shape.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes), float32 or float64

    Raises
    ------
    ValueError
        The first row that is not a distribution, by number and with what is wrong, or the shape.
    """
    rows = np.ascontiguousarray(as_floats(proba, name))
    if shape is not None and rows.shape != shape:
        raise ValueError(f"{name} must be rows of class probabilities of shape {shape}, got {rows.shape}.")
    total = rows.sum(axis=1, dtype=np.float64)
    lowest = rows.min(axis=1)
    # Written so that NaN fails too.
    bad = np.flatnonzero(~((np.abs(total - 1) <= PROBA_TOLERANCE) & (lowest >= 0)))
    if len(bad):
        row = bad[0]
        fault = f"sums to {total[row]:.6g}" if not lowest[row] < 0 else f"holds the negative number {lowest[row]:.6g}"
        raise ValueError(
            f"{name} with two or more columns must hold class probabilities, each row non-negative and summing to 1 "
            f"within {PROBA_TOLERANCE}; row {row} {fault}. Pass class labels as a one-dimensional array."
        )
    return rows
