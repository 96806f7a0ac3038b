"""From what users pass to a metric to arrays that belong together.

What lives here: ``check_predictions`` and what it returns, ``Predictions``. What doesn't: any figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import column_or_1d

from ..functional import PROBA_TOLERANCE, check_proba
from ..kernels import metrics as kernels

# A table of class indices by label is made for integers, if it is at most this much longer than there are rows.
_LONGEST_TABLE = 1 << 16


@dataclass(frozen=True)
class Predictions:
    """Predictions beside what came true; rows of zero weight are left out.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The label of each column.
    proba : ndarray of shape (n_rows, n_classes), float32 or float64, C-contiguous
        Class probabilities, each row summing to one within ``PROBA_TOLERANCE``; logits if asked for ``from_logits``.
    labels : ndarray of shape (n_rows,), int32, or None
        Class indices, if ``y_true`` were labels.
    target : ndarray of shape (n_rows, n_classes), float32 or float64, or None
        Rows of class probabilities, if ``y_true`` were that. Exactly one of ``labels`` and ``target`` is there.
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


def check_predictions(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    from_logits: bool = False,
) -> Predictions:
    """Return predictions, labels and weights as arrays that belong together.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels of any kind, or rows of class probabilities in the order of the columns of ``y_proba``.
    y_proba : array-like of shape (n_rows, n_classes) or (n_rows,)
        Rows of class probabilities. One-dimensional for two classes: the probability (or logit against zero) of the
        second class, which is the greater one unless ``labels`` says otherwise.
    labels : array-like of shape (n_classes,), default=None
        The label of each column, in the columns' order. Needed if some class does not occur in ``y_true``; without it the
        columns stand for the sorted labels.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.
    from_logits : bool, default=False
        Whether ``y_proba`` are logits: finite, or −inf for a class that cannot be.

    Returns
    -------
    predictions : Predictions

    Raises
    ------
    ValueError
        Rows that are no distributions, labels that are not among ``labels``, as many classes as columns they are not,
        lengths that differ, NaN; the message names the parameter and the first bad row.

    Examples
    --------
    >>> from sksoftmax.metrics._inputs import check_predictions
    >>> given = check_predictions(["no", "yes", "no"], [0.1, 0.7, 0.5])
    >>> given.classes, given.labels, given.proba[1].round(2)
    (array(['no', 'yes'], dtype='<U3'), array([0, 1, 0], dtype=int32), array([0.3, 0.7]))
    """
    proba = _check_columns(y_proba, from_logits)
    n_rows, n_classes = proba.shape
    weight = _check_weight(sample_weight, n_rows)
    classes = None if labels is None else _check_classes(labels, n_classes)
    indices, target = None, None
    shape = y_true.shape if hasattr(y_true, "shape") else np.shape(y_true)
    if len(shape) == 2 and shape[1] >= 2:
        target = check_proba(y_true, "y_true")
        if target.shape != proba.shape:
            raise ValueError(f"y_true holds class probabilities of shape {target.shape}, y_proba has shape {proba.shape}.")
        classes = _name_columns(y_true, classes)
    else:
        y = column_or_1d(y_true)
        if len(y) != n_rows:
            raise ValueError(f"y_true and y_proba have different numbers of rows: {len(y)} and {n_rows}.")
        classes, indices = _encode(y, classes, n_classes)
    if not weight.all():
        kept = weight > 0
        proba, weight = proba[kept], weight[kept]
        indices, target = (None if a is None else a[kept] for a in (indices, target))
    return Predictions(classes, proba, indices, target, weight / weight.sum())


def _check_columns(y_proba: ArrayLike, from_logits: bool) -> NDArray:
    """Return (n_rows, n_classes) probabilities or logits, checked."""
    given = np.asarray(y_proba)
    if given.dtype.kind not in "fiub" or given.ndim not in (1, 2):
        raise ValueError(f"y_proba must be numbers, a column a class; got shape {given.shape} of dtype {given.dtype}.")
    proba = np.ascontiguousarray(given, dtype=given.dtype if given.dtype == np.float32 else np.float64)
    if len(proba) == 0:
        raise ValueError("y_proba has no rows.")
    if proba.ndim == 1 or proba.shape[1] == 1:
        second = proba.ravel()
        proba = np.column_stack([np.zeros_like(second) if from_logits else 1 - second, second])
    row = kernels.find_no_logits(proba) if from_logits else kernels.find_no_distribution(proba, PROBA_TOLERANCE)
    if row < 0:
        return proba
    if from_logits:
        fault = f"must be logits, finite or -inf but not all -inf; row {row} holds {_some(proba[row])}"
    elif np.isnan(proba[row]).any() or proba[row].min() < 0 or given.ndim == 1:
        fault = f"must hold probabilities in [0, 1]; row {row} holds {_some(given[row])}"
    else:
        total = proba[row].sum(dtype=np.float64)
        fault = f"must sum to 1 in each row, within {PROBA_TOLERANCE}; row {row} sums to {total:.6g}"
    raise ValueError(f"y_proba {fault}.")


