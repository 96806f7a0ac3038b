"""Read logits from any classifier: choose the response method, convert to logits, align columns with classes.

What lives here: these three steps. What doesn't: fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import two_columns
from ..data.labels import encode_labels
from ..functional import log_softmax

RESPONSE_METHODS: tuple[str, ...] = ("decision_function", "predict_log_proba", "predict_proba")


def choose_response_method(estimator: Any, response_method: str) -> str:
    """Return the name of the method that logits are read from: the given one, or for "auto" the first that exists.

    Raises
    ------
    AttributeError
        The classifier has not the method, or none of the three.
    """
    asked = RESPONSE_METHODS if response_method == "auto" else (response_method,)
    for name in asked:
        if callable(getattr(estimator, name, None)):
            return name
    raise AttributeError(f"{type(estimator).__name__} has no {' nor '.join(asked)}: there is nothing to read logits from.")


def fitted_classes(estimator: Any) -> NDArray:
    """Return the classes of a fitted classifier.

    Raises
    ------
    ValueError
        There is no vector of at least two classes.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise ValueError(f"{type(estimator).__name__} has no classes_: it is not fitted, or not a classifier.")
    classes = np.asarray(classes)
    if classes.ndim != 1 or len(classes) < 2:
        raise ValueError(f"{type(estimator).__name__} must know two classes or more, got classes_={classes!r}.")
    return classes


def read_logits(estimator: Any, X: Any, method: str) -> NDArray:
    """Return the logits of X by a fitted classifier's response method.

    Decision values and log-probabilities are logits; of probabilities the logarithm is taken. The conversion depends on the
    method alone, not on the values: a row's logits do not depend on the other rows.

    Parameters
    ----------
    estimator : classifier
        With ``classes_`` and the method.
    X : object
        Rows as the classifier takes them.
    method : {"decision_function", "predict_log_proba", "predict_proba"}

    Returns
    -------
    logits : ndarray of shape (n_samples,) or (n_samples, n_classes), float32 or float64
        One-dimensional if the method gives one number a row, the logit of the second of two classes. −inf where a
        probability is zero: see ``_zeros``.

    Raises
    ------
    ValueError
        The method does not return a column for each class.
    """
    with np.errstate(divide="ignore"):  # log(0), here or within the classifier's predict_log_proba
        given = np.asarray(getattr(estimator, method)(X))
        dtype = given.dtype if given.dtype == np.float32 else np.float64
        logits = np.log(given, dtype=dtype) if method == "predict_proba" else given.astype(dtype, copy=False)
    n_classes = len(fitted_classes(estimator))
    if method == "decision_function" and n_classes == 2 and logits.size == len(logits):
        return logits.reshape(-1)
    if logits.ndim != 2 or logits.shape[1] != n_classes:
        raise ValueError(
            f"{type(estimator).__name__}.{method} must give a column for each of the {n_classes} classes, "
            f"got shape {logits.shape}."
        )
    return logits


def one_column(logits: NDArray) -> NDArray:
    """Return logits as scikit-learn's ``decision_function``: for two classes the second minus the first."""
    return logits[:, 1] - logits[:, 0] if logits.ndim == 2 and logits.shape[1] == 2 else logits


def align(columns: NDArray, classes: NDArray, all_classes: NDArray) -> NDArray:
    """Return logits or log-probabilities with a column for each of ``all_classes``: −inf for those not among ``classes``."""
    if np.array_equal(classes, all_classes):
        return columns
    columns = two_columns(columns) if columns.ndim == 1 else columns
    aligned = np.full((len(columns), len(all_classes)), -np.inf, dtype=columns.dtype)
    aligned[:, encode_labels(classes, all_classes, name="classes_")[1]] = columns
    return aligned


def log_proba_of(logits: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Return the log-probabilities of the true classes, given by index, in nats."""
    columns = two_columns(logits) if logits.ndim == 1 else logits
    return log_softmax(columns)[np.arange(len(labels)), labels].astype(np.float64)
