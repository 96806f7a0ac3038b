"""Single rows of the data as an image or a text: the text itself, or the names and values of the features that matter most.

What lives here: ``as_images``, ``as_texts``, ``linear_contributions``, ``percent``. What doesn't: which rows are shown, and
where (``misclassified``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..losses._decision import most_probable
from ._inputs import check_image_shape, check_names, last_step, standard_deviations, transform_to_last_step


def n_rows_of(X: Any) -> int:
    """Return the number of rows."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def as_images(X: Any, rows: NDArray, image_shape: Any) -> NDArray | None:
    """Return the chosen rows as images, or None if X are no images and no shape is given.

    Parameters
    ----------
    X : array-like or sparse matrix
        Images of shape (n_rows, height, width) or (n_rows, height, width, 3 or 4), or with ``image_shape`` rows of pixels.
    rows : ndarray of int, (n_chosen,)
    image_shape : tuple of int or None
        (height, width) or (height, width, 3).

    Returns
    -------
    images : ndarray of shape (n_chosen, height, width) or (n_chosen, height, width, 3), or None
    """
    if image_shape is None:
        own: tuple[int, ...] = np.shape(X) if hasattr(X, "ndim") else ()
        if len(own) == 3 or (len(own) == 4 and own[3] in (3, 4)):
            return np.asarray(X)[rows]
        return None
    pixels = np.asarray(X.toarray() if sparse.issparse(X) else X)
    pixels = pixels.reshape(len(pixels), -1)
    return pixels[rows].reshape(len(rows), *check_image_shape(image_shape, pixels.shape[1]))


def as_texts(X: Any, rows: NDArray, labels: NDArray, contributions: Any, feature_names: Any, n_features: int) -> list[str]:
    """Return a text for each of the chosen rows: the row itself, or names and values of ``n_features`` of its features.

    These are the features of the largest absolute contributions; without contributions those furthest from the mean of the
    row's true class, in standard deviations. Ties go to the first feature.
    """
    names = getattr(X, "columns", None) if feature_names is None else feature_names
    if not hasattr(X, "ndim") or X.ndim == 1:
        column = np.asarray(X, dtype=object)
        if column.ndim == 1:
            return [" ".join(str(column[row]).split()) for row in rows]
        X = np.asarray(X)
    values: Any = X if sparse.issparse(X) else np.asarray(X)
    if values.ndim != 2:
        raise ValueError(f"X must be images, texts or a table of rows and features, got an array of shape {values.shape}.")
    if names is not None:
        check_names("feature_names", names, values.shape[1])
    values = values.tocsr() if sparse.issparse(values) else values
    shown = values[rows].toarray() if sparse.issparse(values) else values[rows]
    if contributions is None:
        contributions = _distances(values, shown, rows, labels)
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :n_features]
    return [
        ", ".join(f"{f'x{j}' if names is None else names[j]} = {_value(row[j])}" for j in columns)
        for row, columns in zip(shown, order, strict=True)
    ]


def _distances(values: Any, shown: NDArray, rows: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Return the difference of each value from the mean of its row's true class, in standard deviations of its column."""
    deviation = standard_deviations(values)
    deviation[deviation == 0] = np.inf
    means = {k: np.asarray(values[np.flatnonzero(labels == k)].mean(axis=0)).ravel() for k in np.unique(labels[rows])}
    return (shown - np.array([means[k] for k in labels[rows]])) / deviation


def linear_contributions(estimator: Any, X: Any, given: Any) -> NDArray[np.float64] | None:
    r"""Return each value's contribution to the logit of the predicted class minus that of the true class.

    .. math:: (z_{ij} - \bar z_j) (W_{\hat y_i j} - W_{y_i j})

    with the rows z as they reach the last step of a pipeline, and their mean. None unless X is dense and the estimator, or the
    pipeline's last step, is linear in as many columns as X has.
    """
    coef = getattr(last_step(estimator), "coef_", None)
    if sparse.issparse(X) or np.ndim(X) != 2 or given.labels is None or not isinstance(coef, np.ndarray):
        return None
    Z = transform_to_last_step(estimator, X)
    if sparse.issparse(Z) or np.shape(Z) != np.shape(X) or coef.shape[1] != np.shape(X)[1]:
        return None
    coef = np.vstack([np.zeros_like(coef), coef]) if len(coef) == 1 else coef
    values = np.asarray(Z, dtype=np.float64)
    return (values - values.mean(axis=0)) * (coef[most_probable(given.proba)] - coef[given.labels])


def _value(value: Any) -> str:
    """Return a value as text, numbers with fractions to four digits."""
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def percent(proba: float) -> str:
    """Return a probability in percent, with as many digits as distinguish it from 1."""
    if proba in (0, 1) or 0.005 <= proba <= 0.995:
        return f"{100 * proba:.0f} %"
    if proba < 0.5:
        return f"{100 * proba:.1g} %" if proba >= 1e-4 else "< 0.01 %"
    return f"{100 * proba:.{min(12, int(np.ceil(-np.log10(1 - proba))) - 1)}f} %"
