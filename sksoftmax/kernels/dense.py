"""Passes over dense rows: four data rows at a time against tiles of four, two or one classes."""

from ._compile import kernel
from .losses import call_hessian_product, call_value_and_gradient, weighted_curvature


@kernel(fastmath={"reassoc", "contract"})
def _dot_4x4(x0, x1, x2, x3, w0, w1, w2, w3):
    zero = x0.dtype.type(0)
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = zero
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = zero
    for j in range(len(x0)):
        c0, c1, c2, c3 = w0[j], w1[j], w2[j], w3[j]
        v = x0[j]
        s00 += v * c0
        s01 += v * c1
        s02 += v * c2
        s03 += v * c3
        v = x1[j]
        s10 += v * c0
        s11 += v * c1
        s12 += v * c2
        s13 += v * c3
        v = x2[j]
        s20 += v * c0
        s21 += v * c1
        s22 += v * c2
        s23 += v * c3
        v = x3[j]
        s30 += v * c0
        s31 += v * c1
        s32 += v * c2
        s33 += v * c3
    return s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33


@kernel(fastmath={"reassoc", "contract"})
def _dot_4x2(x0, x1, x2, x3, w0, w1):
    zero = x0.dtype.type(0)
    s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = zero
    for j in range(len(x0)):
        c0, c1 = w0[j], w1[j]
        s00 += x0[j] * c0
        s01 += x0[j] * c1
        s10 += x1[j] * c0
        s11 += x1[j] * c1
        s20 += x2[j] * c0
        s21 += x2[j] * c1
        s30 += x3[j] * c0
        s31 += x3[j] * c1
    return s00, s01, s10, s11, s20, s21, s30, s31


@kernel(fastmath={"reassoc", "contract"})
def _dot_4x1(x0, x1, x2, x3, w0):
    zero = x0.dtype.type(0)
    s0 = s1 = s2 = s3 = zero
    for j in range(len(x0)):
        s0 += x0[j] * w0[j]
        s1 += x1[j] * w0[j]
        s2 += x2[j] * w0[j]
        s3 += x3[j] * w0[j]
    return s0, s1, s2, s3


# Coefficients of a chunk of classes stay in cache while all rows of a block pass by: 2^15 numbers of them.
_CHUNK_NUMBERS = 32768


