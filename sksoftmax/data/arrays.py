"""Arrays on entry: those of other libraries as NumPy arrays, numbers as floats, rows of class probabilities or logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Rows of probabilities rounded to a few decimals are accepted as summing to one.
PROBA_TOLERANCE = 1e-4
# Rows that are checked at a time where one pass over all of them found something.
BLOCK_ROWS = 4096
# Values that a message lists.
MAX_SHOWN = 8


def as_numpy(**arrays: Any) -> tuple[Any, ...]:
    """Return tensors and other libraries' arrays as NumPy arrays, and all else as it is.

    What scikit-learn's own checks convert stays as it is: sparse matrices, lists, and whatever has ``to_numpy``, as data frames
    and series have, whose names and labels count. Whether ``array_api_dispatch`` is set makes no difference.

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


def check_proba(proba: ArrayLike, name: str, *, shape: tuple[int, int] | None = None, hint: str = "") -> NDArray:
    """Return rows of class probabilities as a C-contiguous float array, not copied if it is one.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Non-negative, each row summing to one within ``PROBA_TOLERANCE``.
    name : str
        Name of the parameter in error messages.
    shape : tuple of int, default=None
        Required shape.
    hint : str
        What else is said of a row that is not a distribution.

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
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"{name} must be rows of class probabilities, got an array of shape {rows.shape}.")
    total = rows.sum(axis=1, dtype=np.float64)
    lowest = rows.min(axis=1)
    # Written so that NaN fails too.
    bad = np.flatnonzero(~((np.abs(total - 1) <= PROBA_TOLERANCE) & (lowest >= 0)))
    if len(bad):
        row = bad[0]
        fault = f"sums to {total[row]:.6g}" if lowest[row] >= 0 else f"holds {show(rows[row])}"
        raise ValueError(
            f"{name} must hold class probabilities, each row non-negative and summing to 1 within {PROBA_TOLERANCE}; "
            f"row {row} {fault}.{hint}"
        )
    return rows


def check_logits(rows: NDArray, name: str) -> bool:
    """Return whether all logits, (n_rows, n_columns), are finite; raise a ValueError for the first that is NaN or +inf."""
    with np.errstate(all="ignore"):
        if np.isfinite(rows.sum()):  # one pass, no array
            return True
    finite = True
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        bad = np.argwhere(np.isnan(block) | (block == np.inf))
        if len(bad):
            row, column = bad[0]
            value = block[row, column]
            raise ValueError(f"{name} must be finite or -inf, got {value} in row {start + row}, column {column}.")
        finite = finite and bool(np.isfinite(block).all())
    return finite


def check_possible(rows: NDArray, name: str) -> None:
    """Raise a ValueError if a row's logits are all −inf."""
    for start in range(0, len(rows), BLOCK_ROWS):
        bad = np.flatnonzero((rows[start : start + BLOCK_ROWS] == -np.inf).all(axis=1))
        if len(bad):
            raise ValueError(f"{name} must not be -inf for every class, as they are in row {start + bad[0]}.")


def two_columns(column: NDArray, name: str = "logits", *, proba: bool = False) -> NDArray:
    """Return the columns of both classes, (n_rows, 2), given that of the second one, (n_rows,).

    A logit is that of the second class against 0 for the first; a probability, which must be in [0, 1], leaves the rest.
    """
    if not proba:
        return np.column_stack([np.zeros_like(column), column])
    bad = np.flatnonzero(~((column >= 0) & (column <= 1)))
    if len(bad):
        raise ValueError(f"{name} must be in [0, 1], got {column[bad[0]]} in row {bad[0]}.")
    return np.column_stack([1 - column, column])


def inconsistent_lengths(n_rows: int, n_given: int, *, name: str, rows: str) -> ValueError:
    """Return the error of targets that are not as many as their rows, in scikit-learn's words."""
    return ValueError(f"Found input variables with inconsistent numbers of samples: {n_rows} in {rows}, {n_given} in {name}.")


def show(values: Any) -> str:
    """Return the first values as text, for messages."""
    flat = np.ravel(values).tolist()
    return f"[{', '.join(map(repr, flat[:MAX_SHOWN]))}{', …' if len(flat) > MAX_SHOWN else ''}]"
