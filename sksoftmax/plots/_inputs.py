"""Fitted estimators, names and image shapes given to displays, read and checked.

What lives here: reading an estimator or a pipeline, and checks. What doesn't: axes (``_drawing``), rows of the data
(``_rows``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted


def predict(estimator: Any, X: Any) -> tuple[NDArray, NDArray]:
    """Return the class probabilities of rows, and the classes.

    Raises
    ------
    NotFittedError
        The estimator is not fitted.
    """
    check_is_fitted(estimator)
    return np.asarray(estimator.predict_proba(X)), np.asarray(estimator.classes_)


def name_of(estimator: Any, name: str | None) -> str:
    """Return the name, or the estimator's class if there is none."""
    return type(estimator).__name__ if name is None else name


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def transform_to_last_step(estimator: Any, X: Any) -> Any:
    """Return rows as they reach the last step of a pipeline; X itself for other estimators."""
    return estimator[:-1].transform(X) if isinstance(estimator, Pipeline) and len(estimator) > 1 else X


def last_step_feature_names(estimator: Any) -> Any:
    """Return the names of the columns that the last step was fitted to, or None if there are none."""
    if not isinstance(estimator, Pipeline):
        return getattr(estimator, "feature_names_in_", None)
    if len(estimator) == 1:
        return last_step_feature_names(estimator[-1])
    try:
        return estimator[:-1].get_feature_names_out()
    except (AttributeError, ValueError):  # a step gives no names
        return None


def standard_deviations(X: Any) -> NDArray[np.float64]:
    """Return the standard deviation of each column of a dense or sparse table."""
    return np.sqrt(StandardScaler(with_mean=False).fit(X).var_)


def check_names(parameter: str, names: Any, n_names: int) -> None:
    """Raise a ValueError that names the parameter, ``class_names`` or ``feature_names``, if their number is another."""
    if len(names) != n_names:
        each = ", one a class" if parameter == "class_names" else ""
        raise ValueError(f"{parameter} must be {n_names} names{each}, got {len(names)}.")


def check_image_shape(image_shape: Any, n_features: int) -> tuple[int, ...]:
    """Return (height, width) or (height, width, 3) as a tuple; raise a ValueError unless its product is n_features."""
    shape = tuple(int(side) for side in np.atleast_1d(image_shape))
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3) or int(np.prod(shape)) != n_features:
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, 3) of {n_features} numbers, one a feature; "
            f"got {image_shape!r}."
        )
    return shape
