"""The decision rule: the class of a row of logits or probabilities.

What lives here: ``most_probable``, the rule for a column a class, and ``decide``, the same for logits of which two classes have
one. What doesn't: decisions under costs (``metrics.costs``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def most_probable(scores: NDArray) -> NDArray[np.intp]:
    """Return the column of the greatest value of each row, the first of equal ones.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_classes)
        Logits or probabilities, a column a class.

    Returns
    -------
    classes : ndarray of shape (n_rows,), intp
    """
    return scores.argmax(axis=1)


def decide(logits: NDArray) -> NDArray[np.intp]:
    """Return the index of the class of greatest logit of each row, the first of equal ones.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_logits), or (n_rows,) for two classes
        A single logit is that of class 1 against 0 for class 0, which is decided at zero.

    Returns
    -------
    classes : ndarray of shape (n_rows,), intp
    """
    if logits.ndim == 1 or logits.shape[1] == 1:
        return (logits.reshape(-1) > 0).astype(np.intp)
    return most_probable(logits)
