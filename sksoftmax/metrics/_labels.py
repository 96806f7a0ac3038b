"""Labels given to a metric, encoded as column indices.

What lives here: the encoding, the names of columns, and the checks of both. What doesn't: probabilities and weights
(``_inputs``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Integer labels are encoded by a lookup table if their range exceeds the number of rows by at most this.
_MAX_EXTRA_RANGE = 1 << 16


def check_classes(labels: ArrayLike) -> NDArray:
    """Return labels as a vector; raise if they are not distinct."""
    classes = np.asarray(labels)
    if classes.ndim != 1 or len(classes) == 0:
        raise ValueError(f"labels must be a vector of labels, got {show(classes)} of shape {classes.shape}.")
    if len(set(classes.tolist())) < len(classes):
        raise ValueError(f"labels must differ from each other, got {show(classes)}.")
    return classes


def name_columns(y_true: Any, classes: NDArray | None) -> NDArray:
    """Return the labels of the columns of a table of class probabilities."""
    default = np.arange(y_true.shape[1] if hasattr(y_true, "shape") else np.shape(y_true)[1])
    own = np.asarray(getattr(y_true, "columns", default))
    if classes is None:
        return own
    if not np.array_equal(own, default) and not np.array_equal(own, classes):
        raise ValueError(f"The columns of y_true, {show(own)}, are not those that labels names: {show(classes)}.")
    return classes


def encode(
    y: NDArray, classes: NDArray | None, n_classes: int | None, name: str = "y_true"
) -> tuple[NDArray, NDArray[np.int32]]:
    """Return the label of each column and the column of each row's label; without classes, y must have n_classes of them."""
    if y.dtype.kind == "f":
        if np.isnan(y).any():
            raise ValueError(f"{name} must hold labels, got NaN in row {np.flatnonzero(np.isnan(y))[0]}.")
        if classes is None and (fractions := np.flatnonzero(y != np.floor(y))).size:
            # As in scikit-learn: numbers with fractions are targets of a regression, unless ``labels`` contains them.
            raise ValueError(
                f"{name} must hold labels in one dimension, or rows of class probabilities in two; got the fraction "
                f"{y[fractions[0]]} in row {fractions[0]}."
            )
    if y.dtype.kind in "iub" and (classes is None or classes.dtype.kind in "iub"):
        lowest = int(y.min())
        if int(y.max()) - lowest < _MAX_EXTRA_RANGE + len(y):
            return _encode_integers(y, lowest, classes, n_classes, name)
    values = y.tolist()
    if classes is None:
        classes = sorted_classes(values, y.dtype)
        _check_count(classes, n_classes)
    column = {label: k for k, label in enumerate(classes.tolist())}
    indices = np.array([column.get(value, -1) for value in values], dtype=np.int32)
    _check_known(indices, y, classes, name)
    return classes, indices


def _encode_integers(
    y: NDArray, lowest: int, classes: NDArray | None, n_classes: int | None, name: str
) -> tuple[NDArray, NDArray[np.int32]]:
    """Return what ``encode`` returns, by a lookup table instead of sorting."""
    # Modulo 2^64, so that differences are correct for every integer dtype, uint64 above 2^63 included.
    offset = np.subtract(y, y.min(), dtype=np.int64, casting="unsafe") if lowest or y.dtype.kind != "i" else y
    size = int(offset.max()) + 1
    if classes is None:
        present = np.flatnonzero(np.bincount(offset, minlength=size))
        classes = np.array([lowest + k for k in present.tolist()], dtype=y.dtype)
        _check_count(classes, n_classes)
    table = np.full(size, -1, dtype=np.int32)
    # Python's integers: a table of int8 labels may start where their difference would overflow.
    for k, label in enumerate(classes.tolist()):
        if 0 <= label - lowest < size:
            table[label - lowest] = k
    indices = table[offset]
    _check_known(indices, y, classes, name)
    return classes, indices


def sorted_classes(values: list, dtype: np.dtype) -> NDArray:
    """Return the distinct labels, sorted."""
    try:
        return np.array(sorted(set(values)), dtype=dtype)
    except TypeError as error:
        raise ValueError("y_true must hold labels of one kind that can be sorted; pass labels= to name the columns.") from error


def _check_count(classes: NDArray, n_classes: int | None) -> None:
    if n_classes is not None and len(classes) != n_classes:
        raise ValueError(
            f"y_true holds {len(classes)} different labels, {show(classes)}, but y_proba stands for {n_classes} classes; "
            "pass labels= with the label of each column, as in the estimator's classes_."
        )


def _check_known(indices: NDArray[np.int32], y: NDArray, classes: NDArray, name: str) -> None:
    if indices.min() < 0:
        row = int(indices.argmin())
        raise ValueError(f"{name} holds {y[row : row + 1].tolist()[0]!r} in row {row}, not one of the labels {show(classes)}.")


def show(values: NDArray) -> str:
    """Return the first eight values as text, for messages."""
    flat = np.ravel(values).tolist()
    return f"[{', '.join(map(repr, flat[:8]))}{', …' if len(flat) > 8 else ''}]"
