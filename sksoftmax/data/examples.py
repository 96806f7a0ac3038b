"""Examples: X, y and sample_weight as users pass them, checked and encoded.

What lives here: ``Examples``, and how those of ``fit`` and of ``partial_fit`` are read. What doesn't: a validation set
(``fitting.validation``), the layout of rows (``dataset``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from .._sklearn import _check_partial_fit_first_call
from ..losses import Targets
from .columns import check_columns, check_magnitude
from .labels import check_labels, encode_labels, label_vector
from .sparse_indices import check_indices
from .targets import ClassWeight, check_proba_targets, column_names, compute_class_weights, is_proba, make_targets
from .weights import check_weight

CHECKS: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "order": "C"}
"""What scikit-learn's validation asks of X."""


class Examples(NamedTuple):
    """Validated rows, what they should be predicted as, and their sample weights.

    Attributes
    ----------
    X : {ndarray, CSR matrix} of shape (n_rows, n_features)
        float32 or float64, C-contiguous.
    classes : ndarray of shape (n_classes,)
    weight : ndarray of shape (n_rows,), float64
        Sample weights as they were given.
    labels : ndarray of shape (n_rows,), int32, or None
        Class indices.
    proba : ndarray of shape (n_rows, n_classes), float32 or float64, or None
    """

    X: Any
    classes: NDArray
    weight: NDArray[np.float64]
    labels: NDArray[np.int32] | None = None
    proba: NDArray | None = None

    def take(self, rows: NDArray[np.intp]) -> Examples:
        """Return a copy of some rows."""
        labels = None if self.labels is None else self.labels[rows]
        proba = None if self.proba is None else self.proba[rows]
        return Examples(self.X[rows], self.classes, self.weight[rows], labels, proba)

    def class_weights(self, class_weight: ClassWeight) -> NDArray[np.float64] | None:
        """Return the weight of each class, (n_classes,), of ``class_weight`` as scikit-learn means it; None for none."""
        return compute_class_weights(self.classes, self.weight, class_weight, labels=self.labels, proba=self.proba)

    def targets(self, class_weights: NDArray[np.float64] | None) -> tuple[Targets, float]:
        """Return the targets, whose weights sum to one, and the sum that they had; the weights here are overwritten."""
        return make_targets(self.classes, self.weight, class_weights, labels=self.labels, proba=self.proba)


def check_table(X: Any, name: str = "X") -> None:
    """Raise a ValueError for what scikit-learn's validation would not find, or would crash of: damaged indices, dates."""
    check_indices(X, name)
    check_columns(X, name)


def read_examples(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Examples:
    """Return the examples of a ``fit``; the estimator notes the number and names of X's columns.

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.
    """
    X = read_rows_to_fit(estimator, X)
    n_rows = X.shape[0]
    if is_proba(y):
        classes, proba = check_proba_targets(y, n_rows)
        encoded: dict[str, NDArray] = {"proba": proba}
    else:
        classes, labels = check_labels(label_vector(y, n_rows, warn_column=True))
        encoded = {"labels": labels}
    return Examples(X, classes, check_weight(sample_weight, n_rows, scalar=True, copy=True), **encoded)


def read_part(estimator: Any, X: Any, y: Any, classes: Any, sample_weight: Any, *, known: NDArray | None) -> Examples:
    """Return the examples of a ``partial_fit``.

    Parameters
    ----------
    estimator : estimator
    X, y, classes, sample_weight
        As given to ``partial_fit``.
    known : ndarray of shape (n_classes,) or None
        The classes of an earlier call; None in the first one.

    Raises
    ------
    ValueError
        As ``read_examples``; no classes in the first call, others than the known ones later, a single one.
    """
    X = read_rows_to_fit(estimator, X, reset=known is None)
    n_rows, soft = X.shape[0], is_proba(y)
    y = y if soft else label_vector(y, n_rows, warn_column=True)
    holder: Any = _Classes(known)
    _check_partial_fit_first_call(holder, column_names(y) if soft and classes is None and known is None else classes)
    classes = holder.classes_
    if len(classes) < 2:
        raise ValueError(f"classes must hold at least two classes, got only one class: {classes.tolist()[0]!r}.")
    if soft:
        encoded: dict[str, NDArray] = {"proba": check_proba_targets(y, n_rows, classes)[1]}
    else:
        encoded = {"labels": encode_labels(y, classes)[1]}
    return Examples(X, classes, check_weight(sample_weight, n_rows, scalar=True, copy=True), **encoded)


def read_rows_to_fit(estimator: Any, X: Any, *, reset: bool = True) -> Any:
    """Return X of a fit, checked; the estimator notes the number and names of its columns, or is held to them if not reset."""
    check_table(X)
    X = validate_data(estimator, X, reset=reset, **CHECKS)
    check_magnitude(X, columns=getattr(estimator, "feature_names_in_", None))
    return X


def read_rows(estimator: Any, X: Any) -> Any:
    """Return X of a prediction, checked against what the estimator has noted of the X that it was fitted to."""
    check_table(X)
    return validate_data(estimator, X, reset=False, **CHECKS)


class _Classes:
    """What scikit-learn's check of ``classes`` reads and writes, so that a call that fails leaves the estimator as it was."""

    def __init__(self, classes: NDArray | None) -> None:
        if classes is not None:
            self.classes_ = classes
