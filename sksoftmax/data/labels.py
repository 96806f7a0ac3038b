"""Labels on entry: checked, and encoded as class indices.

What lives here: ``label_vector``, ``check_classes``, and ``encode_labels``, which finds the classes or takes given ones;
``check_labels``, the same for labels that a model is fitted to. Messages name the caller's parameters. What doesn't: rows of
class probabilities and weights (``targets``, ``weights``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets

from .arrays import MAX_SHOWN, inconsistent_lengths, show

AS_IT_IS: dict = {"dtype": None, "ensure_2d": False, "allow_nd": True, "ensure_all_finite": False, "ensure_min_samples": 0}
"""What keeps scikit-learn's ``check_array`` to conversions, of pandas' nullable columns for one."""

# Integer labels are counted instead of sorted if their range exceeds the number of rows by at most this.
MAX_EXTRA_RANGE = 1 << 16

Encoded = tuple[NDArray, NDArray[np.int32]]


def label_vector(y: Any, n_rows: int | None = None, *, name: str = "y", rows: str = "X", warn_column: bool = False) -> NDArray:
    """Return labels as a vector without missing or infinite numbers, of any dtype.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, 1)
    n_rows : int or None
        The number of rows that it must have.
    name, rows : str
        The names of the parameters that hold the labels and their rows.
    warn_column : bool
        Whether to warn of a column, as scikit-learn's estimators do.

    Raises
    ------
    ValueError
        y is None, has another shape, or holds NaN or infinity.
    """
    if y is None:
        raise ValueError(f"This call requires {name} to be passed, but the target {name} is None.")
    vector = check_array(y, **AS_IT_IS, input_name=name)
    if vector.ndim == 2 and vector.shape[1] == 1:
        if warn_column:
            warnings.warn(
                f"A column-vector {name} was passed when a 1d array was expected. Please change the shape of {name} to "
                "(n_samples,), for example using ravel().",
                DataConversionWarning,
                stacklevel=3,
            )
        vector = vector.ravel()
    if vector.ndim != 1:
        raise ValueError(f"{name} should be a 1d array, got an array of shape {vector.shape} instead.")
    if n_rows is not None and n_rows != len(vector):
        raise inconsistent_lengths(n_rows, len(vector), name=name, rows=rows)
    if vector.dtype.kind == "f" and not np.isfinite(vector).all():
        row = int(np.flatnonzero(~np.isfinite(vector))[0])
        fault = "NaN" if np.isnan(vector[row]) else f"infinity or a value too large for dtype({str(vector.dtype)!r})"
        raise ValueError(f"Input {name} contains {fault} in row {row}.")
    return vector


def check_classes(
    classes: Any, n_classes: int | None = None, *, name: str = "classes", columns: str = "columns of logits"
) -> NDArray:
    """Return the class of each column as a new vector.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
    n_classes : int or None
        How many there must be.
    name, columns : str
        The name of the parameter, and what it names.

    Raises
    ------
    ValueError
        They are no vector, another number, or not distinct.
    """
    vector = np.array(classes)
    if vector.ndim != 1 or len(vector) == 0:
        raise ValueError(f"{name} must be a vector of labels, got {show(vector)} of shape {vector.shape}.")
    if n_classes not in (None, len(vector)):
        raise ValueError(f"{name} must name the {n_classes} {columns}, got {show(vector)}.")
    if len(set(vector.tolist())) < len(vector):
        raise ValueError(f"{name} must differ from each other, got {show(vector)}.")
    return vector


def check_labels(y: NDArray, n_classes: int | None = None, *, name: str = "y", given: str | None = None) -> Encoded:
    """Return the sorted classes and each row's class index, for labels that a model is fitted to.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        As ``label_vector`` returns it.
    n_classes, name, given
        As for ``encode_labels``.

    Raises
    ------
    ValueError
        As ``encode_labels``; a single class; objects that are not strings, which scikit-learn does not take as labels.
    """
    classes, indices = encode_labels(y, n_classes=n_classes, name=name, given=given)
    # scikit-learn's check refuses bytes and objects that are not strings, and warns of few rows a class. It sorts the labels,
    # which takes a tenth of a small fit, and of a million objects seconds.
    refused = y.dtype.kind not in "biufUMmO" or (y.dtype.kind == "O" and not isinstance(y[0], str))
    if refused or 2 * len(classes) > len(y):
        check_classification_targets(y)
    if len(classes) < 2:
        raise ValueError(f"{name} must hold at least two classes, got only one class: {classes.tolist()[0]!r}.")
    return classes, indices


def encode_labels(
    y: NDArray,
    classes: NDArray | None = None,
    *,
    n_classes: int | None = None,
    name: str = "y",
    given: str | None = None,
) -> Encoded:
    """Return the classes, sorted unless they are given, and the index of each row's class among them.

    Labels are equal if Python says so: 1, 1.0 and True are, 1 and "1" are not. Integers of a small range, also as floats or
    bool, are looked up in a table, other numbers by a binary search, everything else in a dict.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        As ``label_vector`` returns it.
    classes : ndarray of shape (n_classes,) or None
        Distinct, in any order; by default the sorted labels of y.
    n_classes : int or None
        How many labels y must hold where classes are not given.
    name, given : str
        The names of the parameters for y and, if there is one, for the classes.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The given ones, or of y's dtype.
    indices : ndarray of shape (n_rows,), int32

    Raises
    ------
    ValueError
        Labels that are not among the classes. Without classes: fractions, labels that cannot be sorted, or another number of
        labels than n_classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.data.labels import encode_labels
    >>> encode_labels(np.array(["no", "yes", "no"]))
    (array(['no', 'yes'], dtype='<U3'), array([0, 1, 0], dtype=int32))
    >>> encode_labels(np.array([1.0, 0.0]), np.array([0, 2, 1]))[1]
    array([2, 0], dtype=int32)
    """
    if classes is not None:
        indices = _look_up(y, classes)
        if len(indices) and indices.min() < 0:
            _refuse_unknown(y, indices, classes, name)
        return classes, indices
    classes, indices = _find(y, name, given)
    if n_classes not in (None, len(classes)):
        raise ValueError(
            f"{name} holds {len(classes)} different labels, {show(classes)}, but there are {n_classes} classes; pass {given}= "
            "with the label of each column, as in the estimator's classes_."
        )
    return classes, indices


def sorted_labels(values: Iterable, dtype: np.dtype, *, name: str, given: str | None = None) -> NDArray:
    """Return the distinct ones of some labels, sorted.

    Raises
    ------
    ValueError
        They cannot be sorted; the message names two of different types.
    """
    distinct = set(values)
    try:
        return np.array(sorted(distinct), dtype=dtype)
    except TypeError as error:
        of_type = {type(value): value for value in sorted(distinct, key=repr, reverse=True)}
        some = " and ".join(sorted(map(repr, of_type.values()))[:2])
        hint = f"; pass {given}= to name the columns" if given else ""
        raise ValueError(f"{name} must hold labels of one kind that can be sorted, got {some}{hint}.") from error


def _find(y: NDArray, name: str, given: str | None) -> Encoded:
    """Return the sorted labels and each row's index among them."""
    if y.dtype.kind == "f" and (fractions := np.flatnonzero(y != np.floor(y))).size:
        # As in scikit-learn: numbers with fractions are targets of a regression.
        raise ValueError(
            f"Unknown label type: continuous. {name} must hold labels in one dimension, or rows of class probabilities in two; "
            f"got the fraction {y[fractions[0]]} in row {fractions[0]}."
        )
    offset, lowest, size = _offsets(y)
    if offset is not None:
        present = np.flatnonzero(np.bincount(offset, minlength=size))
        table = np.zeros(size, dtype=np.int32)
        table[present] = np.arange(len(present), dtype=np.int32)
        # Python's integers: the sums of an int8 may overflow.
        return np.array([lowest + k for k in present.tolist()], dtype=y.dtype), table[offset]
    if y.dtype.kind in "biufMm":
        classes, inverse = np.unique(y, return_inverse=True)
        return classes, inverse.astype(np.int32)
    values = y.tolist()
    distinct = set(values)
    _refuse_missing(distinct, y, name)
    classes = sorted_labels(distinct, y.dtype, name=name, given=given)
    return classes, _by_dict(values, classes)


