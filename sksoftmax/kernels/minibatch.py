"""Minibatch optimizers: one step of each, and epochs over dense rows.

What lives here: the optimizers, each a number and a branch of ``_step``, what they need for each step, and an epoch of dense
rows. What doesn't: epochs of CSR rows (``minibatch_csr``), learning rates and their schedules (``solvers``).
"""

import numpy as np

from ._compile import kernel
from .dense import project_dense, score_dense
from .losses import call_value_and_gradient

SGD = 0
ADAM = 1
ADAGRAD = 2
RMSPROP = 3

# What an optimizer is told once an epoch. Fields that it does not use are ignored.
HYPERPARAMETERS = np.dtype(
    [
        ("beta_1", np.float64),  # decay of the first moment: SGD's momentum, Adam's beta_1
        ("beta_2", np.float64),  # decay of the second moment: Adam's beta_2, RMSProp's rho, 1 for AdaGrad's sum
        ("gradient_weight", np.float64),  # SGD with momentum steps by gradient_weight * g + momentum_weight * m
        ("momentum_weight", np.float64),
        ("l2_strength", np.float64),  # of a penalty whose gradient is part of g; 0 where decay_factor stands for it
    ]
)

# What it is told before each step.
STEP = np.dtype(
    [
        ("lr", np.float64),  # learning rate, for Adam with its bias corrections
        ("eps", np.float64),  # added to the root of the second moment
        ("decay_factor", np.float64),  # multiplies the coefficients after the step: the penalty's implicit step, or 1
        ("averaging", np.float64),  # weight of the new point in the mean of all points
        ("gradient_scale", np.float64),  # from a minibatch's sum of weighted gradients to an estimate of the sum over all rows
    ]
)

# With g the gradient at theta, one branch of _step each:
#
#   SGD       theta <- theta - lr g
#   momentum  m <- beta_1 m + g,  theta <- theta - lr m; Nesterov: theta <- theta - lr (g + beta_1 m).
#             Sutskever, Martens, Dahl & Hinton (2013), equations 1 to 4, with the rate outside of m, as deep learning libraries
#             have it: a schedule's new rate holds for the whole step. Nesterov's gradient is taken where the parameters are,
#             not where the momentum would take them (Bengio, Boulanger-Lewandowski & Pascanu 2013, section 3.5).
#   Adam      m <- beta_1 m + (1 - beta_1) g,  v <- beta_2 v + (1 - beta_2) g^2,  theta <- theta - lr m / (sqrt(v) + eps).
#             Kingma & Ba (2015), algorithm 1. Its corrections of the moments' start at zero, m / (1 - beta_1^t) and
#             v / (1 - beta_2^t), come with the step: lr is the rate times sqrt(1 - beta_2^t) / (1 - beta_1^t) and eps is
#             epsilon times sqrt(1 - beta_2^t), which is the same step. (Their section 2 ends with this order but leaves
#             epsilon as it is, which is another step while t is small.) No maximum over past v (AMSGrad).
#   AdaGrad   v <- v + g^2,  theta <- theta - lr g / (sqrt(v) + eps).
#             Duchi, Hazan & Singer (2011), with the diagonal of their matrix; not their composite step for the penalty.
#   RMSProp   v <- beta_2 v + (1 - beta_2) g^2, and AdaGrad's step.
#             Tieleman & Hinton (2012), lecture 6.5; neither centred nor with momentum.
#
# The L2 penalty lambda / 2 |theta|^2 enters in one of two ways. As a part of the gradient, g <- g + lambda theta. Or by an
# implicit step after the optimizer's own: the minimiser of |w - theta|^2 / 2 + lr lambda / 2 |w|^2 is theta / (1 + lr lambda)
# (forward-backward splitting, Duchi & Singer 2009), a factor below one for any rate, where the explicit 1 - lr lambda of weight
# decay diverges beyond lr lambda = 2. Plain SGD always takes it: both ways have the same fixed point. With moments they differ,
# and the implicit step, which makes Adam AdamW (Loshchilov & Hutter 2019, algorithm 2), is taken where the caller asks for it.
#
# The mean of the points is mean <- mean + averaging (theta - mean) with averaging = (1 + a) / (t + a), so that the t-th point
# weighs about t^a (Shamir & Zhang 2013, polynomial-decay averaging). A plain mean would keep the start for long.


