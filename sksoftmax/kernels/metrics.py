"""Passes over rows of predictions: what is wrong with one, its squared distance from the truth, the rank of its label.

What lives here: loops over (n_rows, n_classes) predictions that NumPy would answer with temporaries of that size. What
doesn't: softmax (``rowwise``) and losses on logits (``losses``), and sums over vectors, which NumPy takes.

Conventions
-----------
``proba`` and ``logits`` are C-contiguous, float32 or float64; every sum is taken in float64.
"""

import numpy as np

from ._compile import kernel

_SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)


@kernel(fastmath={"reassoc", "contract"})
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


@kernel
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


# --------------------------------------------------------------------------------------------------------------------
# a figure of each row


@kernel(fastmath={"reassoc", "contract"})
def row_products(left, right, out):
    """Fill out with the scalar product of row i of left and row i of right."""
    for i in range(left.shape[0]):
        total = 0.0
        for k in range(left.shape[1]):
            total += np.float64(left[i, k]) * np.float64(right[i, k])
        out[i] = total


@kernel(fastmath={"reassoc", "contract"})
def squared_distances(proba, labels, out):
    """Fill out with the squared distance of each row from the one-hot row of its label.

    Nothing is subtracted from the sum of all squares: what is left of a nearly perfect row keeps its digits.
    """
    for i in range(proba.shape[0]):
        label = labels[i]
        miss = 1.0 - np.float64(proba[i, label])
        total = 0.0
        for k in range(label):
            total += np.float64(proba[i, k]) * np.float64(proba[i, k])
        for k in range(label + 1, proba.shape[1]):
            total += np.float64(proba[i, k]) * np.float64(proba[i, k])
        out[i] = total + miss * miss


@kernel
def cross_entropies(proba, target, floor, out):
    """Fill out with -sum of target * log(proba), a class without a share left out and no probability below floor."""
    for i in range(proba.shape[0]):
        total = 0.0
        for k in range(proba.shape[1]):
            if target[i, k] > 0.0:
                least = max(np.float64(proba[i, k]), floor)
                # Plain Python warns of the logarithm of zero.
                total += np.float64(target[i, k]) * (-np.log(least) if least > 0.0 else np.inf)
        out[i] = total


@kernel
def divergences(rows, others, out):
    """Fill out with the sum of p * log(p / q) over row i of rows and of others; infinite where q alone is zero.

    Not the difference of two sums of logarithms, which would lose the digits that close rows have.
    """
    for i in range(rows.shape[0]):
        total = 0.0
        for k in range(rows.shape[1]):
            p, q = np.float64(rows[i, k]), np.float64(others[i, k])
            if p > 0.0:
                if q >= _SMALLEST_NORMAL:
                    total += p * np.log(p / q)
                else:  # the quotient may be beyond all numbers
                    total += p * (np.log(p) - np.log(q)) if q > 0.0 else np.inf
        # Rows sum to one only within rounding, so that the sum may come out below zero by as much.
        out[i] = max(total, 0.0)


@kernel
def top_k_hits(scores, labels, k, out):
    """Fill out with the probability that each row's label is among the k highest scores, equal ones in random order."""
    for i in range(scores.shape[0]):
        own = scores[i, labels[i]]
        above = 0
        equal = 0
        for j in range(scores.shape[1]):
            above += scores[i, j] > own
            equal += scores[i, j] == own
        out[i] = min(max((k - above) / equal, 0.0), 1.0)
