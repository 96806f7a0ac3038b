"""Weighted Gram matrices of few columns, where calls of BLAS would cost more than they do."""

from ._compile import kernel

# X.T @ diag(w) @ X as a sum over tiles of four rows: each entry of the lower triangle is then read and written once for four
# rows, and the loop along b, contiguous in x0 ... x3 and in out, is four fused multiplications a load of out, which LLVM
# vectorises. w enters with the factor of index a, one multiplication for a row of the triangle.
#
# BLAS has no weighted syrk: it would need a copy of X times sqrt(w), which fails for the weights of off-diagonal blocks, which
# are negative, or gemm, which computes both triangles. From some tens of columns on gemm wins nevertheless; the caller decides.


@kernel(fastmath={"reassoc", "contract"})
def add_weighted_gram(X, row_weight, gram):
    """Add the lower triangle of ``X.T @ diag(row_weight) @ X`` to gram; X is float64."""
    n_rows, n_columns = X.shape
    n_tiled = n_rows - n_rows % 4
    for i in range(0, n_tiled, 4):
        x0, x1, x2, x3 = X[i], X[i + 1], X[i + 2], X[i + 3]
        w0, w1, w2, w3 = row_weight[i], row_weight[i + 1], row_weight[i + 2], row_weight[i + 3]
        for a in range(n_columns):
            t0, t1, t2, t3 = w0 * x0[a], w1 * x1[a], w2 * x2[a], w3 * x3[a]
            out = gram[a]
            for b in range(a + 1):
                out[b] += t0 * x0[b] + t1 * x1[b] + t2 * x2[b] + t3 * x3[b]
    for i in range(n_tiled, n_rows):
        for a in range(n_columns):
            for b in range(a + 1):
                gram[a, b] += row_weight[i] * X[i, a] * X[i, b]


# The Hessian has a block for each pair (k, l) of logits: with H_i the second derivatives of row i's loss by its logits, block
# (k, l) is X.T @ diag(H_i[k, l]) @ X. Each block is symmetric and (l, k) equals (k, l): an entry of the lower triangle of the
# block of a pair l <= k stands in up to four places.


@kernel
def add_hessian_blocks(X, pair_weight, first, last, positions, gram, hessian):
    """Add the blocks first:last of pairs of logits to the Hessian, both triangles.

    Parameters
    ----------
    X : (rows, width), float64
        With a last column of ones if there is an intercept.
    pair_weight : (n_pairs, rows)
        As a loss's ``pairs`` fills it: weighted second derivatives by two logits, in the order (0, 0), (1, 0), (1, 1), ...
    first, last : int
        Of the pairs, so that threads share them.
    positions : (n_logits, width)
        Where the parameters of each logit sit in the flat vector.
    gram : (width, width), float64
        Scratch.
    hessian : (n_params, n_params), float64
    """
    width = X.shape[1]
    pair = 0
    for k in range(len(positions)):
        for other in range(k + 1):
            if first <= pair < last:
                gram[:] = 0.0
                add_weighted_gram(X, pair_weight[pair], gram)
                for a in range(width):
                    for b in range(a + 1):
                        hessian[positions[k, a], positions[other, b]] += gram[a, b]
                        if a != b:
                            hessian[positions[k, b], positions[other, a]] += gram[a, b]
                        if k != other:
                            hessian[positions[other, b], positions[k, a]] += gram[a, b]
                            if a != b:
                                hessian[positions[other, a], positions[k, b]] += gram[a, b]
            pair += 1
