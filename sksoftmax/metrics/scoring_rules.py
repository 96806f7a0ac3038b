r"""Proper scoring rules: losses and scores whose expectation is best for the true probabilities.

What lives here: cross-entropy, Brier and spherical score. What doesn't: how each compares with the class prior (``skill``), how
much of it is due to calibration (``decompositions``), and metrics of decisions alone (``decisions``).

Conventions
-----------
A row of class probabilities as the truth counts as one row for each class, weighted by its probability. So the Brier score
of a row p with the truth q is :math:`\sum_k q_k \lVert p - e_k \rVert^2`, which is least, but not zero, for p = q.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels import metrics as kernels
from ..kernels import rowwise as rowwise_kernels
from ..kernels.losses import NO_CLASS_WEIGHT, NO_LABELS, NO_PROBA
from ..kernels.losses import cross_entropy as cross_entropy_kernels
from ..kernels.losses.cross_entropy import NO_SMOOTHING
from ._inputs import Predictions, Unit, check_predictions, in_unit, mean_share


def cross_entropy_loss(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    unit: Unit = "nats",
    from_logits: bool = False,
    floor: float = 0.0,
) -> float:
    r"""Return the cross-entropy, the mean negative log-probability of the true class; smaller is better.

    .. math:: -\sum_i w_i \sum_k t_{ik} \log p_{ik} \Big/ \sum_i w_i

    where t is one-hot for labels. Its minimum in expectation is the conditional entropy of the labels given the features.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities in the order of the columns of ``y_proba``.
    y_proba : array-like of shape (n_rows, n_classes) or (n_rows,), float32 or float64
        Rows of class probabilities; one-dimensional for two classes: the probability of the greater label.
    labels : array-like of shape (n_classes,), default=None
        The label of each column, needed if some class does not occur in ``y_true``.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights of the rows.
    unit : {"nats", "bits"}, default="nats"
    from_logits : bool, default=False
        Whether ``y_proba`` are logits, of which the log-softmax is taken; log-probabilities are logits. Accurate where
        probabilities would round to zero or one.
    floor : float, default=0.0
        Probabilities are clipped to at least this. With 0 a true class of probability zero gives an infinite loss;
        scikit-learn's ``log_loss`` clips to ``np.finfo(y_proba.dtype).eps``, a loss of 36 nats in float64 and 16 in float32.

    Returns
    -------
    loss : float
        In [0, ∞]: 0 for one-hot predictions that are correct, log(n_classes) for uniform probabilities, the entropy of the
        class frequencies if these are predicted for every row.

    Raises
    ------
    ValueError
        Input that is not as above; the message names the parameter and the first bad row.

    References
    ----------
    Good (1952), "Rational Decisions".

    Examples
    --------
    >>> from sksoftmax.metrics import cross_entropy_loss
    >>> proba = [[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]
    >>> round(cross_entropy_loss(["a", "c"], proba, labels=["a", "b", "c"]), 7)
    1.4978661
    >>> cross_entropy_loss([0, 1], [[0.5, 0.5], [0.5, 0.5]], unit="bits")
    1.0
    >>> cross_entropy_loss([0, 1], [[1000.0, 0.0], [1000.0, 0.0]], from_logits=True)
    500.0
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight, from_logits=from_logits)
    return in_unit(cross_entropy(given, from_logits, floor), unit)


def cross_entropy(given: Predictions, from_logits: bool, floor: float) -> float:
    """Return the cross-entropy of validated predictions, in nats."""
    if not 0 <= floor < 1:
        raise ValueError(f"floor must be in [0, 1), got {floor!r}.")
    losses = _losses_of_logits(given, floor) if from_logits else _losses_of_proba(given, floor)
    return float(given.weight @ losses)


def _losses_of_proba(given: Predictions, floor: float) -> NDArray[np.float64]:
    """Return each row's cross-entropy in nats, given probabilities, which are clipped to at least ``floor``."""
    if given.target is None:
        with np.errstate(divide="ignore"):
            return 0.0 - np.log(np.maximum(given.at_target(given.proba), floor))
    losses = np.empty(given.n_rows)
    kernels.cross_entropies(given.proba, given.target, floor, losses)
    return losses


