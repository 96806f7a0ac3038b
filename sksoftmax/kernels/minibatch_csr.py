"""Minibatch epochs over CSR rows: steps of all columns, or of those only that the minibatch has."""

from ._compile import kernel
from .csr import project_csr, score_csr
from .minibatch import batch_loss, gather_target, step_all

# Rows are scored where they lie, in the order given, not gathered first as dense rows are: copies of them would be read once,
# and the scattered reads, of the rows of coef that their columns select, are the same. Only targets are copied together, since
# losses work on a block of rows. Coefficients are the float64 parameters themselves, without a copy in X's dtype beside them,
# whose update would touch every column. Scores take no intercept (zero_intercept), as scale multiplies the product alone.


@kernel
def _logit_gradients_csr(
    data, indices, indptr, order, targets, batch_targets, coef, scale, intercept, zero_intercept, logits, losses
):
    """Fill logits with the weighted gradient of the rows in order, scored with ``scale * coef``; return their loss."""
    for i in range(len(order)):
        row = order[i]
        score_csr(data, indices, indptr, coef, zero_intercept, row, row + 1, logits[i : i + 1])
        for k in range(logits.shape[1]):
            logits[i, k] = scale * logits[i, k] + intercept[k]
        gather_target(targets, row, batch_targets, i)
    return batch_loss(targets, batch_targets, len(order), logits, losses)


@kernel
def _project_in_order(data, indices, indptr, order, gradient, factor, coef, intercept):
    """Multiply the rows' gradients by factor, in place, and add what they make to coef and intercept."""
    for i in range(len(order)):
        for k in range(gradient.shape[1]):
            gradient[i, k] *= factor
        project_csr(data, indices, indptr, gradient[i : i + 1], order[i], order[i] + 1, coef, intercept)


