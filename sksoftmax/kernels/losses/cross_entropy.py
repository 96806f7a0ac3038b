"""Cross-entropy: value, gradient in place of the logits, Hessian product, second derivatives."""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row


@kernel
def cross_entropy_labels(logits, labels, weight, start, stop, smoothing, losses):
    """Fill losses with the rows' cross-entropy; logits become the weighted gradient. Returns the weighted sum.

    A row of label y has the target 1 - smoothing on y and smoothing / (K - 1) on every other class.
    """
    n_classes = logits.shape[1]
    off = smoothing / (n_classes - 1)
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        gap = 0.0  # of the target's mean logit below the largest
        leader = argmax(logits, i)
        largest = logits[i, leader]
        if off > 0.0:
            for k in range(n_classes):
                if k != label:
                    gap += off * (np.float64(largest) - np.float64(logits[i, k]))
        if smoothing < 1.0:
            gap += (1.0 - smoothing) * (np.float64(largest) - np.float64(logits[i, label]))
        losses[i] = np.log1p(softmax_row(logits, i, leader)) + gap
        value += weight[start + i] * losses[i]
        for k in range(n_classes):
            logits[i, k] = weight[start + i] * (logits[i, k] - off)
        logits[i, label] -= weight[start + i] * (1.0 - smoothing - off)
    return value


@kernel
def cross_entropy_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses):
    """Fill losses with the rows' cross-entropy; logits become the weighted gradient. Returns the weighted sum.

    A row of class probabilities q counts as K copies, copy k of weight ``q_k * class_weight_k`` and label k; the row's
    ``weight`` already holds the sum of these, so that only their proportions matter here.
    """
    n_classes = logits.shape[1]
    off = smoothing / (n_classes - 1)
    on = 1.0 - smoothing - off
    value = 0.0
    for i in range(stop - start):
        leader = argmax(logits, i)
        largest = logits[i, leader]
        mass = 0.0
        for k in range(n_classes):
            mass += class_weight[k] * proba[start + i, k]
        scale = on / mass if mass > 0.0 else 0.0
        gap = 0.0
        for k in range(n_classes):
            target = scale * class_weight[k] * proba[start + i, k] + off
            if target > 0.0:
                gap += target * (np.float64(largest) - np.float64(logits[i, k]))
        losses[i] = np.log1p(softmax_row(logits, i, leader)) + gap
        if weight[start + i] > 0.0:
            value += weight[start + i] * losses[i]
        for k in range(n_classes):
            target = scale * class_weight[k] * proba[start + i, k] + off
            logits[i, k] = weight[start + i] * (logits[i, k] - target)
    return value


@kernel
def _logistic_row(logits, i, target, row_weight):
    """Replace the one logit of row i by its weighted gradient; return the row's cross-entropy against P(class 1)."""
    logit = np.float64(logits[i, 0])
    decay = np.exp(-abs(logit))
    tail = np.log1p(decay)
    # max(±logit, 0) + tail is log(1 + exp(±logit)), each without cancellation.
    loss = target * (max(-logit, 0.0) + tail) + (1.0 - target) * (max(logit, 0.0) + tail)
    proba = 1.0 / (1.0 + decay) if logit >= 0.0 else decay / (1.0 + decay)
    logits[i, 0] = row_weight * (proba - target)
    return loss


@kernel
def logistic_labels(logits, labels, weight, start, stop, smoothing, losses):
    """Do as ``cross_entropy_labels`` for two classes and one logit, that of class 1 over class 0."""
    value = 0.0
    for i in range(stop - start):
        target = 1.0 - smoothing if labels[start + i] == 1 else smoothing
        losses[i] = _logistic_row(logits, i, target, weight[start + i])
        value += weight[start + i] * losses[i]
    return value


@kernel
def logistic_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses):
    """Do as ``cross_entropy_proba`` for two classes and one logit, that of class 1 over class 0."""
    value = 0.0
    for i in range(stop - start):
        one = class_weight[1] * proba[start + i, 1]
        mass = class_weight[0] * proba[start + i, 0] + one
        target = (1.0 - 2.0 * smoothing) * (one / mass if mass > 0.0 else 0.0) + smoothing
        losses[i] = _logistic_row(logits, i, target, weight[start + i])
        value += weight[start + i] * losses[i]
    return value


@kernel
def cross_entropy_hessian_product(logits, direction, weight, start, stop):
    """Replace direction by the weighted Hessian of the rows' cross-entropy times it; logits become probabilities.

    The Hessian on logits is ``diag(p) - p pᵀ``, whatever the targets. One logit stands for two classes: ``p (1 - p)``.
    """
    n_logits = logits.shape[1]
    for i in range(stop - start):
        if n_logits == 1:
            decay = np.exp(-abs(np.float64(logits[i, 0])))
            direction[i, 0] *= weight[start + i] * decay / ((1.0 + decay) * (1.0 + decay))
        else:
            softmax_row(logits, i, argmax(logits, i))
            mean = 0.0
            for k in range(n_logits):
                mean += logits[i, k] * direction[i, k]
            for k in range(n_logits):
                direction[i, k] = weight[start + i] * logits[i, k] * (direction[i, k] - mean)


@kernel
def cross_entropy_curvatures(logits, weight, start, stop, out):
    """Fill out, (n_pairs, rows), with the rows' weighted second derivatives by logits k and l ≤ k; logits become probabilities.

    Pairs are in the order (0, 0), (1, 0), (1, 1), (2, 0), …; on logits the Hessian is ``diag(p) - p pᵀ``.
    """
    n_logits = logits.shape[1]
    for i in range(stop - start):
        if n_logits == 1:
            decay = np.exp(-abs(np.float64(logits[i, 0])))
            out[0, i] = weight[start + i] * decay / ((1.0 + decay) * (1.0 + decay))
            continue
        leader = argmax(logits, i)
        rest = softmax_row(logits, i, leader)
        pair = 0
        for k in range(n_logits):
            weighted = weight[start + i] * logits[i, k]
            for other in range(k):
                out[pair, i] = -weighted * logits[i, other]
                pair += 1
            # One less a probability near one would lose the digits that its curvature has.
            out[pair, i] = weighted * (rest / (1.0 + rest) if k == leader else 1.0 - logits[i, k])
            pair += 1


@kernel
def cross_entropy_curvature(logits, n_rows):
    """Replace logits by the second derivatives of the rows' cross-entropy by each, ``p (1 - p)``."""
    n_logits = logits.shape[1]
    for i in range(n_rows):
        if n_logits == 1:
            decay = np.exp(-abs(np.float64(logits[i, 0])))
            logits[i, 0] = decay / ((1.0 + decay) * (1.0 + decay))
            continue
        leader = argmax(logits, i)
        rest = softmax_row(logits, i, leader)
        for k in range(n_logits):
            logits[i, k] *= 1.0 - logits[i, k]
        logits[i, leader] = rest / ((1.0 + rest) * (1.0 + rest))