def _look_up(y: NDArray, classes: NDArray) -> NDArray[np.int32]:
    """Return the index of each label among the classes, -1 where it is none of them."""
    offset, lowest, size = _offsets(y)
    if offset is not None:
        table = np.full(size, -1, dtype=np.int32)
        for k, label in enumerate(classes.tolist()):
            if (
                isinstance(label, int | float | np.integer | np.floating)
                and lowest <= label < lowest + size
                and label == int(label)
            ):
                table[int(label) - lowest] = k
        return table[offset]
    if y.dtype == classes.dtype and y.dtype.kind in "iufMm":
        order = np.argsort(classes)
        ascending = classes[order]
        place = np.minimum(np.searchsorted(ascending, y), len(classes) - 1)
        return np.where(ascending[place] == y, order[place], -1).astype(np.int32)
    return _by_dict(y.tolist(), classes)


def _by_dict(values: list, classes: NDArray) -> NDArray[np.int32]:
    index = {label: k for k, label in enumerate(classes.tolist())}
    return np.fromiter((index.get(value, -1) for value in values), dtype=np.int32, count=len(values))


def _offsets(y: NDArray) -> tuple[NDArray[np.int64] | None, int, int]:
    """Return labels less the lowest one, it, and their range plus one; None unless they are integers of a small range."""
    if y.dtype.kind not in "biuf" or len(y) == 0:
        return None, 0, 0
    least, most = y.min(), y.max()
    lowest, size = int(least), int(most) - int(least) + 1
    if size > MAX_EXTRA_RANGE + len(y) or (y.dtype.kind == "f" and not np.array_equal(y, np.floor(y))):
        return None, 0, 0
    if y.dtype.kind == "b":
        return y.astype(np.int64) - lowest, lowest, size
    if y.dtype.kind == "f":  # exact: two integers, whose difference is below 2^53
        return np.subtract(y, least, dtype=np.float64).astype(np.int64), lowest, size
    if lowest == 0 and y.dtype.kind == "i":
        return y, lowest, size
    # Modulo 2^64, so that differences are correct for every integer dtype, uint64 above 2^63 included.
    return np.subtract(y, least, dtype=np.int64, casting="unsafe"), lowest, size


