"""What displays share: colours, panels, and what an estimator predicts.

What lives here: nothing that a display shows. What doesn't: matplotlib, which is imported when something is drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._optional import import_optional

# Okabe & Ito's palette, which colour-blind readers can tell apart.
BLUE, VERMILION, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
GREY, LIGHT = "0.45", "0.85"


def predict(estimator: Any, X: Any) -> tuple[NDArray, NDArray]:
    """Return the class probabilities of rows, and the classes."""
    check_is_fitted(estimator)
    return np.asarray(estimator.predict_proba(X)), np.asarray(estimator.classes_)


def name_of(estimator: Any, name: str | None) -> str:
    """Return the name, or the estimator's class."""
    return type(estimator).__name__ if name is None else name


def one_axes(ax: Any, display: Any, size: tuple[float, float] = (5.2, 5.0)) -> Any:
    """Return the given axes, or those of a new figure."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", purpose=type(display).__name__)
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def panels(ax: Any, n_panels: int, display: Any, *, size: tuple[float, float], n_columns: int, **options: Any) -> NDArray:
    """Return n_panels axes: those given, or those of a new figure with n_columns in a row, each of this size in inches."""
    if ax is not None:
        given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(given) < n_panels:
            raise ValueError(f"ax must be at least {n_panels} axes, one a panel, got {len(given)}.")
        return given[:n_panels]
    pyplot = import_optional("matplotlib.pyplot", purpose=type(display).__name__)
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    figsize = (n_columns * size[0], n_rows * size[1])
    figure, grid = pyplot.subplots(n_rows, n_columns, figsize=figsize, squeeze=False, layout="constrained", **options)
    for empty in grid.ravel()[n_panels:]:
        figure.delaxes(empty)
    for lowest in grid.ravel()[max(0, n_panels - n_columns) : n_panels]:
        lowest.tick_params(labelbottom=True)  # shared axes have labels in the last row only
    return grid.ravel()[:n_panels]


def check_image_shape(image_shape: Any, n_features: int) -> tuple[int, ...]:
    """Return (height, width) or (height, width, 3) if that many numbers are as many as there are features."""
    shape = tuple(int(side) for side in np.atleast_1d(image_shape))
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3) or int(np.prod(shape)) != n_features:
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, 3) of {n_features} numbers, one a feature; "
            f"got {image_shape!r}."
        )
    return shape


def fade(color: str, share: float) -> tuple[float, float, float]:
    """Return the color mixed with white, of which it keeps a share."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (1 - share * (1 - channel) for channel in channels)
    return red, green, blue
