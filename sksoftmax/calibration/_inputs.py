"""Validation of what a calibrator is given: logits or probabilities, labels or class probabilities, classes.

What lives here: these checks, with the messages of their errors. What doesn't: the order in which ``Calibrator`` calls them
(``_base``), the replacement of zero probabilities (``_zeros``), sample weights (``data.weights``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..data.arrays import as_floats, check_logits, check_proba, two_columns
from ..data.labels import check_classes, check_labels, encode_labels, label_vector
from ..data.targets import check_proba_targets, is_proba
from ..losses import Targets

BLOCK_ROWS = 4096


# --------------------------------------------------------------------------------------------------------------------
# logits


def read_logits(given: Any, *, proba: bool, n_classes: int | None = None) -> tuple[NDArray, int, bool]:
    """Return validated logits, with a column for each class.

    Parameters
    ----------
    given : array-like of shape (n_rows, n_classes), (n_rows,) or (n_rows, 1)
        Logits or probabilities; one column is that of the second of two classes.
    proba : bool
        Whether ``given`` are probabilities, of which the logarithm is taken.
    n_classes : int or None
        The number of classes in the fit; None during a fit.

    Returns
    -------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64, C-contiguous
        The given array if it is that already; −inf for a probability of zero.
    n_columns : int
        The number of columns given.
    finite : bool
        Whether all numbers given are finite.
    """
    name = "proba" if proba else "logits"
    if sparse.issparse(given):
        raise ValueError(f"{name} are sparse; pass a dense array.")
    array = as_floats(given, name)
    rows = np.ascontiguousarray(array)
    if rows.ndim not in (1, 2) or 0 in rows.shape:
        raise ValueError(f"{name} must be (n_samples, n_classes), or (n_samples,) for two classes, got shape {array.shape}.")
    n_columns = 1 if rows.ndim == 1 else rows.shape[1]
    if n_classes not in (None, max(n_columns, 2)):
        raise ValueError(f"{name} must have {n_classes} columns, as many as there were classes in fit, got {n_columns}.")
    finite = check_logits(rows.reshape(len(rows), -1), name)
    if n_columns == 1:
        rows = two_columns(rows.ravel(), name, proba=proba)
    return (_log(rows) if proba else rows), n_columns, finite


def _log(proba: NDArray) -> NDArray:
    """Return the logarithms of class probabilities."""
    with np.errstate(divide="ignore"):
        return np.log(check_proba(proba, "proba"))


# --------------------------------------------------------------------------------------------------------------------
# targets


def check_y(y: Any, n_rows: int, n_classes: int, classes: Any, *, rows: str) -> tuple[NDArray, dict[str, NDArray]]:
    """Return the class of each column, and the rows' ``labels`` (class indices) or ``proba`` as ``make_targets`` takes them.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    n_rows, n_classes : int
        The shape of the logits.
    classes : array-like of shape (n_classes,) or None
        The class of each column; None takes the sorted labels, or the names of y's columns.
    rows : str
        What the logits were given as.

    Raises
    ------
    ValueError
        y is None, does not fit the logits' shape, or holds a label that is not among the classes.
    """
    names = None if classes is None else check_classes(classes, n_classes, columns=f"columns of {rows}")
    if is_proba(y):
        names, proba = check_proba_targets(y, n_rows, names, n_classes=n_classes, rows=rows)
        return names, {"proba": proba}
    labels = label_vector(y, n_rows, rows=rows)
    if names is None:
        names, indices = check_labels(labels, n_classes, given="classes")
    else:
        names, indices = encode_labels(labels, names)
    return names, {"labels": indices}


def check_true_class_is_finite(rows: NDArray, targets: Targets) -> None:
    """Raise a ValueError if the logit of a true class is −inf in a row of positive weight."""
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        logits, counts = rows[block], targets.weight[block] > 0
        if targets.labels is not None:
            impossible = logits[np.arange(len(logits)), targets.labels[block]] == -np.inf
        else:
            assert targets.proba is not None
            impossible = ((logits == -np.inf) & (targets.proba[block] > 0)).any(axis=1)
        bad = np.flatnonzero(impossible & counts)
        if len(bad):
            raise ValueError(f"logits must be finite for the true class, got -inf in row {start + bad[0]}.")
