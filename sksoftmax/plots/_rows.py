"""What a single row of the data looks like: an image, a text, or the values that set it apart.

What lives here: ``as_images``, ``as_texts``, ``linear_contributions``.
What doesn't: which rows are shown, and where (``misclassified``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ..losses._decision import most_probable
from ._drawing import check_image_shape


def n_rows_of(X: Any) -> int:
    """Return the number of rows."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def as_images(X: Any, rows: NDArray, image_shape: Any) -> NDArray | None:
    """Return the rows as images: of the given shape, or of their own; None if they have none.

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
    """Return each of the rows in words: the text that it is, or the names and values of its features that matter most.

    Those are the features of the largest contributions, or without these the ones that are furthest from the mean of the row's
    true class, in standard deviations; of several that are equal the first.
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
    if names is not None and len(names) != values.shape[1]:
        raise ValueError(f"feature_names must be {values.shape[1]} names, got {len(names)}.")
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
    """Return how many standard deviations each value is from the mean of its row's true class."""
    deviation = np.sqrt(StandardScaler(with_mean=False).fit(values).var_)
    deviation[deviation == 0] = np.inf
    means = {k: np.asarray(values[np.flatnonzero(labels == k)].mean(axis=0)).ravel() for k in np.unique(labels[rows])}
    return (shown - np.array([means[k] for k in labels[rows]])) / deviation


def linear_contributions(estimator: Any, X: Any, given: Any) -> NDArray[np.float64] | None:
    """Return what each value adds to the predicted class's logit against the true class's, measured from the mean row.

    None unless the estimator is linear in columns that are as many as those of a dense X.
    """
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    coef = getattr(last, "coef_", None)
    if sparse.issparse(X) or np.ndim(X) != 2 or given.labels is None or not isinstance(coef, np.ndarray):
        return None
    Z = estimator[:-1].transform(X) if isinstance(estimator, Pipeline) and len(estimator) > 1 else X
    if sparse.issparse(Z) or np.shape(Z) != np.shape(X) or coef.shape[1] != np.shape(X)[1]:
        return None
    coef = np.vstack([np.zeros_like(coef), coef]) if len(coef) == 1 else coef
    values = np.asarray(Z, dtype=np.float64)
    return (values - values.mean(axis=0)) * (coef[most_probable(given.proba)] - coef[given.labels])


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
