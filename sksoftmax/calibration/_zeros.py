"""What a probability of zero counts as: the one rule, wherever logarithms of probabilities are calibrated.

Forests and neighbours give zeros to what is merely rare. A zero counts as a third of the least probability above zero among
the rows that calibrate, or as its own row's least one if that is less: what none of m votes was for has about 1 / (3 m). Far
too low a number for zeros would decide a fit alone.

What lives here: the rule. What doesn't: who needs it (``_base`` for ``input="proba"``, ``_folds`` for classifiers).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ZERO_SHARE = 1 / 3


def logit_of_zero(logits: NDArray, weight: NDArray[np.float64] | None = None) -> float:
    """Return what a probability of zero counts as, given the log-probabilities of rows that calibrate.

    Parameters
    ----------
    logits : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Log-probabilities, −inf for zeros.
    weight : ndarray of shape (n_rows,), default=None
        Rows of weight zero have no say.
    """
    if weight is not None and not weight.all():
        logits = logits[weight > 0]
    return float(np.min(logits, where=np.isfinite(logits), initial=0.0) + np.log(ZERO_SHARE))


def fill_zeros(logits: NDArray, zero: float) -> NDArray:
    """Return log-probabilities with a number for −inf: ``zero``, or the row's lowest if that is lower still."""
    impossible = np.isneginf(logits)
    if zero == -np.inf or not impossible.any():
        return logits
    lowest = np.where(impossible, 0, logits).min(axis=-1, keepdims=True)
    return np.where(impossible, np.minimum(lowest, zero).astype(logits.dtype), logits)
