"""Metrics of decided classes: accuracy, balanced accuracy, recall and precision.

What lives here: these, of labels or of the most probable classes. What doesn't: ranks of classes and rows (``ranking``), costs
and selective classification (``costs``), scores of the probabilities themselves (``scoring_rules``).

Conventions
-----------
``y_pred`` are decided labels, or rows of class probabilities, of which the most probable class is decided, the first of equal
ones. A row of class probabilities as the truth counts as one row for each class, weighted by its probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._decisions import check_decisions
from ._inputs import mean_share


def accuracy_score(
    y_true: Any, y_pred: Any, *, labels: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> float:
    r"""Return the accuracy, the share of rows whose decided class is the true one; greater is better.

    .. math:: \sum_i w_i [y_i = d_i] \Big/ \sum_i w_i

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    y_pred : array-like of shape (n_rows,) or (n_rows, n_classes)
        Decided labels, or rows of class probabilities, of which the most probable class is decided.
    labels : array-like of shape (n_classes,), default=None
        The label of each column, needed if there are columns and some class does not occur in ``y_true``.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights of the rows.

    Returns
    -------
    score : float
        In [0, 1]: for uniform probabilities the share of the first class, for a constant decision the share of its class.

    Raises
    ------
    ValueError
        Input that is not as above; the message names the parameter and the first bad row.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 7.2.

    Examples
    --------
    >>> from sksoftmax.metrics import accuracy_score
    >>> accuracy_score(["a", "b", "b", "a"], ["a", "b", "a", "a"])
    0.75
    >>> accuracy_score(["a", "b"], [[0.9, 0.1], [0.6, 0.4]])
    0.5
    """
    given = check_decisions(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    return mean_share(given.weight, given.correct())


def balanced_accuracy_score(
    y_true: Any, y_pred: Any, *, labels: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> float:
    r"""Return the balanced accuracy, the mean recall of the classes that occur; greater is better.

    .. math:: \frac{1}{K} \sum_k \frac{\mathrm{TP}_k}{\mathrm{TP}_k + \mathrm{FN}_k}

    over the K classes that occur.

    Parameters
    ----------
    y_true, y_pred, labels, sample_weight
        As for ``accuracy_score``. Classes of ``labels`` that do not occur in ``y_true`` have no recall and do not count.

    Returns
    -------
    score : float
        In [0, 1]; one divided by the number of classes that occur for any constant decision and for uniform probabilities.

    Raises
    ------
    ValueError
        As ``accuracy_score``.

    References
    ----------
    Brodersen, Ong, Stephan & Buhmann (2010), "The Balanced Accuracy and Its Posterior Distribution".

    Examples
    --------
    >>> from sksoftmax.metrics import balanced_accuracy_score
    >>> balanced_accuracy_score(["ham"] * 9 + ["spam"], ["ham"] * 10)
    0.5
    """
    recalls = recall_per_class(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    return float(recalls[~np.isnan(recalls)].mean())


def recall_per_class(
    y_true: Any, y_pred: Any, *, labels: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    r"""Return the recall of each class, the share of its rows that are decided correctly; greater is better.

    .. math:: \mathrm{TP}_k / (\mathrm{TP}_k + \mathrm{FN}_k)

    Their mean is ``balanced_accuracy_score``. :func:`sklearn.metrics.recall_score` averages in other ways, over labels alone.

    Parameters
    ----------
    y_true, y_pred, labels, sample_weight
        As for ``accuracy_score``.

    Returns
    -------
    recalls : ndarray of shape (n_classes,), float64
        In [0, 1]; NaN for a class that does not occur. Classes are in the order of ``labels``, else sorted.

    Raises
    ------
    ValueError
        As ``accuracy_score``.

    References
    ----------
    Manning, Raghavan & Schütze (2008), "Introduction to Information Retrieval", section 8.3.

    Examples
    --------
    >>> from sksoftmax.metrics import recall_per_class
    >>> recall_per_class([0, 0, 1, 1, 2], [0, 1, 1, 1, 0])
    array([0.5, 1. , 0. ])
    """
    true_positives, support, _ = check_decisions(y_true, y_pred, labels=labels, sample_weight=sample_weight).class_counts()
    return _ratios(true_positives, support)


def precision_per_class(
    y_true: Any, y_pred: Any, *, labels: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    r"""Return the precision of each class, the share of correct ones among the rows decided for it; greater is better.

    .. math:: \mathrm{TP}_k / (\mathrm{TP}_k + \mathrm{FP}_k)

    Parameters
    ----------
    y_true, y_pred, labels, sample_weight
        As for ``accuracy_score``.

    Returns
    -------
    precisions : ndarray of shape (n_classes,), float64
        In [0, 1]; NaN for a class that is never decided for. Classes are in the order of ``labels``, else sorted.

    Raises
    ------
    ValueError
        As ``accuracy_score``.

    References
    ----------
    Manning, Raghavan & Schütze (2008), "Introduction to Information Retrieval", section 8.3.

    Examples
    --------
    >>> from sksoftmax.metrics import precision_per_class
    >>> precision_per_class([0, 0, 1, 1, 2], [0, 1, 1, 1, 0]).round(3)
    array([0.5  , 0.667,   nan])
    """
    true_positives, _, predicted = check_decisions(y_true, y_pred, labels=labels, sample_weight=sample_weight).class_counts()
    return _ratios(true_positives, predicted)


def macro_precision_score(
    y_true: Any, y_pred: Any, *, labels: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> float:
    """Return the macro-averaged precision, the mean of ``precision_per_class``; greater is better.

    As ``sklearn.metrics.precision_score(y_true, y_pred, average="macro", zero_division=0)`` for labels.

    Parameters
    ----------
    y_true, y_pred, labels, sample_weight
        As for ``accuracy_score``. Classes of ``labels`` that occur neither in ``y_true`` nor among the decisions do not count.

    Returns
    -------
    score : float
        In [0, 1]; a class that occurs and is never decided for counts as 0.

    Raises
    ------
    ValueError
        As ``accuracy_score``.

    References
    ----------
    Manning, Raghavan & Schütze (2008), "Introduction to Information Retrieval", section 8.3.

    Examples
    --------
    >>> from sksoftmax.metrics import macro_precision_score
    >>> round(macro_precision_score([0, 0, 1, 1, 2], [0, 1, 1, 1, 0]), 4)
    0.3889
    """
    true_positives, support, predicted = check_decisions(
        y_true, y_pred, labels=labels, sample_weight=sample_weight
    ).class_counts()
    return float(np.nan_to_num(_ratios(true_positives, predicted))[(predicted > 0) | (support > 0)].mean())


def _ratios(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, NaN where whole is zero."""
    # The two are summed in different orders and may differ by a rounding error.
    return np.minimum(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0), 1.0)
