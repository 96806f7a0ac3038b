"""Passes over CSR rows, vectorised along the classes."""

import numpy as np

from ._compile import kernel
from .losses import call_hessian_product, call_value_and_gradient, weighted_curvature

# Coefficients are feature-major, (n_features, n_logits), where dense rows have (n_logits, n_features). A stored number of
# column j meets the coefficients of all classes for j, which are contiguous: one place of memory for each stored number, and a
# loop along the classes that LLVM vectorises without a gather. Class-major, each stored number would touch n_logits places,
# each a cache line of which one number is used. No chunks of classes: each would read the stored numbers again, and the
# coefficients of even one class, for all features, need not fit the cache.
#
# Scoring takes four stored numbers at a time. Their four rows of coef, which lie anywhere, are waited for together, and a logit
# is read and written once for four products instead of once for each. The sum goes in the order in which the numbers are
# stored, four by four from the row's first: a row's logits are the same bits wherever in X it stands.


@kernel(fastmath={"contract"})
def score_csr(data, indices, indptr, coef, intercept, start, stop, logits):
    """Fill logits with ``X[start:stop] @ coef + intercept``, coef being (n_features, n_logits)."""
    n_logits = coef.shape[1]
    for i in range(stop - start):
        for k in range(n_logits):
            logits[i, k] = intercept[k]
        p, end = indptr[start + i], indptr[start + i + 1]
        while p + 4 <= end:
            v0, v1, v2, v3 = data[p], data[p + 1], data[p + 2], data[p + 3]
            w0, w1, w2, w3 = coef[indices[p]], coef[indices[p + 1]], coef[indices[p + 2]], coef[indices[p + 3]]
            for k in range(n_logits):
                logits[i, k] += v0 * w0[k] + v1 * w1[k] + v2 * w2[k] + v3 * w3[k]
            p += 4
        while p < end:
            v0, w0 = data[p], coef[indices[p]]
            for k in range(n_logits):
                logits[i, k] += v0 * w0[k]
            p += 1


# A stored number x_ij adds x_ij g_i to the gradient of column j's coefficients, the product in X's dtype and the sum in
# float64. One stored number at a time: each changes another row of the gradient, so that a tile would save only loads of g_i,
# which is in the first-level cache. Not by columns of a CSC copy, whose rows of the gradient would stay in registers: it is X
# once more in memory, and a pass would read both copies.


@kernel(fastmath={"contract"})
def project_csr(data, indices, indptr, gradient, start, stop, coef_gradient, intercept_gradient):
    """Add ``X[start:stop].T @ gradient`` to coef_gradient and the column sums of gradient to intercept_gradient."""
    n_logits = gradient.shape[1]
    for i in range(stop - start):
        for p in range(indptr[start + i], indptr[start + i + 1]):
            value, out = data[p], coef_gradient[indices[p]]
            for k in range(n_logits):
                out[k] += value * gradient[i, k]
        for k in range(n_logits):
            intercept_gradient[k] += gradient[i, k]


@kernel
def sum_csr(
    data,
    indices,
    indptr,
    value_and_gradient,
    labels,
    proba,
    class_weight,
    weight,
    parameters,
    coef,
    intercept,
    segment,
    scratch,
    out,
):
    """Do as ``sum_dense`` for CSR rows; coef and its gradient are (n_features, n_logits)."""
    logits, losses = scratch
    value = 0.0
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_csr(data, indices, indptr, coef, intercept, start, stop, logits)
        value += call_value_and_gradient(
            value_and_gradient, (labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
        )
        project_csr(data, indices, indptr, logits, start, stop, out[0], out[1])
    return value


@kernel
def hessian_product_csr(
    data, indices, indptr, hessian_product, labels, parameters, weight, coef, intercept, direction, segment, scratch, out
):
    """Do as ``hessian_product_dense`` for CSR rows; coefficients are (n_features, n_logits)."""
    logits, change = scratch
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_csr(data, indices, indptr, coef, intercept, start, stop, logits)
        score_csr(data, indices, indptr, direction[0], direction[1], start, stop, change)
        call_hessian_product(hessian_product, (labels, parameters, weight, start, stop, logits, change))
        project_csr(data, indices, indptr, change, start, stop, out[0], out[1])


# sum_i (H_i)_kk x_ij^2 as for dense rows, without an array of squares: each is formed where it is used, in float64.


@kernel(fastmath={"contract"})
def sum_curvature_csr(data, indices, indptr, curvature, labels, parameters, weight, coef, intercept, segment, logits, out):
    """Add the Hessian's diagonal over the rows of segment to out; coefficients are (n_features, n_logits)."""
    n_logits = logits.shape[1]
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_csr(data, indices, indptr, coef, intercept, start, stop, logits)
        weighted_curvature(curvature, labels, parameters, weight, start, stop, logits)
        for i in range(stop - start):
            for p in range(indptr[start + i], indptr[start + i + 1]):
                square, sums = np.float64(data[p]) * np.float64(data[p]), out[0][indices[p]]
                for k in range(n_logits):
                    sums[k] += square * logits[i, k]
            for k in range(n_logits):
                out[1][k] += logits[i, k]
