"""Cross-entropy of the softmax with label smoothing; ``parameters`` is (smoothing, …).

Of the target t, a distribution over the classes, and logits z, with p = softmax(z) and m the largest logit,

    loss = log Σ_k exp(z_k) - Σ_k t_k z_k = log1p(Σ_{k ≠ argmax} exp(z_k - m)) + Σ_k t_k (m - z_k)
    gradient = p - t,    Hessian = diag(p) - p pᵀ, whatever the target.

Both terms of the second form are sums of what is not negative, so that nothing cancels: a row that is predicted with a
probability which rounds to one keeps a loss with all its digits. For the same reason 1 - p of the largest logit is taken as
r / (1 + r) with r the sum under log1p. Sums of a row are float64, also where logits are float32.

With label smoothing ε the target is 1 - ε on the row's class and ε / (K - 1) elsewhere; of class probabilities q it
is the mean of these under q.
"""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row
from . import BlockKernels, LossKernels

NO_SMOOTHING = np.zeros(1)


@kernel
def cross_entropy_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against labels."""
    n_classes = logits.shape[1]
    smoothing = parameters[0]
    off = smoothing / (n_classes - 1)
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        target_margin = 0.0  # of the largest logit over the target's mean one
        top = argmax(logits, i)
        largest = logits[i, top]
        if off > 0.0:
            for k in range(n_classes):
                if k != label:
                    target_margin += off * (np.float64(largest) - np.float64(logits[i, k]))
        if smoothing < 1.0:
            target_margin += (1.0 - smoothing) * (np.float64(largest) - np.float64(logits[i, label]))
        losses[i] = np.log1p(softmax_row(logits, i, top)) + target_margin
        value += weight[start + i] * losses[i]
        for k in range(n_classes):
            logits[i, k] = weight[start + i] * (logits[i, k] - off)
        logits[i, label] -= weight[start + i] * (1.0 - smoothing - off)
    return value


@kernel
def cross_entropy_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against rows of class probabilities."""
    n_classes = logits.shape[1]
    smoothing = parameters[0]
    off = smoothing / (n_classes - 1)
    on = 1.0 - smoothing - off
    value = 0.0
    for i in range(stop - start):
        top = argmax(logits, i)
        largest = logits[i, top]
        total = 0.0
        for k in range(n_classes):
            total += class_weight[k] * proba[start + i, k]
        scale = on / total if total > 0.0 else 0.0
        target_margin = 0.0
        for k in range(n_classes):
            target = scale * class_weight[k] * proba[start + i, k] + off
            if target > 0.0:
                target_margin += target * (np.float64(largest) - np.float64(logits[i, k]))
        losses[i] = np.log1p(softmax_row(logits, i, top)) + target_margin
        if weight[start + i] > 0.0:
            value += weight[start + i] * losses[i]
        for k in range(n_classes):
            target = scale * class_weight[k] * proba[start + i, k] + off
            logits[i, k] = weight[start + i] * (logits[i, k] - target)
    return value


# One logit z is that of class 1 against 0 for class 0, t the target of class 1: the loss is t log(1 + exp(-z)) +
# (1 - t) log(1 + exp(z)), its derivative p - t with p = 1 / (1 + exp(-z)), its second one p (1 - p). Each is taken from
# e = exp(-|z|) ≤ 1: log(1 + exp(±z)) = max(±z, 0) + log1p(e), and p is 1 / (1 + e) or e / (1 + e), by the sign of z.


@kernel
def _logistic_row(logits, i, target, row_weight):
    """Replace the one logit of row i by its weighted gradient; return the row's cross-entropy against P(class 1)."""
    logit = np.float64(logits[i, 0])
    exp_minus_abs = np.exp(-abs(logit))
    log_total = np.log1p(exp_minus_abs)
    loss = target * (max(-logit, 0.0) + log_total) + (1.0 - target) * (max(logit, 0.0) + log_total)
    proba = 1.0 / (1.0 + exp_minus_abs) if logit >= 0.0 else exp_minus_abs / (1.0 + exp_minus_abs)
    logits[i, 0] = row_weight * (proba - target)
    return loss


