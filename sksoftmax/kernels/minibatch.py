"""Minibatches: a step after each, by a rule that is a number here and a branch in ``_step``; passes over dense rows."""

import numpy as np

from ._compile import kernel
from .dense import project_dense, score_dense
from .losses import loss_block

SGD = 0
ADAM = 1
ADAGRAD = 2
RMSPROP = 3


@kernel(fastmath={"contract"})
def _step(rule, settings, step, alpha, shrink, gradient, params, first, second, mean, out):
    """Take a step from params against gradient, move mean towards where it ends, and write that into out, X's dtype.

    ``settings`` is (decay of the first moment, of the second, share of the gradient in the step, share of the first moment,
    ...); ``step`` is (rate, epsilon, ..., share of the new point in the mean, ...). ``alpha`` times params is added to the
    gradient, and what is reached is multiplied by ``shrink``. A vector that the rule does not use is empty.
    """
    rate, epsilon, blend = step[0], step[1], step[3]
    keep, keep_square, direct, carried = settings[0], settings[1], settings[2], settings[3]
    if rule == SGD and len(first) == 0:
        for p in range(len(params)):
            params[p] = (params[p] - rate * (gradient[p] + alpha * params[p])) * shrink
    elif rule == SGD:
        for p in range(len(params)):
            slope = gradient[p] + alpha * params[p]
            first[p] = keep * first[p] + slope
            params[p] = (params[p] - rate * (direct * slope + carried * first[p])) * shrink
    elif rule == ADAM:
        for p in range(len(params)):
            slope = gradient[p] + alpha * params[p]
            first[p] = keep * first[p] + (1.0 - keep) * slope
            second[p] = keep_square * second[p] + (1.0 - keep_square) * slope * slope
            params[p] = (params[p] - rate * first[p] / (np.sqrt(second[p]) + epsilon)) * shrink
    else:  # ADAGRAD adds squares up, RMSPROP takes their moving average
        new = 1.0 if rule == ADAGRAD else 1.0 - keep_square
        for p in range(len(params)):
            slope = gradient[p] + alpha * params[p]
            second[p] = keep_square * second[p] + new * slope * slope
            # No slope yet is no step, also where epsilon is zero.
            root = np.sqrt(second[p]) + epsilon
            params[p] = (params[p] - (rate * slope / root if root > 0.0 else 0.0)) * shrink
    for p in range(len(mean)):
        mean[p] += blend * (params[p] - mean[p])
    for p in range(len(params)):
        out[p] = params[p]


@kernel
def step_all(rule, settings, step, alpha, gradient, vectors, n_coef, out):
    """Step all parameters: coefficients, which the penalty pulls at, and the intercept if there is one."""
    params, first, second, mean = vectors
    coefs = first[:n_coef], second[:n_coef], mean[:n_coef], out[:n_coef]
    _step(rule, settings, step, alpha, step[2], gradient[:n_coef], params[:n_coef], *coefs)
    if len(params) > n_coef:
        rest = first[n_coef:], second[n_coef:], mean[n_coef:], out[n_coef:]
        _step(rule, settings, step, 0.0, 1.0, gradient[n_coef:], params[n_coef:], *rest)


@kernel
def sgd_epoch_dense(
    X, loss, labels, proba, class_weight, weight, parameters, batch_size, part, rule, settings, steps, vectors, coef, block
):
    """Pass once over the rows of X, a step after each ``batch_size`` of them; return the loss of the rows as they were met.

    Parameters
    ----------
    X, labels, proba, weight : arrays of the same rows
    loss, class_weight, parameters
        As ``loss_block`` has them.
    batch_size : int
    part : (begins, ends)
        Whether the rows begin and end a minibatch. If not, they are one part of one, whose gradient ``block`` keeps.
    rule, settings : int, (5,)
        As ``_step`` has them; the fifth setting is its alpha.
    steps : (n_minibatches, 5)
        Of each the rate, epsilon, what multiplies the coefficients after it, the new point's share in the mean, and what takes
        its sum of weighted gradients to an estimate of the sum over all rows.
    vectors : (params, first moments, second moments, mean)
        float64, (n_params,) or empty; changed.
    coef : (n_coef + n_logits,), X's dtype
        What rows are scored with: params, changed with them, and zeros if there is no intercept.
    block : (logits, losses, gradient)
        Scratch: (rows, n_logits) of X's dtype, (rows,) float64, (n_coef + n_logits,).
    """
    logits, losses, gradient = block
    n_logits = logits.shape[1]
    n_coef = n_logits * X.shape[1]
    weights, intercept = coef[:n_coef].reshape(n_logits, X.shape[1]), coef[n_coef:]
    coef_gradient, intercept_gradient = gradient[:n_coef].reshape(n_logits, X.shape[1]), gradient[n_coef:]
    value = 0.0
    for number in range(len(steps)):
        end, factor = min((number + 1) * batch_size, len(X)), steps[number, 4]
        if part[0]:
            gradient[:] = 0.0
        for start in range(number * batch_size, end, len(logits)):
            stop = min(start + len(logits), end)
            score_dense(X, weights, intercept, start, stop, logits)
            value += loss_block(loss, labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
            for i in range(stop - start):
                for k in range(n_logits):
                    logits[i, k] *= factor
            project_dense(X, logits, start, stop, coef_gradient, intercept_gradient)
        if part[1]:
            step_all(rule, settings, steps[number], settings[4], gradient, vectors, n_coef, coef)
    return value


@kernel
def gather_target(targets, row, batch, i):
    """Copy the target and the weight of row to place i of a minibatch's own."""
    _, labels, proba, _, weight, _ = targets
    batch_labels, batch_proba, batch_weight = batch
    batch_weight[i] = weight[row]
    if len(labels) > 0:
        batch_labels[i] = labels[row]
    for k in range(proba.shape[1]):
        batch_proba[i, k] = proba[row, k]


@kernel
def batch_loss(targets, batch, n_rows, logits, losses):
    """Turn logits into their weighted gradient against the gathered targets, and return the weighted loss."""
    loss, _, _, class_weight, _, parameters = targets
    labels, proba, weight = batch
    return loss_block(loss, labels, proba, class_weight, weight, parameters, 0, n_rows, logits, losses)
