"""Validation of truth and decisions given to a metric.

What lives here: ``check_decisions`` and what it returns, ``Decisions``. What doesn't: metrics (``decisions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.arrays import as_numpy
from ..data.labels import check_classes, encode_labels, label_vector, sorted_labels
from ..data.targets import check_proba_targets, is_proba
from ..data.weights import check_weight
from ..losses._decision import most_probable
from ._inputs import check_predictions, normalise


@dataclass(frozen=True)
class Decisions:
    """Validated decided classes, truth and weights; rows of zero weight are left out.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    decided : ndarray of shape (n_rows,), integer
        Class indices.
    labels : ndarray of shape (n_rows,), int32, or None
        True class indices, if ``y_true`` were labels.
    target : ndarray of shape (n_rows, n_classes), float32 or float64, or None
        Rows of class probabilities, if ``y_true`` were that. Exactly one of ``labels`` and ``target`` is not None.
    weight : ndarray of shape (n_rows,), float64
        Positive, summing to one.
    """

    classes: NDArray
    decided: NDArray[np.integer]
    labels: NDArray[np.int32] | None
    target: NDArray | None
    weight: NDArray[np.float64]

    def correct(self) -> NDArray[np.float64]:
        """Return the target's probability of each row's decided class: zero or one for labels."""
        if self.labels is not None:
            return (self.labels == self.decided).astype(np.float64)
        assert self.target is not None
        return self.target[np.arange(len(self.decided)), self.decided].astype(np.float64)

    def class_counts(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return the weighted numbers of true positives, of rows (support) and of decisions (predicted) of each class."""
        n_classes = len(self.classes)
        true_positives = np.bincount(self.decided, self.weight * self.correct(), minlength=n_classes)
        predicted = np.bincount(self.decided, self.weight, minlength=n_classes)
        if self.labels is not None:
            return true_positives, np.bincount(self.labels, self.weight, minlength=n_classes), predicted
        assert self.target is not None
        return true_positives, self.weight @ self.target, predicted

    def confusion_matrix(self) -> NDArray[np.float64]:
        """Return the weight of each pair of a true class (row) and a decided class (column), summing to one."""
        n_classes = len(self.classes)
        if self.labels is not None:
            pairs = self.labels * np.int64(n_classes) + self.decided
            cells = np.bincount(pairs, self.weight, minlength=n_classes**2).astype(np.float64, copy=False)
            return cells.reshape(n_classes, n_classes)
        assert self.target is not None
        matrix = np.zeros((n_classes, n_classes))
        for column in range(n_classes):
            rows = self.decided == column
            matrix[:, column] = self.weight[rows] @ self.target[rows]
        return matrix


def check_decisions(
    y_true: Any, y_pred: Any, *, labels: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> Decisions:
    """Return validated truth, decisions and weights, encoded as class indices or a float table.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    y_pred : array-like of shape (n_rows,) or (n_rows, n_classes)
        Decided labels, or rows of class probabilities, of which the most probable class (the first of equal ones) is decided.
    labels : array-like of shape (n_classes,), default=None
        The labels, in the order of columns if there are any. Without them and without columns, all labels that occur.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.

    Returns
    -------
    decisions : Decisions

    Raises
    ------
    ValueError
        Labels that are not among ``labels``, lengths that differ, numbers that are no labels, or as ``check_predictions``.

    Examples
    --------
    >>> from sksoftmax.metrics._decisions import check_decisions
    >>> given = check_decisions(["a", "b", "a"], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> given.labels, given.decided
    (array([0, 1, 0], dtype=int32), array([0, 0, 1]))
    """
    y_true, y_pred, sample_weight = as_numpy(y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)
    if is_proba(y_pred):
        rows = check_predictions(y_true, y_pred, labels=labels, sample_weight=sample_weight)
        return Decisions(rows.classes, most_probable(rows.proba), rows.labels, rows.target, rows.weight)
    y = label_vector(y_pred, name="y_pred")
    n_rows = len(y)
    classes = None if labels is None else check_classes(labels, name="labels")
    indices, target = None, None
    if is_proba(y_true):
        classes, target = check_proba_targets(y_true, n_rows, classes, name="y_true", rows="y_pred")
    else:
        truth = label_vector(y_true, n_rows, name="y_true", rows="y_pred")
        if n_rows == 0:
            raise ValueError("y_true has no rows.")
        classes, indices = encode_labels(truth, _all_classes(truth, y) if classes is None else classes, name="y_true")
    _, decided = encode_labels(y, classes, name="y_pred")
    weight = check_weight(sample_weight, n_rows)
    weight, decided, indices, target = normalise(weight, decided, indices, target)
    return Decisions(classes, decided, indices, target, weight)


def _all_classes(truth: NDArray, decided: NDArray) -> NDArray:
    """Return the sorted union of the labels of truth and decisions."""
    if truth.dtype.kind in "iu" and decided.dtype == truth.dtype:
        # Concatenated: half the passes.
        return encode_labels(np.concatenate([truth, decided]))[0]
    own, _ = encode_labels(truth, name="y_true", given="labels")
    others, _ = encode_labels(decided, name="y_pred", given="labels")
    known = set(own.tolist())
    new = [label for label in others.tolist() if label not in known]
    if not new:
        return own
    dtype = np.result_type(own, others)
    if dtype.kind == "f" and own.dtype.kind in "iu" and others.dtype.kind in "iu":
        # NumPy promotes int64 and uint64 to float64, which would merge large labels.
        dtype = np.dtype(np.uint64 if min(*known, *new) >= 0 else object)
    return sorted_labels([*known, *new], dtype, name="y_true and y_pred", given="labels")