@kernel
def logistic_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient of one logit against labels."""
    smoothing = parameters[0]
    value = 0.0
    for i in range(stop - start):
        target = 1.0 - smoothing if labels[start + i] == 1 else smoothing
        losses[i] = _logistic_row(logits, i, target, weight[start + i])
        value += weight[start + i] * losses[i]
    return value


@kernel
def logistic_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient of one logit against rows of class probabilities."""
    smoothing = parameters[0]
    value = 0.0
    for i in range(stop - start):
        one = class_weight[1] * proba[start + i, 1]
        total = class_weight[0] * proba[start + i, 0] + one
        target = (1.0 - 2.0 * smoothing) * (one / total if total > 0.0 else 0.0) + smoothing
        losses[i] = _logistic_row(logits, i, target, weight[start + i])
        value += weight[start + i] * losses[i]
    return value


@kernel
def cross_entropy_hessian_product(labels, parameters, weight, start, stop, logits, direction):
    """Hessian product: ``p_k (d_k - Σ_j p_j d_j)`` for each class k; logits become probabilities."""
    n_logits = logits.shape[1]
    for i in range(stop - start):
        softmax_row(logits, i, argmax(logits, i))
        mean = 0.0
        for k in range(n_logits):
            mean += logits[i, k] * direction[i, k]
        for k in range(n_logits):
            direction[i, k] = weight[start + i] * logits[i, k] * (direction[i, k] - mean)


@kernel
def logistic_hessian_product(labels, parameters, weight, start, stop, logits, direction):
    """Hessian product of one logit."""
    for i in range(stop - start):
        exp_minus_abs = np.exp(-abs(np.float64(logits[i, 0])))
        direction[i, 0] *= weight[start + i] * exp_minus_abs / ((1.0 + exp_minus_abs) * (1.0 + exp_minus_abs))


@kernel
def cross_entropy_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivatives by pairs of logits: ``p_k (1 - p_k)`` and ``-p_k p_l``; logits become probabilities."""
    n_logits = logits.shape[1]
    for i in range(stop - start):
        top = argmax(logits, i)
        rest = softmax_row(logits, i, top)
        pair = 0
        for k in range(n_logits):
            weighted = weight[start + i] * logits[i, k]
            for other in range(k):
                out[pair, i] = -weighted * logits[i, other]
                pair += 1
            # One less a probability near one would lose the digits that its curvature has.
            out[pair, i] = weighted * (rest / (1.0 + rest) if k == top else 1.0 - logits[i, k])
            pair += 1


@kernel
def logistic_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivative by the one logit."""
    for i in range(stop - start):
        exp_minus_abs = np.exp(-abs(np.float64(logits[i, 0])))
        out[0, i] = weight[start + i] * exp_minus_abs / ((1.0 + exp_minus_abs) * (1.0 + exp_minus_abs))


@kernel
def cross_entropy_curvature(labels, parameters, start, stop, logits):
    """Second derivatives by each logit, ``p (1 - p)``: with r the sum under log1p, ``r / (1 + r)²`` for the largest logit."""
    n_logits = logits.shape[1]
    for i in range(stop - start):
        top = argmax(logits, i)
        rest = softmax_row(logits, i, top)
        for k in range(n_logits):
            logits[i, k] *= 1.0 - logits[i, k]
        logits[i, top] = rest / ((1.0 + rest) * (1.0 + rest))


@kernel
def logistic_curvature(labels, parameters, start, stop, logits):
    """Second derivative by the one logit."""
    for i in range(stop - start):
        exp_minus_abs = np.exp(-abs(np.float64(logits[i, 0])))
        logits[i, 0] = exp_minus_abs / ((1.0 + exp_minus_abs) * (1.0 + exp_minus_abs))


CROSS_ENTROPY = LossKernels(
    one_logit=BlockKernels(logistic_labels, logistic_proba, logistic_hessian_product, logistic_curvature, logistic_pairs),
    logits=BlockKernels(
        cross_entropy_labels, cross_entropy_proba, cross_entropy_hessian_product, cross_entropy_curvature, cross_entropy_pairs
    ),
)