@kernel
def sgd_epoch_csr(
    data,
    indices,
    indptr,
    order,
    targets,
    batch_targets,
    batch_size,
    optimizer,
    hyperparameters,
    steps,
    vectors,
    intercept,
    scratch,
):
    """Do as ``sgd_epoch_dense`` for the rows of ``order``; coefficients are (n_features, n_logits). A step changes them all.

    Parameters
    ----------
    targets : (value_and_gradient, labels, proba, class_weight, weight, parameters)
        As ``sum_dense`` has them, of all rows.
    batch_targets : (labels, proba, weight)
        Scratch for those of a minibatch.
    intercept : (n_logits,), float64
        The end of params, or zeros.
    scratch : (logits, losses, gradient, zero_intercept)
        (batch_size, n_logits) of X's dtype, (batch_size,) and (n_coef + n_logits,) float64; (n_logits,) zeros of X's dtype.
    """
    logits, losses, gradient, zero_intercept = scratch
    n_logits = logits.shape[1]
    n_coef = len(gradient) - n_logits
    coef = vectors[0][:n_coef].reshape(n_coef // n_logits, n_logits)
    coef_gradient, intercept_gradient = gradient[:n_coef].reshape(n_coef // n_logits, n_logits), gradient[n_coef:]
    value = 0.0
    for t in range(len(steps)):
        rows = order[t * batch_size : (t + 1) * batch_size]
        value += _logit_gradients_csr(
            data, indices, indptr, rows, targets, batch_targets, coef, 1.0, intercept, zero_intercept, logits, losses
        )
        # A minibatch's gradient is zero in most columns, yet moments decay in all of them: it is kept as a dense vector.
        gradient[:] = 0.0
        gradient_scale = steps[t]["gradient_scale"]
        _project_in_order(data, indices, indptr, rows, logits, gradient_scale, coef_gradient, intercept_gradient)
        step_all(optimizer, hyperparameters, steps[t], gradient, vectors, n_coef, vectors[0])
    return value


# Lazy plain SGD. A step changes the columns of its minibatch by their gradient and multiplies all coefficients by decay_factor.
# So that its cost is that of the minibatch's stored numbers, coefficients are kept as w = s c, s being one number:
#
#   w <- (w - lr g) d    becomes    c <- c - (lr / s) g,  s <- s d    (Bottou 2012, section 5.1)
#
# The mean of the points, sum_t a_t w_t / sum_t a_t, would touch every column too. With A_t = a_1 s_1 + ... + a_t s_t and the
# changes delta_t of c, which are zero outside of the minibatch's columns, summation by parts gives
#
#   sum_t a_t s_t c_t = A_T c_T - B_T,    B_T = sum_t A_(t-1) delta_t    (after Xu 2011)
#
# where B changes in the minibatch's columns alone. In the code s is scale, A averaged_scale, B stands in the place of the mean,
# and total_weight is the sum of the a_t, relative to what it was when the epoch began: A is 0 and B is -mean then. From
# averaging = a_t / (a_1 + ... + a_t) follows a_t = total_weight * averaging / (1 - averaging); averaging = 1 belongs to the
# very first step, before which the mean is zeros.
#
# Other optimizers have no such form: with momentum, or a root of squares in each column, columns without gradient move too.

# s is multiplied out before it underflows, and B is taken relative to A = 0 again.
SMALLEST_SCALE = 1e-6


@kernel(fastmath={"contract"})
def _multiply_out(coef, scale, mean, averaged_scale):
    """Write ``scale * coef`` to coef; take averaged_scale times the old coef from mean."""
    for j in range(len(coef)):
        for k in range(coef.shape[1]):
            if len(mean) > 0:
                mean[j, k] -= averaged_scale * coef[j, k]
            coef[j, k] *= scale


@kernel
def sgd_epoch_csr_lazy(
    data,
    indices,
    indptr,
    order,
    targets,
    batch_targets,
    batch_size,
    steps,
    coef,
    intercept,
    fits_intercept,
    means,
    scratch,
):
    """Do as ``sgd_epoch_csr`` by plain SGD, touching the columns only that a minibatch has.

    Parameters
    ----------
    coef, intercept : (n_features, n_logits), (n_logits,), float64
    means : (coef, intercept)
        As these, or empty.
    scratch : (logits, losses, intercept_change, zero_intercept)
        As in ``sgd_epoch_csr``; intercept_change is (n_logits,) float64.
    """
    logits, losses, intercept_change, zero_intercept = scratch
    mean, intercept_mean = means
    scale, averaged_scale, total_weight = 1.0, 0.0, 1.0
    _multiply_out(mean, -1.0, mean[:0], 0.0)
    value = 0.0
    for t in range(len(steps)):
        lr, decay_factor, averaging = steps[t]["lr"], steps[t]["decay_factor"], steps[t]["averaging"]
        rows = order[t * batch_size : (t + 1) * batch_size]
        value += _logit_gradients_csr(
            data, indices, indptr, rows, targets, batch_targets, coef, scale, intercept, zero_intercept, logits, losses
        )
        intercept_change[:] = 0.0
        gradient_step = -lr * steps[t]["gradient_scale"] / scale
        _project_in_order(data, indices, indptr, rows, logits, gradient_step, coef, intercept_change)
        if fits_intercept:
            for k in range(len(intercept)):
                intercept[k] += scale * intercept_change[k]
        if averaged_scale > 0.0 and len(mean) > 0:
            _project_in_order(data, indices, indptr, rows, logits, averaged_scale, mean, intercept_change)
        scale *= decay_factor
        point_weight = total_weight * averaging / (1.0 - averaging) if averaging < 1.0 else 1.0
        averaged_scale += point_weight * scale
        total_weight = total_weight + point_weight if averaging < 1.0 else 1.0
        for k in range(len(intercept_mean)):
            intercept_mean[k] += averaging * (intercept[k] - intercept_mean[k])
        if scale < SMALLEST_SCALE:
            _multiply_out(coef, scale, mean, averaged_scale)
            scale, averaged_scale = 1.0, 0.0
    _multiply_out(coef, scale, mean, averaged_scale)
    _multiply_out(mean, -1.0 / total_weight, mean[:0], 0.0)
    return value
