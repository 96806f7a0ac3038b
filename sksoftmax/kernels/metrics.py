"""Passes over rows of predictions: what is wrong with one.

What lives here: loops over (n_rows, n_classes) predictions that NumPy would answer with temporaries of that size. What
doesn't: softmax and losses on logits (``softmax``), and sums over vectors, which NumPy takes.

Conventions
-----------
``proba`` and ``logits`` are C-contiguous, float32 or float64; every sum is taken in float64.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def find_no_distribution(proba, tolerance):
    """Return the first row that is negative somewhere or does not sum to one within tolerance, NaN included; -1 if none."""
    for i in range(proba.shape[0]):
        total = 0.0
        negative = 0
        for k in range(proba.shape[1]):
            total += np.float64(proba[i, k])
            negative += proba[i, k] < 0.0
        if negative > 0 or not abs(total - 1.0) <= tolerance:
            return i
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def find_no_logits(logits):
    """Return the first row that holds NaN or +inf, or nothing but -inf; -1 if none."""
    for i in range(logits.shape[0]):
        bad = 0
        possible = 0
        for k in range(logits.shape[1]):
            bad += not logits[i, k] < np.inf
            possible += logits[i, k] > -np.inf
        if bad > 0 or possible == 0:
            return i
    return -1
