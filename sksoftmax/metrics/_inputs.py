"""Validation of truth and predictions given to a metric.

What lives here: ``check_predictions`` and what it returns, ``Predictions``; units. What doesn't: the
encoding of labels (``data.labels``), metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.arrays import PROBA_TOLERANCE, as_floats, as_numpy, check_logits, check_possible, check_proba, show, two_columns
from ..data.labels import check_classes, encode_labels, label_vector
from ..data.targets import check_proba_targets, is_proba
from ..data.weights import check_weight, scale_weight
from ..kernels import metrics as kernels

Unit = Literal["nats", "bits"]
NATS_PER = {"nats": 1.0, "bits": float(np.log(2))}


@dataclass(frozen=True)
class Predictions:
    """Validated predictions, truth and weights; rows of zero weight are left out.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The label of each column.
    proba : ndarray of shape (n_rows, n_classes), float32 or float64, C-contiguous
        Class probabilities, each row summing to one within ``PROBA_TOLERANCE``; logits with ``from_logits=True``.
    labels : ndarray of shape (n_rows,), int32, or None
        Class indices, if ``y_true`` were labels.
    target : ndarray of shape (n_rows, n_classes), float32 or float64, or None
        Rows of class probabilities, if ``y_true`` were that. Exactly one of ``labels`` and ``target`` is not None.
    weight : ndarray of shape (n_rows,), float64
        Positive, summing to one.
    """

    classes: NDArray
    proba: NDArray
    labels: NDArray[np.int32] | None
    target: NDArray | None
    weight: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.proba.shape[0]

    @property
    def n_classes(self) -> int:
        """Number of classes, and of columns."""
        return self.proba.shape[1]

    def at_target(self, values: NDArray) -> NDArray[np.float64]:
        """Return each row's value at its label, or its values' mean under its target distribution.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_classes), float32 or float64

        Returns
        -------
        at_target : ndarray of shape (n_rows,), float64
        """
        if self.labels is not None:
            return values[np.arange(self.n_rows), self.labels].astype(np.float64)
        at_target = np.empty(self.n_rows)
        kernels.row_products(values, self.target, at_target)
        return at_target

    def class_weight_sums(self) -> NDArray[np.float64]:
        """Return the sum of the weights of each class's rows, (n_classes,), normalised to one: the class frequencies."""
        if self.labels is not None:
            return np.bincount(self.labels, self.weight, minlength=self.n_classes).astype(np.float64, copy=False)
        assert self.target is not None
        sums: NDArray[np.float64] = self.weight @ self.target
        return sums / sums.sum()


def mean_share(weight: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Return the weighted mean of numbers in [0, 1]; clipped to 1, which rounding of the weights' sum may exceed."""
    return min(float(weight @ shares), 1.0)


def in_unit(nats: Any, unit: Unit) -> Any:
    """Return a number, or an array, of nats in ``unit``.

    Raises
    ------
    ValueError
        ``unit`` is neither "nats" nor "bits".
    """
    if unit not in NATS_PER:
        raise ValueError(f"unit must be 'nats' or 'bits', got {unit!r}.")
    return nats / NATS_PER[unit]


def check_predictions(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    from_logits: bool = False,
) -> Predictions:
    """Return validated predictions, truth and weights, with truth encoded as column indices or a float table.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels of any kind, or rows of class probabilities in the order of the columns of ``y_proba``.
    y_proba : array-like of shape (n_rows, n_classes) or (n_rows,)
        Rows of class probabilities. One-dimensional for two classes: the probability (or the logit against zero) of the second
        class, which is the greater label unless ``labels`` are given.
    labels : array-like of shape (n_classes,), default=None
        The label of each column. Needed if some class does not occur in ``y_true``; by default the sorted labels.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.
    from_logits : bool, default=False
        Whether ``y_proba`` are logits: finite, or −inf for a class of probability zero.

    Returns
    -------
    predictions : Predictions

    Raises
    ------
    ValueError
        Rows that are no distributions, labels that are not among ``labels``, another number of classes than columns, lengths
        that differ, NaN; the message names the parameter and the first bad row.

    Examples
    --------
    >>> from sksoftmax.metrics._inputs import check_predictions
    >>> given = check_predictions(["no", "yes", "no"], [0.1, 0.7, 0.5])
    >>> given.classes, given.labels, given.proba[1].round(2)
    (array(['no', 'yes'], dtype='<U3'), array([0, 1, 0], dtype=int32), array([0.3, 0.7]))
    """
    y_true, y_proba, sample_weight = as_numpy(y_true=y_true, y_proba=y_proba, sample_weight=sample_weight)
    classes = None if labels is None else check_classes(labels, name="labels")
    proba = _check_columns(y_proba, from_logits, alone=classes is not None and len(classes) == 1)
    n_rows, n_classes = proba.shape
    weight = check_weight(sample_weight, n_rows)
    if classes is not None and len(classes) != n_classes:
        raise ValueError(f"labels must name the {n_classes} columns of y_proba, got {show(classes)}.")
    indices, target = None, None
    if is_proba(y_true):
        classes, target = check_proba_targets(y_true, n_rows, classes, n_classes=n_classes, name="y_true", rows="y_proba")
    else:
        y = label_vector(y_true, n_rows, name="y_true", rows="y_proba")
        classes, indices = encode_labels(y, classes, n_classes=n_classes, name="y_true", given="labels")
    weight, proba, indices, target = normalise(weight, proba, indices, target)
    return Predictions(classes, proba, indices, target, weight)


def check_rows(proba: ArrayLike, name: str) -> NDArray:
    """Return ``check_proba(proba, name)``, in one pass if the rows are valid."""
    rows = np.asarray(proba)
    floats = rows.dtype == np.float32 or rows.dtype == np.float64
    one_pass = floats and rows.ndim == 2 and rows.size and rows.flags.c_contiguous
    return rows if one_pass and kernels.find_invalid_proba(rows, PROBA_TOLERANCE) < 0 else check_proba(proba, name)


def _check_columns(y_proba: ArrayLike, from_logits: bool, alone: bool) -> NDArray:
    """Return validated probabilities or logits, (n_rows, n_classes).

    A single column is the second of two classes; with ``alone`` it is the only class.
    """
    given = as_floats(y_proba, "y_proba")
    if given.ndim not in (1, 2):
        raise ValueError(f"y_proba must be numbers, a column a class; got shape {given.shape}.")
    rows = np.ascontiguousarray(given)
    if len(rows) == 0:
        raise ValueError("y_proba has no rows.")
    if rows.ndim == 1 or (rows.shape[1] == 1 and not alone):
        rows = two_columns(rows.ravel(), "y_proba", proba=not from_logits)
    if not from_logits:
        return check_rows(rows, "y_proba")
    if kernels.find_invalid_logits(rows) >= 0:
        check_logits(rows, "y_proba")
        check_possible(rows, "y_proba")
    return rows


def normalise(weight: NDArray[np.float64], *arrays: Any) -> tuple[Any, ...]:
    """Return the weights, normalised to sum to one, and the arrays (or None), without rows of zero weight.

    Rows whose normalised weight underflows to zero are left out too.
    """
    weight, _ = scale_weight(weight)
    if weight.all():
        weight = weight / weight.sum()
    while not weight.all():
        kept = weight > 0
        weight, arrays = weight[kept], tuple(None if array is None else array[kept] for array in arrays)
        weight = weight / weight.sum()
    return weight, *arrays
