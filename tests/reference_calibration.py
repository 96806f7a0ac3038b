"""Calibrators once more, slowly: what the package's are tested against.

Each function takes logits (n, K), targets as rows of class probabilities, weights that are not negative and logits to be
calibrated, and returns log-probabilities of the latter, up to a constant a row. Optima come from SciPy's general solvers.
Nothing here imports sksoftmax.
"""

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit, log_softmax, logsumexp


def mean_loss(logits, target, weight):
    """Weighted mean cross-entropy."""
    log_proba = log_softmax(logits, axis=1)
    return -np.sum(weight * np.where(target > 0, target * log_proba, 0.0).sum(axis=1)) / weight.sum()


def best_temperature(logits, target, weight):
    """The root of the slope of the loss by 1/T, bracketed and bisected."""

    def slope(log_inverse):
        proba = np.exp(log_softmax(np.exp(log_inverse) * logits, axis=1))
        finite = np.where(np.isfinite(logits), logits, 0.0)
        return np.sum(weight * ((proba - target) * finite).sum(axis=1))

    return np.exp(-brentq(slope, -10, 10, xtol=1e-15, rtol=1e-14))


def temperature(logits, target, weight, new):
    return new / best_temperature(logits, target, weight)


def ensemble_temperature(logits, target, weight, new):
    best = best_temperature(logits, target, weight)

    def members(z):
        return np.stack(
            [np.exp(log_softmax(z / best, axis=1)), np.exp(log_softmax(z, axis=1)), np.full(z.shape, 1 / z.shape[1])]
        )

    proba = members(logits)

    def loss(v):
        mixture = np.exp(log_softmax(np.append(v, 0.0)))
        mixed = np.tensordot(mixture, proba, axes=1)
        slopes = np.array([np.sum(weight[:, None] * target * p / mixed) for p in proba]) / weight.sum()
        value = -np.sum(weight[:, None] * target * np.log(mixed)) / weight.sum()
        return value, -(mixture * (slopes - mixture @ slopes))[:2]

    best_v = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return np.log(np.tensordot(np.exp(log_softmax(np.append(best_v, 0.0))), members(new), axes=1))


def _log_odds(logits, k):
    """Log-odds of class k against the rest."""
    return logits[:, k] - logsumexp(np.delete(logits, k, axis=1), axis=1)


def _sigmoid(columns, proba, weight, *, bounds=None):
    """Coefficients and intercept of a logistic regression on columns, by L-BFGS-B and a finish by Newton's method."""
    design = np.column_stack([columns, np.ones(len(columns))])

    def loss(params):
        line = design @ params
        value = -np.sum(weight * (proba * log_expit(line) + (1 - proba) * log_expit(-line)))
        return value / weight.sum(), design.T @ (weight * (expit(line) - proba)) / weight.sum()

    params = minimize(
        loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-16, "gtol": 1e-12}
    ).x
    free = np.flatnonzero(
        np.ones(len(params))
        if bounds is None
        else [low is None or p > 1e-9 for p, (low, _) in zip(params, bounds, strict=True)]
    )
    for _ in range(20):
        p = expit(design @ params)
        gradient = design[:, free].T @ (weight * (p - proba))
        hessian = (design[:, free] * (weight * p * (1 - p))[:, None]).T @ design[:, free]
        params[free] -= np.linalg.solve(hessian, gradient)
    return params


def platt(logits, target, weight, new):
    out = np.empty(new.shape)
    for k in range(logits.shape[1]):
        n_own = np.sum(weight * target[:, k])
        own, other = (n_own + 1) / (n_own + 2), 1 / (weight.sum() - n_own + 2)
        proba = target[:, k] * own + (1 - target[:, k]) * other
        slope, intercept = _sigmoid(_log_odds(logits, k)[:, None], proba, weight)
        out[:, k] = log_expit(slope * _log_odds(new, k) + intercept)
    return out


def _isotonic(x, y, weight):
    """Pool adjacent violators: [x of the first and last row of each pool], [its mean]."""
    order = np.argsort(x)
    pools = []  # [sum of weight * y, sum of weight, least x, greatest x]
    for i in order:
        pools.append([weight[i] * y[i], weight[i], x[i], x[i]])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [pools[-1][0] + last[0], pools[-1][1] + last[1], pools[-1][2], last[3]]
    return np.ravel([p[2:] for p in pools]), np.repeat([p[0] / p[1] for p in pools], 2)


def isotonic(logits, target, weight, new):
    proba, new_proba = np.exp(log_softmax(logits, axis=1)), np.exp(log_softmax(new, axis=1))
    counts = weight > 0
    out = np.empty(new.shape)
    for k in range(logits.shape[1]):
        out[:, k] = np.interp(new_proba[:, k], *_isotonic(proba[counts, k], target[counts, k], weight[counts]))
    out[out.sum(axis=1) == 0] = 1
    mixing = 1 / (weight.sum() + 1)
    return np.log((1 - mixing) * out / out.sum(axis=1, keepdims=True) + mixing / out.shape[1])


def beta(logits, target, weight, new):
    def columns(z):
        log_proba = log_softmax(z, axis=1)
        return np.column_stack([log_proba[:, 1], -log_proba[:, 0]])

    a, b, c = _sigmoid(columns(logits), target[:, 1], weight, bounds=[(0, None), (0, None), (None, None)])
    line = columns(new) @ [a, b] + c
    return np.column_stack([np.zeros(len(line)), line])


def mixed_log_proba(logits, temperature, mixing):
    """Log-probabilities at a temperature, mixed with equal ones; −inf becomes the least logarithm of a normal number."""
    proba = (1 - mixing) * np.exp(log_softmax(logits / temperature, axis=1)) + mixing / logits.shape[1]
    exact = log_softmax(logits / temperature, axis=1)
    with np.errstate(divide="ignore"):
        return np.maximum(exact if mixing == 0 else np.log(proba), np.log(np.finfo(float).tiny))


