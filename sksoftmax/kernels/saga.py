"""SAGA: a step after each row, against that row's new gradient and the sum of every row's latest."""

from ._compile import kernel
from .minibatch import batch_loss, gather_target
from .minibatch_csr import SMALLEST_SCALE

# The objective is sum_i f_i(theta) + lambda / 2 |theta|^2 over n rows, f_i with the row's weight. With g_i the gradient of f_i
# at theta, h_i the latest one that was taken of each row and S = sum_i h_i, a step is
#
#   theta <- (theta - lr (n (g_i - h_i) + S)) / (1 + lr lambda),  S <- S + g_i - h_i,  h_i <- g_i
#
# (Defazio, Bach & Lacoste-Julien 2014, equations 1 and 2, whose f_i are n times these; the division is their proximal operator,
# for the coefficients alone). As theta approaches the optimum, h_i approaches g_i and the noise of a step vanishes: lr need not
# fall.
#
# - g_i is the outer product of x_i and the gradient by the row's logits: the table keeps n_logits numbers a row, not n_params
#   (Schmidt, Le Roux & Bach 2017, section 4.1).
# - In the first epoch S is a sum over the rows seen so far: it is scaled up by n / n_seen (their section 4.2), instead of an
#   epoch that only fills the table, or one of plain SGD.
# - Rows come in a new permutation each epoch, not drawn with replacement as the proofs have it: each is met once an epoch.
# - Not SAG, their own step, where g_i - h_i is not multiplied by n: biased, and without a proximal operator. Not SVRG, which
#   needs no table but two gradients a step.
#
# In the code gradient_step is lr n, sum_step is lr n / n_seen, the weight of S, and decay_factor is 1 / (1 + lr lambda).


@kernel(fastmath={"reassoc", "contract"})
def _dot(x, w):
    total = 0.0
    for j in range(len(x)):
        total += x[j] * w[j]
    return total


@kernel(fastmath={"contract"})
def saga_dense(
    X,
    order,
    targets,
    batch_targets,
    lr,
    l2_strength,
    n_seen,
    table,
    coef,
    intercept,
    fits_intercept,
    gradient_sum,
    scratch,
):
    """Step after each row of X in order; return the sum of the rows' losses, each taken before its step.

    Parameters
    ----------
    order : (n,), int64
        Every row that has weight, once.
    targets, batch_targets
        As in ``sgd_epoch_csr``, ``batch_targets`` for one row.
    lr, l2_strength : float
    n_seen : int
        Rows whose gradients the table has: none or all.
    table : (n_rows, n_logits), float64
        Latest weighted gradient of each row by its logits; changed.
    coef, intercept : (n_logits, n_features), (n_logits,), float64
    fits_intercept : bool
        If not, intercept is zeros and stays so.
    gradient_sum : (coef, intercept)
        Sums over the rows of the gradients that the table stands for; changed.
    scratch : (logits, losses)
        (1, n_logits) and (1,) float64.
    """
    logits, losses = scratch
    coef_sum, intercept_sum = gradient_sum
    n_rows, decay_factor = len(order), 1.0 / (1.0 + lr * l2_strength)
    value = 0.0
    for row in order:
        x = X[row]
        for k in range(len(intercept)):
            logits[0, k] = _dot(x, coef[k]) + intercept[k]
        gather_target(targets, row, batch_targets, 0)
        value += batch_loss(targets, batch_targets, 1, logits, losses)
        n_seen = min(n_seen + 1, n_rows)
        sum_step = lr * n_rows / n_seen
        for k in range(len(intercept)):
            change = logits[0, k] - table[row, k]
            table[row, k] = logits[0, k]
            gradient_step = lr * n_rows * change
            w, s = coef[k], coef_sum[k]
            for j in range(len(x)):
                w[j] = (w[j] - sum_step * s[j] - gradient_step * x[j]) * decay_factor
                s[j] += change * x[j]
            if fits_intercept:
                intercept[k] -= sum_step * intercept_sum[k] + gradient_step
            intercept_sum[k] += change
    return value


