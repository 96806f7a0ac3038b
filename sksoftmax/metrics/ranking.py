"""Ranking metrics: of the label among a row's classes, and of a class's rows among all rows.

What lives here: top-k accuracy and the area under the ROC curve. What doesn't: metrics of decided classes (``decisions``).
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels import metrics as kernels
from ._inputs import check_predictions, mean_share


def top_k_accuracy_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    k: int = 2,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    from_logits: bool = False,
) -> float:
    r"""Return the share of rows whose label is among the k most probable classes; greater is better.

    Ties are resolved by the expectation over random orders: with a classes above the label's and e equal to it, itself
    included, a row counts :math:`\min(\max((k - a) / e, 0), 1)`.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.
    k : int, default=2
        At least 1. The score is 1 for k ≥ n_classes.
    from_logits : bool, default=False
        Whether ``y_proba`` are logits or other finite scores; only their order counts.

    Returns
    -------
    score : float
        In [0, 1]; k/n_classes for uniform probabilities.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, or a k that is not a positive integer.

    References
    ----------
    Russakovsky et al. (2015), "ImageNet Large Scale Visual Recognition Challenge", section 4.

    Examples
    --------
    >>> from sksoftmax.metrics import top_k_accuracy_score
    >>> proba = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    >>> [round(top_k_accuracy_score([0, 1, 2], proba, k=k), 3) for k in (1, 2, 3, 4)]
    [0.333, 0.667, 1.0, 1.0]
    """
    if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k must be a positive integer, got {k!r}.")
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight, from_logits=from_logits)
    accuracies, shares = np.empty(given.n_rows), np.zeros(given.n_rows)
    if given.labels is not None:
        kernels.top_k_accuracies(given.proba, given.labels, k, accuracies)
        return mean_share(given.weight, accuracies)
    for column in range(given.n_classes):
        kernels.top_k_accuracies(given.proba, np.full(given.n_rows, column, dtype=np.int32), k, accuracies)
        shares += given.target[:, column] * accuracies
    return mean_share(given.weight, shares)


def roc_auc_ovr_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    average: Literal["macro"] | None = "macro",
) -> Any:
    r"""Return for each class the area under the ROC curve of it against the rest, or the mean over classes; greater is better.

    The probability that a row of the class has a greater predicted probability of it than a row of another class, ties
    counting one half:

    .. math:: P(p_{ik} > p_{jk}) + \tfrac12 P(p_{ik} = p_{jk}), \quad y_i = k \neq y_j

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.
    average : {"macro", None}, default="macro"
        "macro" for the mean over the classes that have rows and are not all rows, None for each class.

    Returns
    -------
    score : float, or ndarray of shape (n_classes,), float64
        In [0, 1]: 1 if each class's rows come first, 0.5 for any constant prediction. NaN for a class without rows, or without
        rows of others; so is the mean if ``y_true`` holds one class only.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, or another average.

    References
    ----------
    Hand & Till (2001), "A Simple Generalisation of the Area Under the ROC Curve for Multiple Class Classification Problems".

    Examples
    --------
    >>> from sksoftmax.metrics import roc_auc_ovr_score
    >>> roc_auc_ovr_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    if average not in ("macro", None):
        raise ValueError(f"average must be 'macro' or None, got {average!r}.")
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    areas = np.empty(given.n_classes)
    # For two classes one order is enough: that of the second one's probabilities, as in scikit-learn. Where these are tiny,
    # those of the first round to one and are tied.
    for k in range(given.n_classes) if given.n_classes != 2 else [1]:
        share = (given.labels == k) if given.target is None else given.target[:, k]
        areas[k] = _area(given.proba[:, k], given.weight * share, given.weight * (1.0 - share))
    if given.n_classes == 2:
        areas[0] = areas[1]
    defined = ~np.isnan(areas)
    if average is None:
        return areas
    return float(areas[defined].mean()) if defined.any() else float("nan")


def _area(scores: NDArray, inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Return the probability that a score inside exceeds one outside, ties counting half; NaN where one side is empty."""
    total = inside.sum() * outside.sum()
    if not total > 0:
        return float("nan")
    order = np.argsort(scores)
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    inside, outside = np.add.reduceat(inside[order], starts), np.add.reduceat(outside[order], starts)
    return min(float(inside @ (np.cumsum(outside) - outside / 2) / total), 1.0)
