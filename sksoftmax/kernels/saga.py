"""SAGA: a step after each row, against the mean of every row's latest gradient."""

from ._compile import kernel
from .minibatch import batch_loss, gather_target
from .minibatch_csr import SMALLEST_SHRUNK


@kernel(fastmath={"reassoc", "contract"})
def _dot(x, w):
    total = 0.0
    for j in range(len(x)):
        total += x[j] * w[j]
    return total


@kernel(fastmath={"contract"})
def saga_dense(X, order, targets, batch, rate, alpha, n_seen, table, coef, intercept, fits_intercept, sums, block):
    """Pass once over the rows of X in order by SAGA (Defazio, Bach & Lacoste-Julien 2014), return their loss as met.

    Parameters
    ----------
    order : (n,), int64
        Every row that has weight, once.
    targets, batch
        As in ``sgd_epoch_csr``, ``batch`` for one row.
    rate, alpha : float
        Step size and strength of the L2 penalty, whose pull is implicit.
    n_seen : int
        Rows whose gradients the table has: none or all.
    table : (n_rows, n_logits), float64
        Latest weighted gradient of each row by its logits.
    coef, intercept : (n_logits, n_features), (n_logits,), float64
    sums : (coef, intercept)
        Of the gradients that the table stands for.
    block : (logits, losses)
        Scratch: (1, n_logits) and (1,) float64.
    """
    logits, losses = block
    coef_sum, intercept_sum = sums
    n_rows, shrink = len(order), 1.0 / (1.0 + rate * alpha)
    value = 0.0
    for row in order:
        x = X[row]
        for k in range(len(intercept)):
            logits[0, k] = _dot(x, coef[k]) + intercept[k]
        gather_target(targets, row, batch, 0)
        value += batch_loss(targets, batch, 1, logits, losses)
        n_seen = min(n_seen + 1, n_rows)
        drift = rate * n_rows / n_seen
        for k in range(len(intercept)):
            change = logits[0, k] - table[row, k]
            table[row, k] = logits[0, k]
            push = rate * n_rows * change
            w, s = coef[k], coef_sum[k]
            for j in range(len(x)):
                w[j] = (w[j] - drift * s[j] - push * x[j]) * shrink
                s[j] += change * x[j]
            if fits_intercept:
                intercept[k] -= drift * intercept_sum[k] + push
            intercept_sum[k] += change
    return value


@kernel(fastmath={"contract"})
def _catch_up(coef, shrunk, coef_sum, drifted, since):
    """Take the drift that they have not felt from all of coef, and multiply shrunk out."""
    for j in range(len(coef)):
        lag = drifted - since[j]
        since[j] = 0.0
        for k in range(coef.shape[1]):
            coef[j, k] = shrunk * (coef[j, k] - lag * coef_sum[j, k])


@kernel(fastmath={"contract"})
def saga_csr(
    data,
    indices,
    indptr,
    order,
    targets,
    batch,
    rate,
    alpha,
    n_seen,
    table,
    coef,
    intercept,
    fits_intercept,
    sums,
    since,
    block,
):
    """Do as ``saga_dense`` for CSR rows, touching the columns only that a row has; coefficients are (n_features, n_logits).

    Coefficients are ``shrunk * coef``. Between two rows that have a column the drift against its mean gradient is constant
    but for a number common to all columns: ``drifted`` sums that number up, ``since`` holds how much of it a column has felt.
    """
    logits, losses = block
    coef_sum, intercept_sum = sums
    n_rows, shrink, n_logits = len(order), 1.0 / (1.0 + rate * alpha), len(intercept)
    shrunk, drifted, value = 1.0, 0.0, 0.0
    for row in order:
        logits[0] = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            j, x = indices[p], data[p]
            lag = drifted - since[j]
            since[j] = drifted
            w, s = coef[j], coef_sum[j]
            for k in range(n_logits):
                w[k] -= lag * s[k]
                logits[0, k] += x * w[k]
        for k in range(n_logits):
            logits[0, k] = shrunk * logits[0, k] + intercept[k]
        gather_target(targets, row, batch, 0)
        value += batch_loss(targets, batch, 1, logits, losses)
        n_seen = min(n_seen + 1, n_rows)
        drift = rate * n_rows / n_seen
        for k in range(n_logits):
            change = logits[0, k] - table[row, k]
            table[row, k] = logits[0, k]
            logits[0, k] = change
            if fits_intercept:
                intercept[k] -= drift * intercept_sum[k] + rate * n_rows * change
            intercept_sum[k] += change
        push = rate * n_rows / shrunk
        drifted += drift / shrunk
        for p in range(indptr[row], indptr[row + 1]):
            j, x = indices[p], data[p]
            lag = drifted - since[j]  # zero where the row has the column a second time
            since[j] = drifted
            w, s = coef[j], coef_sum[j]
            for k in range(n_logits):
                w[k] -= lag * s[k] + push * x * logits[0, k]
            for k in range(n_logits):
                s[k] += x * logits[0, k]
        shrunk *= shrink
        if shrunk < SMALLEST_SHRUNK:
            _catch_up(coef, shrunk, coef_sum, drifted, since)
            shrunk, drifted = 1.0, 0.0
    _catch_up(coef, shrunk, coef_sum, drifted, since)
    return value
