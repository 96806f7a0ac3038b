"""Coefficients of a linear classifier: images where the features are pixels, bars otherwise.

What lives here: ``CoefficientDisplay``. What doesn't: what coefficients mean for columns of different scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..metrics._options import check_count
from ._drawing import BLUE, GREY, VERMILION, check_image_shape, panels

DIVERGING = "RdBu_r"  # red is for the class, blue against it; both ends differ for colour-blind readers, too


class CoefficientDisplay:
    """What speaks for each class and what against it, a panel a class.

    Made by ``from_estimator``. With ``image_shape`` every class's coefficients are an image, all on one scale: red pixels
    speak for the class, blue ones against it. Otherwise the largest coefficients are bars.

    Parameters
    ----------
    coef : array-like of shape (n_panels, n_features)
    titles : sequence of str
        One a panel.
    feature_names : array-like of shape (n_features,), default=None
        By default x0, x1, …
    image_shape : tuple of int, default=None
        (height, width) of features that are pixels.
    n_features : int, default=10
        How many bars a panel has at most: the largest coefficients.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        One a class.
    figure_ : matplotlib Figure
    artists_ : list of AxesImage or BarContainer
        One a panel.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plots import CoefficientDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> display = CoefficientDisplay.from_estimator(SoftmaxRegressionClassifier().fit(X, y), n_features=2)
    >>> [label.get_text() for label in display.ax_[0].get_yticklabels()]
    ['petal length (cm)', 'petal width (cm)']
    """

    def __init__(
        self,
        *,
        coef: ArrayLike,
        titles: list[str],
        feature_names: ArrayLike | None = None,
        image_shape: tuple[int, ...] | None = None,
        n_features: int = 10,
    ) -> None:
        self.coef = coef
        self.titles = titles
        self.feature_names = feature_names
        self.image_shape = image_shape
        self.n_features = n_features

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        class_names: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        n_features: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> CoefficientDisplay:
        """Draw the coefficients of a linear classifier.

        Parameters
        ----------
        estimator : linear classifier, or a pipeline that ends in one
            Fitted, with ``coef_`` and ``classes_``; of a pipeline the coefficients are those of the transformed columns.
        class_names : array-like of shape (n_classes,), default=None
            By default ``classes_``.
        feature_names : array-like of shape (n_features,), default=None
            By default those of the data frame that it was fitted to.
        image_shape : tuple of int, default=None
            (height, width) of features that are pixels.
        n_features : int, default=10
            How many bars a panel has at most.
        ax, **kwargs
            As for ``plot``.

        Returns
        -------
        display : CoefficientDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; names or image_shape do not fit the coefficients.
        """
        check_is_fitted(estimator)
        check_count("n_features", n_features)
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        coef = last.coef_
        coef = np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef)
        names = [str(name) for name in np.asarray(last.classes_ if class_names is None else class_names)]
        if len(names) != len(last.classes_):
            raise ValueError(f"class_names must be {len(last.classes_)} names, one a class, got {len(names)}.")
        titles = [f"{names[1]}, against {names[0]}"] if len(coef) == 1 else names
        if feature_names is None:
            feature_names = _own_names(estimator)
        elif len(np.asarray(feature_names)) != coef.shape[1]:
            raise ValueError(f"feature_names must be {coef.shape[1]} names, got {len(np.asarray(feature_names))}.")
        shape = None if image_shape is None else check_image_shape(image_shape, coef.shape[1])
        display = cls(coef=coef, titles=titles, feature_names=feature_names, image_shape=shape, n_features=n_features)
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> CoefficientDisplay:
        """Draw the coefficients.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            One a class. By default those of a new figure.
        **kwargs
            For ``Axes.imshow`` or ``Axes.barh``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Too few axes.
        ImportError
            matplotlib is not installed.
        """
        coef = np.asarray(self.coef, dtype=np.float64)
        self.artists_: list[Any] = []
        if self.image_shape is not None:
            self._plot_images(ax, coef, kwargs)
        else:
            self._plot_bars(ax, coef, kwargs)
        self.figure_ = self.ax_[0].figure
        return self

    def _plot_images(self, ax: Any, coef: Any, kwargs: dict[str, Any]) -> None:
        self.ax_ = panels(ax, len(coef), self, size=(1.7, 1.9), n_columns=min(5, len(coef)))
        # One scale for all; single extreme pixels, that of corners hardly ever inked, would leave the rest pale.
        limit = float(np.quantile(np.abs(coef), 0.995)) or 1.0
        for panel, row, title in zip(self.ax_, coef, self.titles, strict=True):
            options = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit, **kwargs}
            self.artists_.append(panel.imshow(row.reshape(self.image_shape), **options))
            panel.set_title(title, fontsize="medium")
            panel.set(xticks=[], yticks=[])
        if ax is None:
            bar = self.ax_[0].figure.colorbar(self.artists_[0], ax=list(self.ax_), shrink=0.8, extend="both")
            bar.set_label("coefficient")

    def _plot_bars(self, ax: Any, coef: Any, kwargs: dict[str, Any]) -> None:
        names = [f"x{j}" for j in range(coef.shape[1])] if self.feature_names is None else [str(n) for n in self.feature_names]  # type: ignore[union-attr]
        n_bars = min(self.n_features, coef.shape[1])
        longest = max(map(len, names))
        size = (2.2 + 0.075 * longest, 0.9 + 0.24 * n_bars)
        self.ax_ = panels(ax, len(coef), self, size=size, n_columns=3, sharex=True)
        for panel, row, title in zip(self.ax_, coef, self.titles, strict=True):
            shown = np.argsort(-np.abs(row), kind="stable")[:n_bars]
            colors = [VERMILION if value > 0 else BLUE for value in row[shown]]
            self.artists_.append(panel.barh(np.arange(n_bars), row[shown], **{"color": colors, **kwargs}))
            panel.set_yticks(np.arange(n_bars), [names[j] for j in shown])
            panel.invert_yaxis()
            panel.axvline(0, color=GREY, linewidth=0.8)
            panel.set_title(title, fontsize="medium")
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("coefficient")


def _own_names(estimator: Any) -> Any:
    """Return the names of the columns that the last step was fitted to, None if it knows none."""
    if not isinstance(estimator, Pipeline):
        return getattr(estimator, "feature_names_in_", None)
    if len(estimator) == 1:
        return _own_names(estimator[-1])
    try:
        return estimator[:-1].get_feature_names_out()
    except (AttributeError, ValueError):  # a step has no names to give
        return None
