"""Every formula once more, slowly: what the package is tested against.

Plain loops and plain NumPy, in float64, without blocks, threads, kernels or tricks beyond subtracting the largest logit.
Nothing here imports sksoftmax. A row of targets is always a row of class probabilities.
"""

import math

import numpy as np


def _log_total(logits):
    """Largest logit, and the logarithm of the sum of exp(logit - largest): one for the largest, plus the rest."""
    ordered = sorted(logits)
    largest = ordered.pop()
    return largest, math.log1p(math.fsum(math.exp(z - largest) for z in ordered))


def softmax(logits):
    return np.array([math.exp(lp) for lp in log_softmax(logits)])


def logsumexp(logits):
    return sum(_log_total(logits))


def log_softmax(logits):
    largest, log_total = _log_total(logits)
    return np.array([(z - largest) - log_total for z in logits])


def one_hot(labels, n_classes):
    return np.eye(n_classes)[np.asarray(labels)]


def smoothed(target, smoothing):
    """Turn each class's share of a target into 1 - smoothing on it and smoothing / (K - 1) on each other class."""
    n_classes = len(target)
    spread = np.full((n_classes, n_classes), smoothing / (n_classes - 1))
    np.fill_diagonal(spread, 1 - smoothing)
    return np.asarray(target) @ spread


def cross_entropy(logits, target, label_smoothing=0.0):
    """Minus the mean log-probability under the target; a class that the target leaves out may have probability zero."""
    target = smoothed(target, label_smoothing)
    return -math.fsum(t * lp for t, lp in zip(target, log_softmax(logits), strict=True) if t > 0)


def focal(logits, target, gamma=2.0):
    """Cross-entropy, each class's part times the gamma-th power of the other classes' probability."""
    log_proba = log_softmax(logits)
    others = [math.fsum(math.exp(other) for j, other in enumerate(log_proba) if j != k) for k in range(len(target))]
    return -math.fsum(t * rest**gamma * lp for t, rest, lp in zip(target, others, log_proba, strict=True) if t > 0)


def margin(logits, target, margin=1.0, scale=1.0):
    """Cross-entropy of scaled logits, the true one of them less the margin."""
    (label,) = np.flatnonzero(target)
    return cross_entropy([scale * (z - margin * (k == label)) for k, z in enumerate(logits)], target)


def logit_adjusted(logits, target, tau=1.0, class_prior=None):
    """Cross-entropy of logits plus tau times the logarithm of each class's share."""
    return cross_entropy([z + tau * math.log(share) for z, share in zip(logits, class_prior, strict=True)], target)


def hinge(logits, target, margin=1.0, smoothing=0.1):
    """What other logits, and the margin, are above the true one; near zero a parabola."""
    (label,) = np.flatnonzero(target)
    violations = [z - logits[label] + margin for k, z in enumerate(logits) if k != label]
    kinks = [(u + smoothing / 2) ** 2 / (2 * smoothing) for u in violations if abs(u) < smoothing / 2]
    return math.fsum(kinks + [u for u in violations if u > 0 and u >= smoothing / 2])


def cosine(cosines, target, scale=16.0, margin=0.0, angular_margin=0.0):
    """Cross-entropy of scaled cosines, the true angle widened and then the margin taken off."""
    (label,) = np.flatnonzero(target)
    angle = math.acos(cosines[label]) + angular_margin
    own = (math.cos(angle) if angle <= math.pi else -2 - math.cos(angle)) - margin
    return cross_entropy([scale * (own if k == label else z) for k, z in enumerate(cosines)], target)


LOSSES = {
    "cosine": cosine,
    "cross_entropy": cross_entropy,
    "focal": focal,
    "hinge": hinge,
    "logit_adjusted": logit_adjusted,
    "margin": margin,
}
"""Reference of each loss in the package's table: loss(logits, target, **hyperparameters) -> float."""


def l2(coef):
    return 0.5 * math.fsum(w * w for w in np.ravel(coef))


PENALTIES = {"l2": l2}


def full_logits(X, coef, intercept):
    """Logits of all classes; the one row of a two-class model is the logit of class 1, against 0."""
    logits = X @ coef.T + intercept
    return np.column_stack([np.zeros(len(X)), logits]) if logits.shape[1] == 1 else logits


def objective(X, target, weight, coef, intercept, *, C, loss=cross_entropy, penalty=l2, **hyperparameters):
    """Mean loss plus penalty / (C * total weight)."""
    logits = full_logits(X, coef, intercept)
    total = math.fsum(weight)
    losses = math.fsum(w * loss(z, t, **hyperparameters) for w, z, t in zip(weight, logits, target, strict=True) if w > 0)
    return losses / total + penalty(coef) / (C * total)


def minimum(X, target, weight, *, C, fit_intercept=True, label_smoothing=0.0, n_iter=60):
    """Coef and intercept of the smallest cross-entropy objective: damped Newton with a minimum-norm least-squares step."""
    n_rows, n_features = X.shape
    n_classes = target.shape[1]
    design = np.column_stack([X, np.ones(n_rows)]) if fit_intercept else X
    target = np.array([smoothed(t, label_smoothing) for t in target])
    share = weight / weight.sum()
    alpha = np.zeros(design.shape[1])
    alpha[:n_features] = 1 / (C * weight.sum())
    # Two classes: one free row, the other held at zero.
    free = slice(1, None) if n_classes == 2 else slice(None)
    n_free = n_classes - 1 if n_classes == 2 else n_classes

    def value(params):
        logits = np.zeros((n_rows, n_classes))
        logits[:, free] = design @ params.T
        log_proba = np.array([log_softmax(z) for z in logits])
        return -share @ (target * log_proba).sum(axis=1) + 0.5 * np.sum(alpha * params**2), np.exp(log_proba)

    params = np.zeros((n_free, design.shape[1]))
    current, proba = value(params)
    for _ in range(n_iter):
        residual = (share[:, None] * (proba - target))[:, free]
        gradient = residual.T @ design + alpha * params
        hessian = np.zeros((n_free, design.shape[1], n_free, design.shape[1]))
        for k in range(n_free):
            for m in range(n_free):
                p, q = proba[:, free][:, k], proba[:, free][:, m]
                hessian[k, :, m] = (design * (share * p * ((k == m) - q))[:, None]).T @ design
            hessian[k, :, k] += np.diag(alpha)
        size = gradient.size
        step = -np.linalg.lstsq(hessian.reshape(size, size), gradient.ravel(), rcond=1e-13)[0].reshape(params.shape)
        length = 1.0
        while length > 1e-10:
            new, new_proba = value(params + length * step)
            if new <= current + 1e-16:
                params, current, proba = params + length * step, new, new_proba
                break
            length /= 2
    return (params[:, :-1], params[:, -1]) if fit_intercept else (params, np.zeros(n_free))


def validation_figures(proba, target, weight, class_weight):
    """Cross-entropy and accuracy of predicted probabilities; a row of target q is K rows, the k-th of weight q_k c_k."""
    cross_entropy = accuracy = total = 0.0
    for p, q, w in zip(proba, target, weight, strict=True):
        for k in range(len(p)):
            share = w * q[k] * class_weight[k]
            if share > 0:
                cross_entropy -= share * np.log(p[k])
                accuracy += share * (k == np.argmax(p))
                total += share
    return cross_entropy / total, accuracy / total
