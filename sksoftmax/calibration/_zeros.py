"""Replacement of zero probabilities before their logarithms are calibrated.

Forests and nearest neighbours predict zero for classes that are possible but rare. A zero is replaced by a third of the least
positive probability of the calibration rows, or of its own row if that is less: a class without any of m votes gets about
1 / (3 m). With a much smaller number the logits of a few rows would determine the fit.

What lives here: this rule. What doesn't: its callers (``_base`` for ``input="proba"``, ``_folds`` for classifiers).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ZERO_SHARE = 1 / 3


def logit_of_zero(logits: NDArray, weight: NDArray[np.float64] | None = None) -> float:
    """Return the logarithm that replaces that of zero, given the log-probabilities of the calibration rows.

    Parameters
    ----------
    logits : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Log-probabilities, −inf for zeros.
    weight : ndarray of shape (n_rows,), default=None
        Rows of weight zero are ignored.
    """
    if weight is not None and not weight.all():
        logits = logits[weight > 0]
    return float(np.min(logits, where=np.isfinite(logits), initial=0.0) + np.log(ZERO_SHARE))


def fill_zeros(logits: NDArray, zero: float) -> NDArray:
    """Return log-probabilities with −inf replaced by the least of ``zero`` and the row's lowest finite one."""
    impossible = np.isneginf(logits)
    if zero == -np.inf or not impossible.any():
        return logits
    lowest = np.where(impossible, 0, logits).min(axis=-1, keepdims=True)
    return np.where(impossible, np.minimum(lowest, zero).astype(logits.dtype), logits)
