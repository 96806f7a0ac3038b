"""Weights of rows: checked, and scaled where sums of them would overflow."""

from __future__ import annotations

from numbers import Number

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_floats

# Weights whose largest has a binary exponent of at most this, in absolute value, are not scaled.
ORDINARY_EXPONENT = 256


def check_weight(
    sample_weight: ArrayLike | None, n_rows: int, *, name: str = "sample_weight", scalar: bool = False, copy: bool = False
) -> NDArray[np.float64]:
    """Return the rows' weights, not scaled; ones if there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), float or None
    n_rows : int
    name : str
        The name of the parameter in error messages.
    scalar : bool
        Whether a number stands for the weight of every row, as in scikit-learn's estimators.
    copy : bool
        Whether the result must not be the caller's own array.

    Raises
    ------
    ValueError
        Weights that are no numbers, negative, infinite, NaN or zero throughout, or another number of them; the message names
        the first bad row.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weight = as_floats(sample_weight, name).astype(np.float64, copy=copy)
    if scalar and isinstance(sample_weight, Number):
        weight = np.full(n_rows, weight)
    if weight.shape != (n_rows,):
        raise ValueError(f"{name} must have shape ({n_rows},), got {weight.shape}.")
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(bad):
        raise ValueError(f"{name} must be finite and non-negative, got {weight[bad[0]]} in row {bad[0]}.")
    if not weight.any():
        raise ValueError(f"{name} must not be zero throughout: no row is left.")
    return weight


def scale_weight(weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return weights divided by a power of two so that sums do not overflow and quotients are exact, and its exponent.

    Weights whose largest is between 1e-77 and 1e77 are returned unchanged. Otherwise the largest is scaled to between 1/2 and
    1, and weights below 1e-308 of it may become zero.
    """
    _, exponent = np.frexp(weight.max(initial=0.0))
    if abs(exponent) <= ORDINARY_EXPONENT:
        return weight, 0
    return np.ldexp(weight, -exponent), int(exponent)
