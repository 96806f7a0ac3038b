"""From what users call y to what a loss is fitted to.

What lives here: whether y are labels or rows of class probabilities, the check of the latter, class weights, and ``Targets``
made of them. What doesn't: labels (``labels``), sample weights (``weights``), how a loss reads targets (``losses``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight

from ..losses import Targets
from .arrays import check_proba, inconsistent_lengths, show
from .weights import scale_weight

ClassWeight = dict | str | None


def is_proba(y: Any) -> bool:
    """Return whether y is a table of class probabilities: two dimensions, two columns or more."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] >= 2


def column_names(y: Any) -> NDArray:
    """Return the names of the columns of a table of class probabilities: a data frame's, otherwise 0, 1, …"""
    columns = getattr(y, "columns", None)
    return np.arange(y.shape[1] if hasattr(y, "shape") else np.shape(y)[1]) if columns is None else np.asarray(columns)


def check_proba_targets(
    y: Any,
    n_rows: int,
    classes: NDArray | None = None,
    *,
    n_classes: int | None = None,
    name: str = "y",
    rows: str = "X",
) -> tuple[NDArray, NDArray]:
    """Return classes and rows of class probabilities; without given classes a data frame's column names.

    Parameters
    ----------
    y : array-like of shape (n_rows, n_classes)
    n_rows : int
    classes : ndarray of shape (n_classes,) or None
        The class of each column. A data frame must name them in this order, or have columns 0, 1, … that name no classes.
    n_classes : int or None
        The number of columns that it must have where classes are not given.
    name, rows : str
        The names of the parameters that hold the probabilities and their rows.

    Raises
    ------
    ValueError
        Rows that are not distributions, another number of rows or columns, columns named otherwise, or a sparse y.
    """
    if sparse.issparse(y):
        raise ValueError(
            f"{name} is sparse; pass class labels as a one-dimensional array, or class probabilities as a dense one."
        )
    proba = check_proba(y, name, hint=" Pass class labels as a one-dimensional array.")
    if len(proba) != n_rows:
        raise inconsistent_lengths(n_rows, len(proba), name=name, rows=rows)
    own = column_names(y)
    if classes is None:
        if n_classes not in (None, len(own)):
            raise ValueError(f"{name} must have a column for each of the {n_classes} classes, got {len(own)} columns.")
        return own, proba
    default = np.arange(len(own))
    unnamed = not hasattr(y, "columns") or (np.array_equal(own, default) and set(own.tolist()) != set(classes.tolist()))
    if len(own) != len(classes) or not (unnamed or np.array_equal(own, classes)):
        got = f"{len(own)} columns" if unnamed else show(own)
        raise ValueError(f"{name} must have a column for each of the classes {show(classes)}, in this order; got {got}.")
    return classes, proba


def compute_class_weights(
    classes: NDArray, weight: NDArray[np.float64], class_weight: ClassWeight, *, labels: Any = None, proba: Any = None
) -> NDArray[np.float64] | None:
    """Return the classes' weights, or None where there are none.

    Parameters
    ----------
    classes, weight, labels, proba
        As for ``make_targets``; "balanced" counts rows by their weight.
    class_weight : dict, "balanced" or None
        As scikit-learn means them.
    """
    if class_weight is None:
        return None
    n_classes = len(classes)
    weight, _ = scale_weight(weight)
    if isinstance(class_weight, str):  # "balanced"
        # einsum casts float32 rows piece by piece, where a product would copy them whole.
        mass = np.bincount(labels, weight, minlength=n_classes) if labels is not None else np.einsum("i,ik->k", weight, proba)
        with np.errstate(over="ignore"):
            per_class = np.divide(mass.sum(), n_classes * mass, out=np.zeros(n_classes), where=mass > 0)
    else:
        per_class = compute_class_weight(class_weight, classes=classes, y=classes).astype(np.float64)
    if np.any(~np.isfinite(per_class) | (per_class < 0)):
        raise ValueError(f"class_weight must be finite and non-negative, got {class_weight!r}.")
    return per_class


def make_targets(
    classes: NDArray,
    weight: Any,
    class_weight: NDArray[np.float64] | None,
    *,
    labels: Any = None,
    proba: Any = None,
) -> tuple[Targets, float]:
    """Return the targets, with weights that sum to one, and the sum that they had: 0 or inf where float64 does not hold it.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    weight : ndarray of shape (n_rows,), float64
        Sample weights; overwritten.
    class_weight : ndarray of shape (n_classes,) or None
        As ``compute_class_weights`` returns it.
    labels, proba : ndarray or None
        One of the two, as ``Targets`` has them.
    """
    n_classes = len(classes)
    weight, exponent = scale_weight(weight)
    per_class, class_exponent = scale_weight(np.ones(n_classes) if class_weight is None else class_weight)
    if class_weight is not None or proba is not None:
        weight *= per_class[labels] if labels is not None else np.einsum("ik,k->i", proba, per_class)
    total = float(weight.sum())
    if not total > 0:
        raise ValueError(f"sample_weight and class weights of {per_class.tolist()} leave no weight on any row.")
    weight /= total
    with np.errstate(over="ignore", under="ignore"):
        total = float(np.ldexp(total, exponent + class_exponent))
    return Targets(n_classes, weight, labels=labels, proba=proba, class_weight=per_class), total