def _refuse_missing(distinct: Iterable, y: NDArray, name: str) -> None:
    """Raise if one of the distinct labels of y is missing: NaN, NaT or pandas' NA."""
    if any(map(_is_missing, distinct)):
        row = next(row for row, value in enumerate(y.tolist()) if _is_missing(value))
        raise ValueError(f"Input {name} contains NaN in row {row}.")


def _is_missing(label: Any) -> bool:
    """Return whether a label is not equal to itself, or does not say."""
    try:
        return bool(label != label)
    except TypeError:  # pandas' NA
        return True


def _refuse_unknown(y: NDArray, indices: NDArray[np.int32], classes: NDArray, name: str) -> NoReturn:
    """Raise the error of labels that are not among the classes, with the first row of each of some."""
    first: dict[Any, int] = {}
    for row in np.flatnonzero(indices < 0).tolist():
        first.setdefault(y[row : row + 1].tolist()[0], row)
        if len(first) > MAX_SHOWN:
            break
    _refuse_missing(first, y, name)
    listed = [f"{label!r} in row {row}" for label, row in first.items()]
    unknown = ", ".join([*listed[:MAX_SHOWN], *["…"][: len(listed) > MAX_SHOWN]])
    raise ValueError(f"{name} holds labels that are not among the classes {show(classes)}: {unknown}.")