@kernel
def _chunk_of_classes(n_features):
    """Return how many classes, a multiple of the widest tile, make a chunk."""
    return max(_CHUNK_NUMBERS // max(n_features, 1) // 4 * 4, 4)


@kernel
def score_dense(X, coef, intercept, start, stop, logits):
    """Fill logits with ``X[start:stop] @ coef.T + intercept``.

    The last rows of a block are scored in a full tile too, the last one standing in for those that are missing: a row's
    logits are the same bits wherever in a batch it stands.
    """
    n_logits, n_features = coef.shape
    chunk = _chunk_of_classes(n_features)
    last = stop - start - 1
    for first in range(0, n_logits, chunk):
        end = min(first + chunk, n_logits)
        for i in range(0, stop - start, 4):
            i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
            x0, x1, x2, x3 = X[start + i], X[start + i1], X[start + i2], X[start + i3]
            k = first
            while k + 4 <= end:
                s = _dot_4x4(x0, x1, x2, x3, coef[k], coef[k + 1], coef[k + 2], coef[k + 3])
                for c in range(4):
                    logits[i, k + c] = s[c] + intercept[k + c]
                    logits[i1, k + c] = s[4 + c] + intercept[k + c]
                    logits[i2, k + c] = s[8 + c] + intercept[k + c]
                    logits[i3, k + c] = s[12 + c] + intercept[k + c]
                k += 4
            if k + 2 <= end:
                s00, s01, s10, s11, s20, s21, s30, s31 = _dot_4x2(x0, x1, x2, x3, coef[k], coef[k + 1])
                logits[i, k], logits[i, k + 1] = s00 + intercept[k], s01 + intercept[k + 1]
                logits[i1, k], logits[i1, k + 1] = s10 + intercept[k], s11 + intercept[k + 1]
                logits[i2, k], logits[i2, k + 1] = s20 + intercept[k], s21 + intercept[k + 1]
                logits[i3, k], logits[i3, k + 1] = s30 + intercept[k], s31 + intercept[k + 1]
                k += 2
            if k < end:
                s0, s1, s2, s3 = _dot_4x1(x0, x1, x2, x3, coef[k])
                logits[i, k] = s0 + intercept[k]
                logits[i1, k] = s1 + intercept[k]
                logits[i2, k] = s2 + intercept[k]
                logits[i3, k] = s3 + intercept[k]


@kernel(fastmath={"contract"})
def project_dense(X, gradient, start, stop, coef_gradient, intercept_gradient):
    """Add ``gradient.T @ X[start:stop]`` to coef_gradient and the column sums of gradient to intercept_gradient.

    Eight data rows at a time against two classes: eight products are added in X's dtype, the rest of the sum is float64.
    """
    n_logits, n_features = coef_gradient.shape
    n_rows = stop - start
    n_tiled = n_rows - n_rows % 8
    chunk = _chunk_of_classes(n_features)
    for first in range(0, n_logits, chunk):
        end = min(first + chunk, n_logits)
        for i in range(0, n_tiled, 8):
            x0, x1, x2, x3 = X[start + i], X[start + i + 1], X[start + i + 2], X[start + i + 3]
            x4, x5, x6, x7 = X[start + i + 4], X[start + i + 5], X[start + i + 6], X[start + i + 7]
            k = first
            while k + 2 <= end:
                a0, a1, a2, a3 = gradient[i, k], gradient[i + 1, k], gradient[i + 2, k], gradient[i + 3, k]
                a4, a5, a6, a7 = gradient[i + 4, k], gradient[i + 5, k], gradient[i + 6, k], gradient[i + 7, k]
                k += 1
                b0, b1, b2, b3 = gradient[i, k], gradient[i + 1, k], gradient[i + 2, k], gradient[i + 3, k]
                b4, b5, b6, b7 = gradient[i + 4, k], gradient[i + 5, k], gradient[i + 6, k], gradient[i + 7, k]
                k += 1
                out_a, out_b = coef_gradient[k - 2], coef_gradient[k - 1]
                for j in range(n_features):
                    v0, v1, v2, v3, v4, v5, v6, v7 = x0[j], x1[j], x2[j], x3[j], x4[j], x5[j], x6[j], x7[j]
                    out_a[j] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3 + a4 * v4 + a5 * v5 + a6 * v6 + a7 * v7
                    out_b[j] += b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3 + b4 * v4 + b5 * v5 + b6 * v6 + b7 * v7
            if k < end:
                a0, a1, a2, a3 = gradient[i, k], gradient[i + 1, k], gradient[i + 2, k], gradient[i + 3, k]
                a4, a5, a6, a7 = gradient[i + 4, k], gradient[i + 5, k], gradient[i + 6, k], gradient[i + 7, k]
                out_a = coef_gradient[k]
                for j in range(n_features):
                    v0, v1, v2, v3, v4, v5, v6, v7 = x0[j], x1[j], x2[j], x3[j], x4[j], x5[j], x6[j], x7[j]
                    out_a[j] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3 + a4 * v4 + a5 * v5 + a6 * v6 + a7 * v7
    for i in range(n_tiled, n_rows):
        for k in range(n_logits):
            for j in range(n_features):
                coef_gradient[k, j] += gradient[i, k] * X[start + i, j]
    for i in range(n_rows):
        for k in range(n_logits):
            intercept_gradient[k] += gradient[i, k]


@kernel
def sum_dense(X, value_and_gradient, labels, proba, class_weight, weight, parameters, coef, intercept, segment, block, out):
    """Add the gradient of the loss over the rows of segment to out and return the loss.

    Rows are scored, their gradient taken and projected back ``len(block.logits)`` at a time, while they are in cache.

    Parameters
    ----------
    X : (n_rows, n_features)
    value_and_gradient : int
        Address of the loss's kernel, made for the dtypes of ``logits`` and proba.
    labels, proba, class_weight, weight, parameters
        As ``losses`` has them.
    coef, intercept : (n_logits, n_features) and (n_logits,), X's dtype
    segment : (start, stop)
    block : (logits, losses)
        Scratch: (block_rows, n_logits) of X's dtype and (block_rows,) float64.
    out : (coef_gradient, intercept_gradient)
        float64.
    """
    logits, losses = block
    value = 0.0
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        value += call_value_and_gradient(
            value_and_gradient, (labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
        )
        project_dense(X, logits, start, stop, out[0], out[1])
    return value


@kernel
def hessian_product_dense(X, hessian_product, labels, parameters, weight, coef, intercept, direction, segment, block, out):
    """Add the Hessian of the loss over the rows of segment times direction to out.

    ``direction`` is (coef, intercept) as those are, ``block`` two scratch arrays like logits; the rest as in ``sum_dense``.
    """
    logits, change = block
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        score_dense(X, direction[0], direction[1], start, stop, change)
        call_hessian_product(hessian_product, (labels, parameters, weight, start, stop, logits, change))
        project_dense(X, change, start, stop, out[0], out[1])


@kernel
def sum_curvature_dense(X, curvature, labels, parameters, weight, coef, intercept, segment, block, out):
    """Add the Hessian's diagonal over the rows of segment to out; ``block`` is (logits, squares), these like rows of X."""
    logits, squares = block
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        weighted_curvature(curvature, labels, parameters, weight, start, stop, logits)
        for i in range(stop - start):
            for j in range(X.shape[1]):
                squares[i, j] = X[start + i, j] * X[start + i, j]
        project_dense(squares, logits, 0, stop - start, out[0], out[1])
