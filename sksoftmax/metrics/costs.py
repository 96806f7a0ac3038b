r"""Cost-sensitive decisions: least expected cost under a cost matrix, and selective classification.

What lives here: ``optimal_decisions`` and the expected cost; accuracy and risk as functions of coverage. What doesn't:
accuracies, where all mistakes cost the same (``decisions``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.arrays import as_floats, check_proba
from ..data.labels import check_classes
from ..kernels import metrics as kernels
from ..losses._decision import most_probable
from ._inputs import Predictions, check_predictions


def optimal_decisions(proba: ArrayLike, cost: ArrayLike | None = None, *, labels: ArrayLike | None = None) -> NDArray:
    r"""Return for each row the decision of least expected cost, :math:`\arg\min_d \sum_k p_k c_{kd}`.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes), float32 or float64
        Rows of class probabilities.
    cost : array-like of shape (n_classes, n_decisions), default=None
        Cost of decision d where class k is true; negative costs are gains. Decisions need not be classes: they may be to
        abstain, or to acquire more information. By default each mistake costs one, and the most probable class is decided. If
        the index of a data frame names classes, its rows are put in the order of the columns of ``proba``, which must be named
        then; if ``labels`` are given, its columns are put in their order.
    labels : array-like of shape (n_decisions,), default=None
        Names of the decisions.

    Returns
    -------
    decisions : ndarray of shape (n_rows,)
        Indices of columns of ``cost``, or their ``labels``; the first of those with equal expected cost.

    Raises
    ------
    ValueError
        Rows that are no distributions, a cost that is not finite or has another number of rows or other names, or another
        number of labels.

    References
    ----------
    Elkan (2001), "The Foundations of Cost-Sensitive Learning".

    Examples -------- To send an ill patient home costs ten times as much as to treat a healthy one, and a further test half as
    much as the latter:

    >>> from sksoftmax.metrics import optimal_decisions
    >>> optimal_decisions([[0.99, 0.01], [0.9, 0.1], [0.3, 0.7]], [[0, 1, 0.5], [10, 0, 0.5]], labels=["home", "treat", "test"])
    array(['home', 'test', 'treat'], dtype='<U5')
    """
    rows = check_proba(proba, "proba")
    classes = getattr(proba, "columns", None)
    matrix = None if cost is None else _check_cost(cost, rows.shape[1], classes, labels)
    indices = _cheapest(rows, matrix)
    if labels is None:
        return indices
    return check_classes(labels, (rows if matrix is None else matrix).shape[1], name="labels", columns="decisions")[indices]


def expected_cost_loss(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    cost: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Return the mean cost of the decisions that ``optimal_decisions`` returns; smaller is better.

    .. math:: \sum_i w_i c_{y_i d_i} \Big/ \sum_i w_i, \quad d_i = \arg\min_d \sum_k p_{ik} c_{kd}

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.
    cost : array-like of shape (n_classes, n_decisions), default=None
        Cost of decision d where class k is true, in the order of the columns of ``y_proba``; the rows of a data frame are
        put in this order if its index names the classes. By default one for each mistake, so that the loss is the error rate.

    Returns
    -------
    loss : float
        In the unit of ``cost``, between its least and its greatest entry.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, or a cost that is not finite or has another number of rows or names of other classes.

    References
    ----------
    Elkan (2001), "The Foundations of Cost-Sensitive Learning".

    Examples
    --------
    >>> from sksoftmax.metrics import expected_cost_loss
    >>> proba = [[0.8, 0.2], [0.95, 0.05], [0.3, 0.7]]
    >>> expected_cost_loss(["well", "well", "ill"], proba, cost=[[0, 1], [10, 0]], labels=["well", "ill"]) * 3
    1.0
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    matrix = None if cost is None else _check_cost(cost, given.n_classes, given.classes)
    decided = _cheapest(given.proba, matrix)
    if matrix is None:
        matrix = 1.0 - np.eye(given.n_classes)
    if given.labels is not None:
        return float(given.weight @ matrix[given.labels, decided])
    costs = np.empty(given.n_rows)
    kernels.row_products(given.target, np.ascontiguousarray(matrix.T)[decided], costs)
    return float(given.weight @ costs)


def _check_cost(cost: Any, n_classes: int, classes: Any, decisions: Any = None) -> NDArray[np.float64]:
    """Return costs with a row for each of n_classes classes, in the order of their names, and of the decisions' if given."""
    matrix = as_floats(cost, "cost").astype(np.float64, copy=False)
    if matrix.ndim != 2 or matrix.shape[0] != n_classes or matrix.shape[1] == 0:
        raise ValueError(f"cost must have shape ({n_classes}, n_decisions), a row for each class; got {matrix.shape}.")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"cost must be finite, got {matrix[row, column]} in row {row}, column {column}.")
    columns = getattr(cost, "columns", None)
    index = None if columns is None else getattr(cost, "index", None)  # lists have an index, too: a method
    matrix = matrix[_order(index, classes, n_classes, "index", "classes")]
    if decisions is not None:
        matrix = matrix[:, _order(columns, decisions, matrix.shape[1], "columns", "decisions")]
    return matrix


