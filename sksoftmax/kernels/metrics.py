"""Passes over rows of predictions: the first invalid row, distances from the target, whether the label is in the top k.

What lives here: loops over (n_rows, n_classes) predictions that NumPy would answer with temporaries of that size. What
doesn't: softmax (``rowwise``) and losses on logits (``losses``), and sums over vectors, which NumPy takes.

Conventions
-----------
``proba`` and ``logits`` are C-contiguous, float32 or float64; every sum is taken in float64.
"""

import numpy as np

from ._compile import kernel

_SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)

# --------------------------------------------------------------------------------------------------------------------
# Checks. A row is read without a branch, so that its loop vectorises, and left at the first row that fails: NumPy's
# reductions would read the whole array once for each condition and keep a temporary of its size.


@kernel(fastmath={"reassoc", "contract"})
def find_invalid_proba(proba, tolerance):
    """Return the first row that is negative somewhere or does not sum to one within tolerance, NaN included; -1 if none."""
    for i in range(proba.shape[0]):
        total = 0.0
        n_negative = 0
        for k in range(proba.shape[1]):
            total += np.float64(proba[i, k])
            n_negative += proba[i, k] < 0.0
        # "not <=" instead of ">": a row that holds NaN has the sum NaN.
        if n_negative > 0 or not abs(total - 1.0) <= tolerance:
            return i
    return -1


@kernel
def find_invalid_logits(logits):
    """Return the first row that holds NaN or +inf, or nothing but -inf; -1 if none."""
    for i in range(logits.shape[0]):
        n_invalid = 0
        n_possible = 0
        for k in range(logits.shape[1]):
            n_invalid += not logits[i, k] < np.inf
            n_possible += logits[i, k] > -np.inf
        if n_invalid > 0 or n_possible == 0:
            return i
    return -1


# --------------------------------------------------------------------------------------------------------------------
# One value a row: scoring rules and the like, before weights and means, which NumPy takes.


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
    """Fill out with the squared distance of each row from the one-hot row of its label (the Brier score of the row)."""
    # As (1 - p_label)^2 plus the other squares, all terms positive: |p|^2 - 2 p_label + 1, in one loop, would lose the digits
    # of a nearly perfect row to cancellation.
    for i in range(proba.shape[0]):
        label = labels[i]
        residual = 1.0 - np.float64(proba[i, label])
        total = 0.0
        for k in range(label):
            total += np.float64(proba[i, k]) * np.float64(proba[i, k])
        for k in range(label + 1, proba.shape[1]):
            total += np.float64(proba[i, k]) * np.float64(proba[i, k])
        out[i] = total + residual * residual


@kernel
def cross_entropies(proba, target, floor, out):
    """Fill out with -sum of target * log(proba), with probabilities below floor raised to it."""
    for i in range(proba.shape[0]):
        total = 0.0
        for k in range(proba.shape[1]):
            # 0 log 0 is 0: a class without a share of the target is left out, whatever its probability.
            if target[i, k] > 0.0:
                p = max(np.float64(proba[i, k]), floor)
                # Plain Python warns of the logarithm of zero.
                total += np.float64(target[i, k]) * (-np.log(p) if p > 0.0 else np.inf)
        out[i] = total


@kernel
def divergences(rows, others, out):
    """Fill out with the sum of p * log(p / q) over row i of rows and of others; infinite where q alone is zero."""
    # The Kullback-Leibler divergence. As the logarithm of quotients, not as cross-entropy less entropy: the difference of two
    # sums would lose the digits of rows that are close.
    for i in range(rows.shape[0]):
        total = 0.0
        for k in range(rows.shape[1]):
            p, q = np.float64(rows[i, k]), np.float64(others[i, k])
            if p > 0.0:
                if q >= _SMALLEST_NORMAL:
                    total += p * np.log(p / q)
                else:  # the quotient may overflow
                    total += p * (np.log(p) - np.log(q)) if q > 0.0 else np.inf
        # Rows sum to one only within rounding, so that the sum may come out below zero by as much.
        out[i] = max(total, 0.0)


@kernel
def top_k_accuracies(scores, labels, k, out):
    """Fill out with the probability that each row's label is among the k highest scores, equal ones in random order."""
    # Of n_equal scores that tie, the label's among them, those at ranks up to k number k - n_higher: the label is one of them
    # with probability (k - n_higher) / n_equal. Counting needs no sort and no choice among ties by the classes' order.
    for i in range(scores.shape[0]):
        label_score = scores[i, labels[i]]
        n_higher = 0
        n_equal = 0
        for j in range(scores.shape[1]):
            n_higher += scores[i, j] > label_score
            n_equal += scores[i, j] == label_score
        out[i] = min(max((k - n_higher) / n_equal, 0.0), 1.0)
