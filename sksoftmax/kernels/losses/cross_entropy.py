"""Cross-entropy of the softmax with label smoothing; ``parameters`` is (smoothing, …)."""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row
from . import BlockKernels, LossKernels

NO_SMOOTHING = np.zeros(1)

# Of a target t, a distribution over the classes, and logits z with p = softmax(z), the loss is
#
#   l = log Σ_k exp(z_k) - Σ_k t_k z_k,    ∂l / ∂z_k = exp(z_k) / Σ_j exp(z_j) - t_k = p_k - t_k.
#
# With m the largest logit, log Σ_k exp(z_k) = m + log(1 + r), where r = Σ_{k ≠ top} exp(z_k - m), and m = Σ_k t_k m since t
# sums to one:
#
#   l = log1p(r) + Σ_k t_k (m - z_k).
#
# No term is negative and no exponential above one: nothing cancels and no exponential overflows. Where the label is at the top,
# the loss is log1p(r), with all digits also where p rounds to one (a margin of 17 in float32, of 37 in float64), where -log p
# would be zero. In the gradient p - t does cancel there, with an absolute error of one rounding of the row's weight. Sums over
# a row are float64, also where logits are float32.
#
# Label smoothing ε has t = 1 - ε on the row's class and off = ε / (K - 1) on each other one. (Szegedy et al. 2016, section 7,
# spread ε over all K classes: their ε is this one times K / (K - 1).) The gradient is
#
#   p_k - t_k = (p_k - off) - [k = y] (1 - ε - off):
#
# off is taken from all classes in one loop without a branch.
#
# A class whose target is zero is left out of Σ t (m - z), not multiplied by zero: of huge logits m - z may be infinite.


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


# A row of class probabilities q counts as a copy of itself for each class k, with weight class_weight_k q_k. Their mean loss is
# cross-entropy against their mean target, as the loss is linear in t:
#
#   t_k = v_k (1 - ε) + (1 - v_k) off = (1 - ε - off) v_k + off,    v_k = class_weight_k q_k / Σ_j class_weight_j q_j,
#
# with on = 1 - ε - off in the code.


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


# One logit z is that of class 1 against 0 for class 0. With t the target of class 1 and p = 1 / (1 + exp(-z)) its probability,
#
#   l = t log(1 + exp(-z)) + (1 - t) log(1 + exp(z)),    ∂l / ∂z = p - t,    ∂²l / ∂z² = p (1 - p).
#
# All are taken from e = exp(-|z|) ≤ 1, which does not overflow:
#
#   log(1 + exp(±z)) = max(±z, 0) + log1p(e),    p = 1 / (1 + e) if z ≥ 0 else e / (1 + e).
#
# Two classes have off = ε: t is 1 - ε or ε, and (1 - 2 ε) v_1 + ε of class probabilities.


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


# By ∂p_k / ∂z_l = p_k ([k = l] - p_l), and since t does not depend on z, the Hessian of a row is, whatever the target,
#
#   H = diag(p) - p pᵀ,    (H d)_k = p_k d_k - p_k Σ_j p_j d_j = p_k (d_k - Σ_j p_j d_j):
#
# two loops over the classes instead of K² products. The last form takes the mean off before it multiplies: of a d that is the
# same for all classes, along which the loss is flat, the product is zero but for the rounding of the mean.


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


# Of one logit p (1 - p) = e / (1 + e)², whichever of p and 1 - p is e / (1 + e): no digits are lost where p rounds to one.


@kernel
def logistic_hessian_product(labels, parameters, weight, start, stop, logits, direction):
    """Hessian product of one logit."""
    for i in range(stop - start):
        exp_minus_abs = np.exp(-abs(np.float64(logits[i, 0])))
        direction[i, 0] *= weight[start + i] * exp_minus_abs / ((1.0 + exp_minus_abs) * (1.0 + exp_minus_abs))


# The diagonal p_k (1 - p_k) needs 1 - p_k. At the top p may round to one, where the difference is zero or has few digits, and
# with it a curvature that the other classes' products have in full: there 1 - p = r / (1 + r), with r the sum of the other
# exponentials that the softmax returns, and p (1 - p) = r / (1 + r)². Any other class has p ≤ 1/2, where 1 - p loses nothing.


@kernel
def cross_entropy_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivatives by pairs of logits: ``p_k (1 - p_k)`` and ``-p_k p_l``; logits become probabilities."""
    n_logits = logits.shape[1]
    for i in range(stop - start):
        top = argmax(logits, i)
        sum_exp_rest = softmax_row(logits, i, top)
        pair = 0
        for k in range(n_logits):
            weighted = weight[start + i] * logits[i, k]
            for other in range(k):
                out[pair, i] = -weighted * logits[i, other]
                pair += 1
            out[pair, i] = weighted * (sum_exp_rest / (1.0 + sum_exp_rest) if k == top else 1.0 - logits[i, k])
            pair += 1


@kernel
def logistic_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivative by the one logit."""
    for i in range(stop - start):
        exp_minus_abs = np.exp(-abs(np.float64(logits[i, 0])))
        out[0, i] = weight[start + i] * exp_minus_abs / ((1.0 + exp_minus_abs) * (1.0 + exp_minus_abs))


@kernel
def cross_entropy_curvature(labels, parameters, start, stop, logits):
    """Second derivatives by each logit, ``p (1 - p)``."""
    n_logits = logits.shape[1]
    for i in range(stop - start):
        top = argmax(logits, i)
        sum_exp_rest = softmax_row(logits, i, top)
        for k in range(n_logits):
            logits[i, k] *= 1.0 - logits[i, k]
        logits[i, top] = sum_exp_rest / ((1.0 + sum_exp_rest) * (1.0 + sum_exp_rest))


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
