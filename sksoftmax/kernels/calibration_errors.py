"""Sums over the bins of a calibration error, and labels drawn from probabilities.

What lives here: passes over rows of probabilities. What doesn't: where bins end, and what is made of their sums
(``metrics.calibration_errors``), random numbers (NumPy's generators, above).

Conventions
-----------
``edges`` is (columns, n_bins + 1) float64, non-decreasing, or (1, n_bins + 1) for all columns alike. Bin b holds
``edges[b] < p <= edges[b + 1]``; what lies outside goes into the first or the last bin. The search starts where bins of equal
width would have p, so that it costs nothing for these. A bin's sums stand together: one line of the cache for each.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def _bin_of(p, edges, e):
    """Return the bin of p among those of row e of the edges."""
    last = edges.shape[1] - 2
    b = min(np.int64(p * (last + 1)), last)
    while b > 0 and p <= edges[e, b]:
        b -= 1
    while b < last and p > edges[e, b + 1]:
        b += 1
    return b


@njit(cache=True, nogil=True, error_model="numpy")
def bin_sums(proba, values, weight, edges, sums):
    """Add each row's weight, and its weight times its value, to ``sums[column, bin of proba]``, (columns, n_bins, 2)."""
    shared = edges.shape[0] == 1
    for i in range(proba.shape[0]):
        w = weight[i]
        for k in range(proba.shape[1]):
            b = _bin_of(np.float64(proba[i, k]), edges, 0 if shared else k)
            sums[k, b, 0] += w
            sums[k, b, 1] += w * np.float64(values[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def bin_hits(proba, labels, weight, edges, hits):
    """Add each row's weight to ``hits[label, bin of the label's proba]``, (columns, n_bins); a label of -1 is none."""
    shared = edges.shape[0] == 1
    for i in range(proba.shape[0]):
        k = labels[i]
        if k >= 0:
            hits[k, _bin_of(np.float64(proba[i, k]), edges, 0 if shared else k)] += weight[i]


@njit(cache=True, nogil=True, error_model="numpy")
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