def ridge_objective(z, target, weight, coef, intercept, ridge):
    """Mean loss of z @ coef.T + intercept plus ridge times squared deviations of coef | intercept from the identity."""
    deviation = np.column_stack([coef - np.eye(len(coef)), intercept])
    return mean_loss(z @ coef.T + intercept, target, weight) + np.sum(ridge * deviation**2)


def ridge_minimum(z, target, weight, ridge, basis):
    """Coef and intercept of the least ridge objective; basis (n_params, K, K + 1) spans their deviations."""
    n_classes = z.shape[1]
    design = np.column_stack([z, np.ones(len(z))])

    def value_and_gradient(params):
        deviation = np.tensordot(params, basis, axes=1)
        logits = design @ deviation.T + z
        proba = np.exp(log_softmax(logits, axis=1))
        mass = target.sum(axis=1, keepdims=True)
        slope = (weight[:, None] * (mass * proba - target)).T @ design / weight.sum() + 2 * ridge * deviation
        return mean_loss(logits, target, weight) + np.sum(ridge * deviation**2), np.tensordot(basis, slope, axes=2)

    start = np.zeros(len(basis))
    params = minimize(value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 2000}).x
    deviation = np.tensordot(params, basis, axes=1)
    return np.eye(n_classes) + deviation[:, :-1], deviation[:, -1]


def scaling_parts(shape, n_classes):
    """Basis of the deviations, and the weights of the squares less K/n and the strength."""
    ridge = np.full((n_classes, n_classes + 1), n_classes - 1.0)
    ridge[:, -1] = ridge[range(n_classes), range(n_classes)] = 1
    basis = np.eye(n_classes * (n_classes + 1)).reshape(-1, n_classes, n_classes + 1)
    if shape == "matrix":
        return basis, ridge
    diagonal = [basis[k * (n_classes + 1) + k] for k in range(n_classes)]
    intercept = [basis[k * (n_classes + 1) + n_classes] for k in range(n_classes)]
    if shape == "diagonal":
        return np.array(diagonal + intercept), ridge
    ridge[range(n_classes), range(n_classes)] = 1 / n_classes  # the one factor counts once
    return np.array([np.sum(diagonal, axis=0), *intercept]), ridge


def scaling(shape, strength, *, mixes):
    """A calibrator by ridge regression after the best temperature."""

    def calibrate(logits, target, weight, new):
        n_classes, total = logits.shape[1], weight.sum()
        best, mixing = best_temperature(logits, target, weight), mixes / (total + 1)
        basis, ridge = scaling_parts(shape, n_classes)
        z = mixed_log_proba(logits, best, mixing)
        coef, intercept = ridge_minimum(z, target, weight, strength * n_classes / total * ridge, basis)
        return mixed_log_proba(new, best, mixing) @ coef.T + intercept

    return calibrate


def dirichlet(logits, target, weight, new, off_diagonal=10.0):
    n_classes = logits.shape[1]
    basis, ridge = scaling_parts("matrix", n_classes)
    ridge = np.full(ridge.shape, off_diagonal / (n_classes * (n_classes - 1)))
    ridge[:, -1] = off_diagonal / n_classes
    ridge[range(n_classes), range(n_classes)] = 1e-5
    coef, intercept = ridge_minimum(log_softmax(logits, axis=1), target, weight, ridge, basis)
    return log_softmax(new, axis=1) @ coef.T + intercept


def none(logits, target, weight, new):
    return new


def auto(logits, target, weight, new, n_folds=5):
    """Five folds drawn by chance; the first of the ordered candidates that is hardly worse than the best."""
    n_rows, n_classes = logits.shape
    names = [none, temperature, *([platt] if n_classes == 2 else []), CALIBRATORS["structured-vector"]]
    names += [scaling("matrix", strength, mixes=True) for strength in (10.0, 1.0, 0.1)]
    fold = np.full(n_rows, -1)
    fold[weight > 0] = np.random.default_rng(0).permutation(np.count_nonzero(weight)) % n_folds
    losses = np.zeros((len(names), n_rows))
    for held_out in range(n_folds):
        inside, outside = (fold >= 0) & (fold != held_out), fold == held_out
        for row, method in zip(losses, names, strict=True):
            log_proba = log_softmax(method(logits[inside], target[inside], weight[inside], logits[outside]), axis=1)
            row[outside] = -np.sum(np.where(target[outside] > 0, target[outside] * log_proba, 0.0), axis=1)
    share = weight / weight.sum()
    best = losses[np.argmin(losses @ share)]
    for row, method in zip(losses, names, strict=True):
        excess, errors = row - best, 1.0 if method is none else 0.5
        held = np.clip(excess, -1, 1)
        if share @ excess <= errors * np.sqrt(np.sum((share * (held - share @ held)) ** 2)):
            return method(logits, target, weight, new)
    raise AssertionError


CALIBRATORS = {
    "auto": auto,
    "beta": beta,
    "bias-corrected-temperature": scaling("multiple", 0.01, mixes=False),
    "dirichlet": dirichlet,
    "ensemble-temperature": ensemble_temperature,
    "isotonic": isotonic,
    "none": none,
    "platt": platt,
    "structured-matrix": scaling("matrix", 1.0, mixes=True),
    "structured-vector": scaling("diagonal", 1.0, mixes=True),
    "temperature": temperature,
    "vector": scaling("diagonal", 0.01, mixes=False),
}
"""Reference of each calibrator in the package's table: calibrator(logits, target, weight, new) -> logits of new."""