# For CSR rows a step should cost what the row's stored numbers do, but S moves every column and decay_factor d scales it
# (Schmidt, Le Roux & Bach 2017, sections 4.1 "just-in-time parameter updates" and 4.3). With theta = scale * c a step is
#
#   c_j <- c_j - (sum_step / scale) S_j - (gradient_step / scale) (g_i - h_i)_j,  scale <- scale * d
#
# S_j changes at rows that have column j only. Between two of them c_j therefore moves by S_j times the sum of sum_step / scale
# over the steps between, whatever j: cumulative_step is that sum since the epoch began, last_update[j] its value when c_j was
# made current, and their difference, the missed step, is made up for when a row has the column again, or the epoch ends.
#
# What is written to last_update before a row's own step does not yet contain it: both loops over a row's numbers are needed,
# the logits before, the step after. The intercept is in every row and takes its steps at once.


@kernel(fastmath={"contract"})
def _make_current(coef, scale, coef_sum, cumulative_step, last_update):
    """Make up for the missed steps of all of coef, and multiply scale out."""
    for j in range(len(coef)):
        missed_step = cumulative_step - last_update[j]
        last_update[j] = 0.0
        for k in range(coef.shape[1]):
            coef[j, k] = scale * (coef[j, k] - missed_step * coef_sum[j, k])


@kernel(fastmath={"contract"})
def saga_csr(
    data,
    indices,
    indptr,
    order,
    targets,
    batch_targets,
    lr,
    l2_strength,
    n_seen,
    table,
    coef,
    intercept,
    fits_intercept,
    gradient_sum,
    last_update,
    scratch,
):
    """Do as ``saga_dense`` for CSR rows, touching the columns only that a row has; coefficients are (n_features, n_logits).

    ``last_update`` is (n_features,) zeros, float64, before and after.
    """
    logits, losses = scratch
    coef_sum, intercept_sum = gradient_sum
    n_rows, decay_factor, n_logits = len(order), 1.0 / (1.0 + lr * l2_strength), len(intercept)
    scale, cumulative_step, value = 1.0, 0.0, 0.0
    for row in order:
        logits[0] = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            j, x = indices[p], data[p]
            missed_step = cumulative_step - last_update[j]
            last_update[j] = cumulative_step
            w, s = coef[j], coef_sum[j]
            for k in range(n_logits):
                w[k] -= missed_step * s[k]
                logits[0, k] += x * w[k]
        for k in range(n_logits):
            logits[0, k] = scale * logits[0, k] + intercept[k]
        gather_target(targets, row, batch_targets, 0)
        value += batch_loss(targets, batch_targets, 1, logits, losses)
        n_seen = min(n_seen + 1, n_rows)
        sum_step = lr * n_rows / n_seen
        for k in range(n_logits):
            change = logits[0, k] - table[row, k]
            table[row, k] = logits[0, k]
            logits[0, k] = change
            if fits_intercept:
                intercept[k] -= sum_step * intercept_sum[k] + lr * n_rows * change
            intercept_sum[k] += change
        gradient_step = lr * n_rows / scale
        cumulative_step += sum_step / scale
        for p in range(indptr[row], indptr[row + 1]):
            j, x = indices[p], data[p]
            missed_step = cumulative_step - last_update[j]  # zero where the row has the column a second time
            last_update[j] = cumulative_step
            w, s = coef[j], coef_sum[j]
            for k in range(n_logits):
                w[k] -= missed_step * s[k] + gradient_step * x * logits[0, k]
            for k in range(n_logits):
                s[k] += x * logits[0, k]
        scale *= decay_factor
        if scale < SMALLEST_SCALE:
            _make_current(coef, scale, coef_sum, cumulative_step, last_update)
            scale, cumulative_step = 1.0, 0.0
    _make_current(coef, scale, coef_sum, cumulative_step, last_update)
    return value