def _losses_of_logits(given: Predictions, floor: float) -> NDArray[np.float64]:
    """Return each row's cross-entropy in nats, given logits, whose probabilities are clipped to at least ``floor``."""
    logits, losses = given.proba.copy(), np.zeros(given.n_rows)
    if given.n_classes == 1:
        return losses
    if given.target is None:
        cross_entropy_kernels.cross_entropy_labels(
            given.labels, NO_PROBA, NO_CLASS_WEIGHT, given.weight, NO_SMOOTHING, 0, given.n_rows, logits, losses
        )
        return losses if floor == 0 else np.minimum(losses, -np.log(floor))
    if floor == 0:
        ones = np.ones(given.n_classes)
        cross_entropy_kernels.cross_entropy_proba(
            NO_LABELS, given.target, ones, given.weight, NO_SMOOTHING, 0, given.n_rows, logits, losses
        )
        return losses
    rowwise_kernels.softmax(logits, given.n_rows)
    kernels.cross_entropies(logits, given.target, floor, losses)
    return losses


def brier_score_loss(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    scale_by_half: bool | Literal["auto"] = "auto",
) -> float:
    r"""Return the Brier score, the mean squared distance of the probabilities from the one-hot label; smaller is better.

    .. math:: \sum_i w_i \sum_k (p_{ik} - [y_i = k])^2 \Big/ \sum_i w_i

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.
    scale_by_half : bool or "auto", default="auto"
        Whether to halve the score, to a range of [0, 1]. As in scikit-learn "auto" halves it for two classes only, for which
        the half is the squared error of the second class's probability.

    Returns
    -------
    loss : float
        In [0, 2], or [0, 1] if halved; 0 for one-hot predictions that are correct, 1 − 1/n_classes (or half of it) for uniform
        probabilities.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``.

    References
    ----------
    Brier (1950), "Verification of Forecasts Expressed in Terms of Probability".

    Examples
    --------
    >>> from sksoftmax.metrics import brier_score_loss
    >>> round(brier_score_loss([0, 1, 2], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.2, 0.2, 0.6]]), 4)
    0.1467
    >>> round(brier_score_loss(["ham", "spam"], [0.1, 0.7]), 4)
    0.05
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    return brier(given) * brier_scale(given, scale_by_half)


def brier_scale(given: Predictions, scale_by_half: bool | Literal["auto"]) -> float:
    """Return the factor of the Brier score: 1, or 0.5 if halved."""
    if scale_by_half not in (True, False, "auto"):
        raise ValueError(f"scale_by_half must be True, False or 'auto', got {scale_by_half!r}.")
    halved = given.n_classes == 2 if scale_by_half == "auto" else scale_by_half
    return 0.5 if halved else 1.0


def brier(given: Predictions) -> float:
    """Return the Brier score of validated predictions, between 0 and 2."""
    proba, distances = given.proba, np.empty(given.n_rows)
    if given.target is None:
        kernels.squared_distances(proba, given.labels, distances)
    else:
        kernels.row_products(proba, proba, distances)
        distances += 1 - 2 * given.at_target(proba)
    return float(given.weight @ distances)


def spherical_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Return the spherical score, the mean probability of the true class over the row's Euclidean norm; greater is better.

    .. math:: \sum_i w_i \frac{p_{i y_i}}{\lVert p_i \rVert_2} \Big/ \sum_i w_i

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.

    Returns
    -------
    score : float
        In [0, 1]: 1 for correct one-hot predictions, 1/√n_classes for uniform probabilities, 0 for wrong one-hot predictions.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``.

    References
    ----------
    Gneiting & Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation", example 3.

    Examples
    --------
    >>> from sksoftmax.metrics import spherical_score
    >>> round(spherical_score([0, 1], [[0.75, 0.25], [0.0, 1.0]]), 4)
    0.9743
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    return spherical(given)


def spherical(given: Predictions) -> float:
    """Return the spherical score of validated predictions."""
    squares = np.empty(given.n_rows)
    kernels.row_products(given.proba, given.proba, squares)
    return mean_share(given.weight, given.at_target(given.proba) / np.sqrt(squares))