@kernel(fastmath={"contract"})
def _step(optimizer, hyperparameters, step, l2_strength, decay_factor, gradient, params, first, second, mean, out):
    """Step params against gradient, update the moments and the mean, and write params to out, X's dtype.

    Parameters
    ----------
    optimizer : int
    hyperparameters, step : records
        Of dtype ``HYPERPARAMETERS`` and ``STEP``.
    l2_strength, decay_factor : float
        In place of those two's, as an intercept has no penalty.
    gradient, params : (n,), float64
    first, second, mean : (n,) or empty, float64
        Moments of the gradients and mean of the points; empty where the optimizer has none.
    out : (n,)
    """
    lr, eps, averaging = step["lr"], step["eps"], step["averaging"]
    beta_1, beta_2 = hyperparameters["beta_1"], hyperparameters["beta_2"]
    gradient_weight, momentum_weight = hyperparameters["gradient_weight"], hyperparameters["momentum_weight"]
    if optimizer == SGD and len(first) == 0:
        for p in range(len(params)):
            params[p] = (params[p] - lr * (gradient[p] + l2_strength * params[p])) * decay_factor
    elif optimizer == SGD:
        for p in range(len(params)):
            g = gradient[p] + l2_strength * params[p]
            first[p] = beta_1 * first[p] + g
            params[p] = (params[p] - lr * (gradient_weight * g + momentum_weight * first[p])) * decay_factor
    elif optimizer == ADAM:
        for p in range(len(params)):
            g = gradient[p] + l2_strength * params[p]
            first[p] = beta_1 * first[p] + (1.0 - beta_1) * g
            second[p] = beta_2 * second[p] + (1.0 - beta_2) * g * g
            params[p] = (params[p] - lr * first[p] / (np.sqrt(second[p]) + eps)) * decay_factor
    else:  # ADAGRAD adds squares up, RMSPROP takes their moving average
        square_weight = 1.0 if optimizer == ADAGRAD else 1.0 - beta_2
        for p in range(len(params)):
            g = gradient[p] + l2_strength * params[p]
            second[p] = beta_2 * second[p] + square_weight * g * g
            # While all gradients were zero there is no step, also where eps is zero.
            root = np.sqrt(second[p]) + eps
            params[p] = (params[p] - (lr * g / root if root > 0.0 else 0.0)) * decay_factor
    for p in range(len(mean)):
        mean[p] += averaging * (params[p] - mean[p])
    for p in range(len(params)):
        out[p] = params[p]


@kernel
def step_all(optimizer, hyperparameters, step, gradient, vectors, n_coef, out):
    """Step all parameters: the coefficients, which are penalised, and the intercept if there is one, which is not."""
    params, first, second, mean = vectors
    coefs = first[:n_coef], second[:n_coef], mean[:n_coef], out[:n_coef]
    l2_strength, decay_factor = hyperparameters["l2_strength"], step["decay_factor"]
    _step(optimizer, hyperparameters, step, l2_strength, decay_factor, gradient[:n_coef], params[:n_coef], *coefs)
    if len(params) > n_coef:
        intercepts = first[n_coef:], second[n_coef:], mean[n_coef:], out[n_coef:]
        _step(optimizer, hyperparameters, step, 0.0, 1.0, gradient[n_coef:], params[n_coef:], *intercepts)


@kernel
def sgd_epoch_dense(
    X,
    value_and_gradient,
    labels,
    proba,
    class_weight,
    weight,
    parameters,
    batch_size,
    begins,
    ends,
    optimizer,
    hyperparameters,
    steps,
    vectors,
    coef,
    scratch,
):
    """Step after each ``batch_size`` rows of X; return the sum of the rows' losses, each taken before the step it belongs to.

    Parameters
    ----------
    X, labels, proba, weight : arrays of the same rows
    value_and_gradient, class_weight, parameters
        As ``sum_dense`` has them.
    batch_size : int
    begins, ends : bool
        Whether the rows begin and end a minibatch. If not, they are a part of one, whose gradient ``scratch`` keeps.
    optimizer : int
    hyperparameters : record of dtype ``HYPERPARAMETERS``
    steps : (n_minibatches,), dtype ``STEP``
    vectors : (params, first moments, second moments, mean)
        float64, (n_params,) or empty; changed.
    coef : (n_coef + n_logits,), X's dtype
        What rows are scored with: params, changed with them, and zeros if there is no intercept.
    scratch : (logits, losses, gradient)
        (rows, n_logits) of X's dtype, (rows,) float64, (n_coef + n_logits,).
    """
    logits, losses, gradient = scratch
    n_logits = logits.shape[1]
    n_coef = n_logits * X.shape[1]
    weights, intercept = coef[:n_coef].reshape(n_logits, X.shape[1]), coef[n_coef:]
    coef_gradient, intercept_gradient = gradient[:n_coef].reshape(n_logits, X.shape[1]), gradient[n_coef:]
    value = 0.0
    for t in range(len(steps)):
        end, gradient_scale = min((t + 1) * batch_size, len(X)), steps[t]["gradient_scale"]
        if begins:
            gradient[:] = 0.0
        # A minibatch may be longer than the block of rows whose logits stay in cache.
        for start in range(t * batch_size, end, len(logits)):
            stop = min(start + len(logits), end)
            score_dense(X, weights, intercept, start, stop, logits)
            value += call_value_and_gradient(
                value_and_gradient, (labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
            )
            # Here, not after the projection: a block has fewer logits than there are coefficients, as a rule.
            for i in range(stop - start):
                for k in range(n_logits):
                    logits[i, k] *= gradient_scale
            project_dense(X, logits, start, stop, coef_gradient, intercept_gradient)
        if ends:
            step_all(optimizer, hyperparameters, steps[t], gradient, vectors, n_coef, coef)
    return value


@kernel
def gather_target(targets, row, batch_targets, i):
    """Copy the target and the weight of row to place i of a minibatch's own."""
    _, labels, proba, _, weight, _ = targets
    batch_labels, batch_proba, batch_weight = batch_targets
    batch_weight[i] = weight[row]
    if len(labels) > 0:
        batch_labels[i] = labels[row]
    for k in range(proba.shape[1]):
        batch_proba[i, k] = proba[row, k]


@kernel
def batch_loss(targets, batch_targets, n_rows, logits, losses):
    """Turn logits into their weighted gradient against the gathered targets, and return the weighted loss."""
    value_and_gradient, _, _, class_weight, _, parameters = targets
    labels, proba, weight = batch_targets
    return call_value_and_gradient(
        value_and_gradient, (labels, proba, class_weight, weight, parameters, 0, n_rows, logits, losses)
    )