def _order(names: Any, wanted: Any, length: int, axis: str, what: str) -> NDArray[np.intp]:
    """Return the position of each of the wanted names among a data frame's.

    A data frame's default names 0, 1, … that are not the wanted ones are ignored: the order is then that given.
    """
    own = np.arange(length).tolist() if names is None else np.asarray(names).tolist()
    asked = own if wanted is None else np.asarray(wanted).tolist()
    unnamed = own == list(range(length))
    if wanted is None and not unnamed:
        raise ValueError(
            f"cost has {what} named {own} in its {axis}, and the columns of proba have no names to put them in order by: pass "
            "proba as a data frame with these columns, or cost as an array."
        )
    if names is not None and len(set(own)) == len(own) and set(own) == set(asked):
        return np.array([own.index(name) for name in asked], dtype=np.intp)
    if unnamed:
        return np.arange(length)
    raise ValueError(f"cost must have the {what} {asked} in its {axis}, in any order; got {own}.")


def _cheapest(proba: NDArray, matrix: NDArray[np.float64] | None) -> NDArray[np.intp]:
    """Return each row's decision of least expected cost; without a matrix the most probable class."""
    # Not 1 - p: rounding would break ties.
    return most_probable(proba) if matrix is None else (proba @ matrix).argmin(axis=1)


class AccuracyCoverage(NamedTuple):
    """Result of ``accuracy_coverage_curve``: points of the curve, one for each distinct confidence, in descending order."""

    coverage: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    threshold: NDArray[np.float64]


def accuracy_coverage_curve(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> AccuracyCoverage:
    r"""Return the accuracy of selective classification as a function of coverage.

    .. math:: \mathrm{accuracy}(\tau) = \frac{\sum_i w_i [c_i \ge \tau] [y_i = d_i]}{\sum_i w_i [c_i \ge \tau]}, \quad
        \mathrm{coverage}(\tau) = \frac{\sum_i w_i [c_i \ge \tau]}{\sum_i w_i}

    with the most probable class :math:`d_i` of row i and its probability, the confidence :math:`c_i`.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.

    Returns
    -------
    coverage : ndarray of shape (n_points,), float64
        Share of the rows of at least that confidence, increasing to 1.
    accuracy : ndarray of shape (n_points,), float64
        Share of these that are decided correctly; the last is the accuracy of all rows.
    threshold : ndarray of shape (n_points,), float64
        The confidence, decreasing.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``.

    References
    ----------
    El-Yaniv & Wiener (2010), "On the Foundations of Noise-free Selective Classification".

    Examples
    --------
    >>> from sksoftmax.metrics import accuracy_coverage_curve
    >>> coverage, accuracy, threshold = accuracy_coverage_curve([0, 1, 1, 0], [0.1, 0.9, 0.4, 0.3])
    >>> coverage, accuracy.round(2), threshold
    (array([0.5 , 0.75, 1.  ]), array([1.  , 1.  , 0.75]), array([0.9, 0.7, 0.6]))
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    weight, correct, threshold = _group_by_confidence(given)
    coverage = np.cumsum(weight)
    return AccuracyCoverage(np.minimum(coverage / coverage[-1], 1.0), np.cumsum(correct) / coverage, threshold)


def aurc_loss(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Return the area under the risk–coverage curve: the error rate, averaged over all coverages; smaller is better.

    .. math:: \int_0^1 \mathrm{risk}(c) \, dc

    where risk(c) is the share of mistakes among the fraction c of rows of highest confidence, rows of equal confidence in
    random order. The integral is exact. The usual sum over rows is a Riemann sum of it, which differs by about 1/n_rows; the
    integral is invariant to repeating all rows.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.

    Returns
    -------
    loss : float
        In [0, 1]: 0 without mistakes; the error rate for equal confidences, such as uniform probabilities; about
        r + (1 − r) log(1 − r) for an error rate r whose mistakes are all less confident than the rest.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``.

    References
    ----------
    Geifman, Uziel & El-Yaniv (2019), "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers".

    Examples
    --------
    >>> from sksoftmax.metrics import aurc_loss
    >>> aurc_loss([0, 1, 1, 0], [0.1, 0.9, 0.6, 0.3])
    0.0
    >>> aurc_loss([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5])
    0.5
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    weight, correct, _ = _group_by_confidence(given)
    errors = np.maximum(weight - correct, 0.0)
    after = np.cumsum(weight)
    before, errors_before = np.append(0.0, after[:-1]), np.append(0.0, np.cumsum(errors)[:-1])
    # Within a group of equal confidence (weight w, errors e) errors grow linearly from e0 at coverage c0. The integral of
    # (e0 + (c - c0) e / w) / c from c0 to c0 + w is e + (e0 - c0 e / w) log(1 + w / c0).
    rate = errors / weight
    with np.errstate(over="ignore"):
        growth = after[1:] / before[1:]
    growth = np.where(growth < np.inf, np.log(growth), np.log(after[1:]) - np.log(before[1:]))
    grown = growth * (errors_before[1:] - before[1:] * rate[1:])
    return float(errors.sum() + grown.sum())


def _group_by_confidence(given: Predictions) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return weight, weight of correct decisions and confidence of each group of equal confidence, in descending order."""
    decided = most_probable(given.proba)
    rows = np.arange(given.n_rows)
    confidence = given.proba[rows, decided].astype(np.float64)
    correct = (given.labels == decided) if given.target is None else given.target[rows, decided]
    order = np.argsort(-confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=np.inf))
    weight = np.add.reduceat(given.weight[order], starts)
    return weight, np.add.reduceat((given.weight * correct)[order], starts), confidence[order][starts]
