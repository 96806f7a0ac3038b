"""Sums over the bins of a calibration error, top labels, and labels drawn from probabilities.

What lives here: passes over rows of probabilities. What doesn't: where bins end, and what is made of their sums
(``metrics.calibration_errors``), random numbers (NumPy's generators, above).

Conventions
-----------
``edges`` is (columns, n_bins + 1) float64, non-decreasing from 0 to 1, or (1, n_bins + 1) for all columns alike. Bin b holds
``edges[b] < p <= edges[b + 1]``; what lies outside goes into the first or the last bin. Where ``even``, bins are of equal width
and looked up only for what is within rounding errors of an edge. A bin's sums stand together: one line of the cache for each.
"""

import numpy as np

from ._compile import kernel

# The bin of p. Of n bins of equal width it is floor(p n), unless p is so near to an edge that the product's rounding decides:
# the position is then off the edge by less than _ROUNDING, floor differs on either side of it, and p is compared with the edges
# themselves, which NumPy's linspace has rounded in its own way. Other bins are searched from where equal widths would have p,
# by steps to the neighbour: at most as many as there are bins, which are tens.
_ROUNDING = 1e-9


@kernel
def _search_bin(p, edges, e):
    """Return the bin of p among those of row e of the edges, starting where bins of equal width would have it."""
    last = edges.shape[1] - 2
    b = min(np.int64(p * (last + 1)), last)
    while b > 0 and p <= edges[e, b]:
        b -= 1
    while b < last and p > edges[e, b + 1]:
        b += 1
    return b


@kernel
def _find_bin(p, edges, e, even):
    """Return the bin of p among those of row e of the edges."""
    if even:
        position = p * (edges.shape[1] - 1)
        b = np.int64(position + _ROUNDING)
        if b == np.int64(position - _ROUNDING):
            return b
    return _search_bin(p, edges, e)


# Sums of bins. An error over bins is made of each bin's weight, sum of probabilities and sum of outcomes, all in one pass or
# two: means and norms of tens of bins are NumPy's. With labels, the sum of outcomes (is the row's label this column's class?)
# has one term a row, where a one-hot matrix would have n_columns: bin_label_weights looks up the label's column alone.


@kernel
def bin_sums(proba, values, weight, edges, even, sums):
    """Add each row's weight, and its weight times its value, to ``sums[column, bin of proba]``, (columns, n_bins, 2)."""
    shared = edges.shape[0] == 1
    for i in range(proba.shape[0]):
        w = weight[i]
        for k in range(proba.shape[1]):
            b = _find_bin(np.float64(proba[i, k]), edges, 0 if shared else k, even)
            sums[k, b, 0] += w
            sums[k, b, 1] += w * np.float64(values[i, k])


@kernel
def bin_label_weights(proba, labels, weight, edges, even, sums):
    """Add each row's weight to ``sums[label, bin of the label's proba]``, (columns, n_bins); a label of -1 is none."""
    shared = edges.shape[0] == 1
    for i in range(proba.shape[0]):
        # A label of -1 adds a zero to column 0: the processor would mispredict a branch on outcomes that are drawn at random.
        k = max(labels[i], 0)
        w = weight[i] if labels[i] >= 0 else 0.0
        sums[k, _find_bin(np.float64(proba[i, k]), edges, 0 if shared else k, even)] += w


@kernel
def top_labels(proba, labels, confidence, outcomes):
    """Set each row's largest probability, and 0 where its first column is the label's, else -1."""
    n_classes = proba.shape[1]
    for i in range(proba.shape[0]):
        # Four chains of comparisons, none of which waits for another.
        m0, m1, m2, m3 = proba[i, 0], proba[i, 0], proba[i, 0], proba[i, 0]
        for k in range(0, n_classes - 3, 4):
            m0 = proba[i, k] if proba[i, k] > m0 else m0
            m1 = proba[i, k + 1] if proba[i, k + 1] > m1 else m1
            m2 = proba[i, k + 2] if proba[i, k + 2] > m2 else m2
            m3 = proba[i, k + 3] if proba[i, k + 3] > m3 else m3
        for k in range(n_classes - n_classes % 4, n_classes):
            m0 = proba[i, k] if proba[i, k] > m0 else m0
        largest = max(max(m0, m1), max(m2, m3))
        # The label is the top one where it has the largest probability and is the first to have it, as argmax decides ties.
        outcome = np.int32(0) if proba[i, labels[i]] == largest else np.int32(-1)
        if outcome == 0:
            for k in range(labels[i]):
                if proba[i, k] == largest:
                    outcome = np.int32(-1)
        confidence[i, 0] = largest
        outcomes[i] = outcome


# Labels by inversion: the first class whose cumulative probability exceeds u times their total, by a binary search of the row,
# with one random number and log2(n_classes) comparisons a row. The total, instead of one, makes up for rounding in the sum.


@kernel
def draw_labels(cumulative, uniforms, labels):
    """Set each label to the first class whose cumulative probability exceeds the row's total times its uniform number."""
    last = cumulative.shape[1] - 1
    for i in range(cumulative.shape[0]):
        u = uniforms[i] * cumulative[i, last]
        low, high = 0, last
        while low < high:
            middle = (low + high) // 2
            if cumulative[i, middle] > u:
                high = middle
            else:
                low = middle + 1
        labels[i] = low