def _check_weight(sample_weight: ArrayLike | None, n_rows: int) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(f"sample_weight must have shape ({n_rows},), got {weight.shape}.")
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(bad):
        raise ValueError(f"sample_weight must be finite and non-negative, got {weight[bad[0]]} in row {bad[0]}.")
    if not weight.any():
        raise ValueError("sample_weight must not be zero throughout.")
    return weight


def _check_classes(labels: ArrayLike, n_classes: int) -> NDArray:
    classes = np.asarray(labels)
    if classes.ndim != 1 or len(classes) != n_classes:
        raise ValueError(f"labels must name the {n_classes} columns of y_proba, got {_some(classes)}.")
    if len(set(classes.tolist())) < n_classes:
        raise ValueError(f"labels must differ from each other, got {_some(classes)}.")
    return classes


def _name_columns(y_true: Any, classes: NDArray | None) -> NDArray:
    """Return the labels of the columns of a table of class probabilities."""
    default = np.arange(y_true.shape[1] if hasattr(y_true, "shape") else np.shape(y_true)[1])
    own = np.asarray(getattr(y_true, "columns", default))
    if classes is None:
        return own
    if not np.array_equal(own, default) and not np.array_equal(own, classes):
        raise ValueError(f"The columns of y_true, {_some(own)}, are not those that labels names: {_some(classes)}.")
    return classes


def _encode(y: NDArray, classes: NDArray | None, n_classes: int) -> tuple[NDArray, NDArray[np.int32]]:
    """Return the label of each column, and each row's column."""
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(f"y_true must hold labels, got NaN in row {np.flatnonzero(np.isnan(y))[0]}.")
    if y.dtype.kind in "iub" and (classes is None or classes.dtype.kind in "iub"):
        lowest = int(y.min())
        if int(y.max()) - lowest < _LONGEST_TABLE + len(y):
            return _encode_integers(y, lowest, classes, n_classes)
    values = y.tolist()
    if classes is None:
        classes = _sorted_classes(values, y.dtype)
        _check_number(classes, n_classes)
    column = {label: k for k, label in enumerate(classes.tolist())}
    indices = np.array([column.get(value, -1) for value in values], dtype=np.int32)
    _check_known(indices, y, classes)
    return classes, indices


def _encode_integers(y: NDArray, lowest: int, classes: NDArray | None, n_classes: int) -> tuple[NDArray, NDArray[np.int32]]:
    """Do as ``_encode`` by a table, without sorting."""
    offset = y.astype(np.int64) - lowest if lowest != 0 or y.dtype.kind == "b" else y
    size = int(offset.max()) + 1
    if classes is None:
        classes = (np.flatnonzero(np.bincount(offset, minlength=size)) + lowest).astype(y.dtype)
        _check_number(classes, n_classes)
    table = np.full(size, -1, dtype=np.int32)
    # Python's integers: a table of int8 labels may start where their difference would overflow.
    for k, label in enumerate(classes.tolist()):
        if 0 <= label - lowest < size:
            table[label - lowest] = k
    indices = table[offset]
    _check_known(indices, y, classes)
    return classes, indices


def _sorted_classes(values: list, dtype: np.dtype) -> NDArray:
    try:
        return np.array(sorted(set(values)), dtype=dtype)
    except TypeError as error:
        raise ValueError("y_true must hold labels of one kind that can be sorted; pass labels= to name the columns.") from error


def _check_number(classes: NDArray, n_classes: int) -> None:
    if len(classes) != n_classes:
        raise ValueError(
            f"y_true holds {len(classes)} different labels, {_some(classes)}, but y_proba stands for {n_classes} classes; "
            "pass labels= with the label of each column, as in the estimator's classes_."
        )


def _check_known(indices: NDArray[np.int32], y: NDArray, classes: NDArray) -> None:
    if indices.min() < 0:
        row = int(indices.argmin())
        raise ValueError(
            f"y_true holds {y[row]!r} in row {row}, which is not among the labels of the columns: {_some(classes)}."
        )


def _some(values: NDArray) -> str:
    """Return at most eight of the values."""
    flat = np.ravel(values).tolist()
    return f"[{', '.join(map(repr, flat[:8]))}{', …' if len(flat) > 8 else ''}]"
