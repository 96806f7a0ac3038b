"""The optimizers of stochastic solvers once more, slowly: one function each, a Python loop over minibatches."""

import numpy as np


def gradient(coef, intercept, X, labels, weight):
    """Return the loss and its gradients of rows whose weights need not sum to one."""
    logits = X @ coef.T + intercept
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    loss = -weight @ np.log(proba[np.arange(len(X)), labels])
    proba[np.arange(len(X)), labels] -= 1
    return loss, (proba * weight[:, None]).T @ X, weight @ proba


def sgd(theta, g, moments, t, rate, momentum=0.0, nesterov=False):
    moments["first"] = momentum * moments.get("first", 0.0) + g
    return theta - rate * (g + momentum * moments["first"] if nesterov else moments["first"])


def adam(theta, g, moments, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    moments["first"] = beta_1 * moments.get("first", 0.0) + (1 - beta_1) * g
    moments["second"] = beta_2 * moments.get("second", 0.0) + (1 - beta_2) * g**2
    first, second = moments["first"] / (1 - beta_1**t), moments["second"] / (1 - beta_2**t)
    return theta - rate * first / (np.sqrt(second) + epsilon)


def adagrad(theta, g, moments, t, rate, epsilon=1e-10):
    moments["second"] = moments.get("second", 0.0) + g**2
    return theta - rate * g / (np.sqrt(moments["second"]) + epsilon)


def rmsprop(theta, g, moments, t, rate, rho=0.9, epsilon=1e-8):
    moments["second"] = rho * moments.get("second", 0.0) + (1 - rho) * g**2
    return theta - rate * g / (np.sqrt(moments["second"]) + epsilon)


def epochs(
    optimizer, X, labels, weight, alpha, orders, batch_size, rates, *, intercept=True, implicit=False, average=False, **options
):
    """Return coefficients, intercept and the mean loss of each epoch.

    Parameters
    ----------
    weight : ndarray
        Summing to one.
    orders : list of ndarray
        The rows of each epoch.
    rates : callable
        From the number of steps made to the learning rate.
    implicit : bool
        Whether the penalty divides the coefficients after each step, or is part of the gradient.
    """
    n_classes = labels.max() + 1
    theta = np.zeros((n_classes, X.shape[1] + 1))
    mean, moments, losses, t = theta, {}, [], 0
    for order in orders:
        losses.append(0.0)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            loss, *gradients = gradient(theta[:, :-1], theta[:, -1], X[rows], labels[rows], weight[rows])
            losses[-1] += loss
            g = np.column_stack(gradients) * len(order) / len(rows)
            g[:, :-1] += 0 if implicit else alpha * theta[:, :-1]
            g[:, -1] *= intercept
            rate, t = rates(t), t + 1
            theta = optimizer(theta, g, moments, t, rate, **options)
            if implicit:
                theta[:, :-1] /= 1 + rate * alpha
            mean = mean + 4 / (t + 3) * (theta - mean)
    theta = mean if average else theta
    return theta[:, :-1], theta[:, -1], losses
