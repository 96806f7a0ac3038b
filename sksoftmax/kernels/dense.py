"""Passes over dense rows: four data rows at a time against tiles of four, two or one classes."""

from ._compile import kernel
from .losses import call_hessian_product, call_value_and_gradient, weighted_curvature

# Scalar products of four rows and four classes at once: for each feature, 8 loads serve 16 multiplications, where a product of
# one row and one class takes 2 loads for one. The 16 sums, 4 coefficients and one number of X are 21 vectors, of which AVX-512
# has 32; eight classes would need 32 vectors for the sums alone. The loop runs along the features, contiguous in X and coef:
# "reassoc" lets LLVM split each sum over the lanes of a vector.
#
# What four classes leave over takes tiles of two (6 loads for 8 multiplications) and one (5 for 4), so that no class is
# computed and thrown away. Not BLAS: which of its kernels sums a row, and in which order, depends on how many rows there are,
# so that a row's logits would change with the rows beside it.


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


# All rows of a block pass by a chunk of classes before the next chunk's turn: the chunk's coefficients, or their gradient, stay
# in the second-level cache and the block of X is read from it once a chunk. 2^15 numbers are 128 KiB of float32 and 256 KiB of
# float64, which leaves room for the block. In one chunk, 1,000 classes of 512 features would have their gradient, 4 MB, read
# and written for every eight rows: twice the time of a pass. Few classes are one chunk.
_CHUNK_NUMBERS = 32768


@kernel
def _chunk_of_classes(n_features):
    """Return how many classes, a multiple of the widest tile, make a chunk."""
    return max(_CHUNK_NUMBERS // max(n_features, 1) // 4 * 4, 4)


# One to three last rows are scored in a full tile too, in which the last row stands in for those that are missing. Another loop
# for them would sum in another order: here a row's logits are the same bits wherever in X, and in whichever batch, it stands.
# Which tile a class is in depends on the numbers of classes and features alone.


@kernel
def score_dense(X, coef, intercept, start, stop, logits):
    """Fill logits with ``X[start:stop] @ coef.T + intercept``."""
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


# With g_i the gradient by the logits of row i, that of class k's coefficients is sum_i g_ik x_i. Here the sums over rows stand
# in memory, coef_gradient, and the loop along the features reads and writes them once a tile.
#
# - Sums over rows are float64, as the error of a float32 sum grows with their number. Eight products are added in X's dtype
#   before, with an error of a few roundings of their own size: float32 vectors hold twice the numbers, and one conversion and
#   one float64 addition serve eight products.
# - Eight rows against two classes take, for each feature, 8 loads of X, 2 loads and 2 stores of sums for 16 multiplications.
#   Four rows against four classes move as many numbers, but twice as many float64 ones and with twice the conversions.
# - Not a tile of sums in registers and the loop along the rows: X would be read across its rows.
# - What eight rows leave over goes row by row. Blocks are multiples of eight rows: only the last of a segment or minibatch has
#   such rows, the same for any number of threads.


@kernel(fastmath={"contract"})
def project_dense(X, gradient, start, stop, coef_gradient, intercept_gradient):
    """Add ``gradient.T @ X[start:stop]`` to coef_gradient and the column sums of gradient to intercept_gradient."""
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


# The loss over all rows, with w_i the weight of row i and z_i its logits, and with g_i the gradient of w_i l_i by z_i, is
#
#   F(W, b) = sum_i w_i l_i(z_i),  z_i = W x_i + b,    dF / dW = sum_i g_i x_i^T,  dF / db = sum_i g_i:
#
# score, turn logits into g, project. A block of rows at a time, so that its rows come from memory once and from cache the
# second time, and no array of n_rows x n_logits exists.


@kernel
def sum_dense(X, value_and_gradient, labels, proba, class_weight, weight, parameters, coef, intercept, segment, scratch, out):
    """Add the gradient of the loss over the rows of segment to out and return the loss.

    Parameters
    ----------
    X : (n_rows, n_features)
    value_and_gradient : int
        Address of the loss's kernel, made for the dtypes of ``logits`` and proba.
    labels, proba, class_weight, weight, parameters
        As ``losses`` has them.
    coef, intercept : (n_logits, n_features) and (n_logits,), X's dtype
    segment : (start, stop)
    scratch : (logits, losses)
        (block_rows, n_logits) of X's dtype and (block_rows,) float64.
    out : (coef_gradient, intercept_gradient)
        float64.
    """
    logits, losses = scratch
    value = 0.0
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        value += call_value_and_gradient(
            value_and_gradient, (labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
        )
        project_dense(X, logits, start, stop, out[0], out[1])
    return value


# z_i is linear in the parameters: a direction (D, d) changes it by D x_i + d, and g_i by H_i (D x_i + d) with H_i the second
# derivatives of w_i l_i by z_i. The Hessian of F times the direction is therefore, by W and by b,
#
#   sum_i H_i (D x_i + d) x_i^T,    sum_i H_i (D x_i + d):
#
# two scorings, of the parameters for H_i and of the direction, and one projection. A matrix of n_params^2 numbers is never
# formed.


@kernel
def hessian_product_dense(X, hessian_product, labels, parameters, weight, coef, intercept, direction, segment, scratch, out):
    """Add the Hessian of the loss over the rows of segment times direction to out.

    ``direction`` is (coef, intercept) as those are, ``scratch`` two arrays like logits; other arguments as in ``sum_dense``.
    """
    logits, change = scratch
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        score_dense(X, direction[0], direction[1], start, stop, change)
        call_hessian_product(hessian_product, (labels, parameters, weight, start, stop, logits, change))
        project_dense(X, change, start, stop, out[0], out[1])


# The second derivative of F by W_kj is sum_i (H_i)_kk x_ij^2: the projection of the diagonals of H_i on the squares of X, which
# are formed a block at a time.


@kernel
def sum_curvature_dense(X, curvature, labels, parameters, weight, coef, intercept, segment, scratch, out):
    """Add the Hessian's diagonal over the rows of segment to out; ``scratch`` is (logits, squares), these like rows of X."""
    logits, squares = scratch
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        weighted_curvature(curvature, labels, parameters, weight, start, stop, logits)
        for i in range(stop - start):
            for j in range(X.shape[1]):
                squares[i, j] = X[start + i, j] * X[start + i, j]
        project_dense(squares, logits, 0, stop - start, out[0], out[1])
