"""Minibatches of CSR rows: all columns at each step, or those only that the minibatch has."""

from ._compile import kernel
from .csr import project_csr, score_csr
from .minibatch import batch_loss, gather_target, step_all


@kernel
def _slopes_csr(data, indices, indptr, order, targets, batch, coef, shrunk, intercept, zero, logits, losses):
    """Fill logits with the weighted gradient of the rows in order, scored with ``shrunk * coef``; return their loss."""
    for i in range(len(order)):
        row = order[i]
        score_csr(data, indices, indptr, coef, zero, row, row + 1, logits[i : i + 1])
        for k in range(logits.shape[1]):
            logits[i, k] = shrunk * logits[i, k] + intercept[k]
        gather_target(targets, row, batch, i)
    return batch_loss(targets, batch, len(order), logits, losses)


@kernel
def _project_in_order(data, indices, indptr, order, gradient, factor, coef, intercept):
    """Add factor times the rows' gradients to coef and intercept, and multiply the gradients by it."""
    for i in range(len(order)):
        for k in range(gradient.shape[1]):
            gradient[i, k] *= factor
        project_csr(data, indices, indptr, gradient[i : i + 1], order[i], order[i] + 1, coef, intercept)


@kernel
def sgd_epoch_csr(data, indices, indptr, order, targets, batch, batch_size, rule, settings, steps, vectors, intercept, block):
    """Do as ``sgd_epoch_dense`` for the rows of ``order``; coefficients are (n_features, n_logits). A step changes them all.

    Parameters
    ----------
    targets : (loss, labels, proba, class_weight, weight, parameters)
        As ``loss_block`` has them, of all rows.
    batch : (labels, proba, weight)
        Scratch for those of a minibatch.
    intercept : (n_logits,), float64
        The end of params, or zeros.
    block : (logits, losses, gradient, zero)
        Scratch: (batch_size, n_logits) of X's dtype, (batch_size,) and (n_coef + n_logits,) float64; (n_logits,) zeros of X's
        dtype.
    """
    logits, losses, gradient, zero = block
    n_logits = logits.shape[1]
    n_coef = len(gradient) - n_logits
    coef = vectors[0][:n_coef].reshape(n_coef // n_logits, n_logits)
    coef_gradient, intercept_gradient = gradient[:n_coef].reshape(n_coef // n_logits, n_logits), gradient[n_coef:]
    value = 0.0
    for number in range(len(steps)):
        rows = order[number * batch_size : (number + 1) * batch_size]
        value += _slopes_csr(data, indices, indptr, rows, targets, batch, coef, 1.0, intercept, zero, logits, losses)
        gradient[:] = 0.0
        _project_in_order(data, indices, indptr, rows, logits, steps[number, 4], coef_gradient, intercept_gradient)
        step_all(rule, settings, steps[number], settings[4], gradient, vectors, n_coef, vectors[0])
    return value


# A number that multiplies all coefficients is multiplied out before it underflows.
SMALLEST_SHRUNK = 1e-6


@kernel(fastmath={"contract"})
def _multiply_out(coef, shrunk, mean, so_far):
    """Write ``shrunk * coef`` to coef; take so_far times the old coef from mean."""
    for j in range(len(coef)):
        for k in range(coef.shape[1]):
            if len(mean) > 0:
                mean[j, k] -= so_far * coef[j, k]
            coef[j, k] *= shrunk


@kernel
def sgd_epoch_csr_lazy(
    data, indices, indptr, order, targets, batch, batch_size, steps, coef, intercept, fits_intercept, means, block
):
    """Do as ``sgd_epoch_csr`` by plain SGD, touching the columns only that a minibatch has.

    Coefficients are ``shrunk * coef``, one number for the penalty's pull on all of them. Their weighted mean is
    ``(so_far * coef - mean) / total`` with so_far the weighted sum of all of shrunk: what a step adds to coef has to be taken
    back for the steps before it alone. (Bottou, "Stochastic Gradient Descent Tricks", 2012, section 5.1; Xu, "Towards Optimal
    One Pass Large Scale Learning with Averaged Stochastic Gradient Descent", 2011.)

    Parameters
    ----------
    coef, intercept : (n_features, n_logits), (n_logits,), float64
    means : (coef, intercept)
        As these, or empty.
    block : (logits, losses, change, zero)
        As in ``sgd_epoch_csr``; change is (n_logits,) float64.
    """
    logits, losses, change, zero = block
    mean, intercept_mean = means
    shrunk, so_far, total = 1.0, 0.0, 1.0
    _multiply_out(mean, -1.0, mean[:0], 0.0)
    value = 0.0
    for number in range(len(steps)):
        rate, shrink, share = steps[number, 0], steps[number, 2], steps[number, 3]
        rows = order[number * batch_size : (number + 1) * batch_size]
        value += _slopes_csr(data, indices, indptr, rows, targets, batch, coef, shrunk, intercept, zero, logits, losses)
        change[:] = 0.0
        factor = -rate * steps[number, 4] / shrunk
        _project_in_order(data, indices, indptr, rows, logits, factor, coef, change)
        if fits_intercept:
            for k in range(len(intercept)):
                intercept[k] += shrunk * change[k]
        if so_far > 0.0 and len(mean) > 0:
            _project_in_order(data, indices, indptr, rows, logits, so_far, mean, change)
        shrunk *= shrink
        weight = total * share / (1.0 - share) if share < 1.0 else 1.0
        so_far += weight * shrunk
        total = total + weight if share < 1.0 else 1.0
        for k in range(len(intercept_mean)):
            intercept_mean[k] += share * (intercept[k] - intercept_mean[k])
        if shrunk < SMALLEST_SHRUNK:
            _multiply_out(coef, shrunk, mean, so_far)
            shrunk, so_far = 1.0, 0.0
    _multiply_out(coef, shrunk, mean, so_far)
    _multiply_out(mean, -1.0 / total, mean[:0], 0.0)
    return value
