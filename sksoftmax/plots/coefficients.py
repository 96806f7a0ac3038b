"""Coefficients of a linear classifier: images where the features are pixels, bars or a heat map otherwise.

What lives here: ``CoefficientDisplay``. What doesn't: predictions.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ..metrics._options import check_count, check_option
from ._drawing import (
    BLUE,
    GREY,
    MAX_INCHES,
    VERMILION,
    given_axes,
    height_of,
    label_lowest,
    one_axes,
    panels,
    shorten,
    title_panel,
    width_of,
)
from ._inputs import (
    check_image_shape,
    check_names,
    last_step,
    last_step_feature_names,
    standard_deviations,
    transform_to_last_step,
)

DIVERGING = "RdBu_r"  # positive coefficients are red, negative ones blue: distinguishable by colour-blind readers
KINDS = ("auto", "bars", "heatmap")
MOST_PANELS = 12  # of bars; more classes are drawn as a heat map
BARS, HEATMAP_ROWS = 10, 30  # default numbers of features
COEFFICIENT, SCALED = "coefficient", "coefficient × standard deviation"


class CoefficientDisplay:
    """Coefficients of a linear classifier, a panel a class.

    Made by ``from_estimator``. With ``image_shape`` every class's coefficients are an image, all on one scale: where a pixel is
    red, the class's logit increases with it; where it is blue, it decreases. Otherwise the largest coefficients are bars, and
    those of more than 12 classes a heat map.

    Coefficients depend on the units of their columns. With ``X`` each is multiplied by the standard deviation of its column.

    Parameters
    ----------
    coef : array-like of shape (n_panels, n_features)
        A row a class; a single row for two classes.
    titles : sequence of str
        One a panel.
    feature_names : array-like of shape (n_features,), default=None
        By default x0, x1, …
    image_shape : tuple of int, default=None
        (height, width) of features that are pixels.
    n_features : int, default=None
        Greatest number of features shown, those with the largest coefficients. By default 10 as bars, 30 in a heat map.
    xlabel : str, default="coefficient"
        Label of the bars' axis or of the colour bar.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        One a class; a single one for a heat map.
    figure_ : matplotlib Figure
    artists_ : list of AxesImage or BarContainer
        One a panel.
    colorbar_ : matplotlib Colorbar or None

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
        n_features: int | None = None,
        xlabel: str = COEFFICIENT,
    ) -> None:
        self.coef = coef
        self.titles = titles
        self.feature_names = feature_names
        self.image_shape = image_shape
        self.n_features = n_features
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        class_names: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        n_features: int | None = None,
        kind: Literal["auto", "bars", "heatmap"] = "auto",
        ax: Any = None,
        im_kw: dict[str, Any] | None = None,
        bar_kw: dict[str, Any] | None = None,
    ) -> CoefficientDisplay:
        """Draw the coefficients of a linear classifier.

        Parameters
        ----------
        estimator : linear classifier, or a pipeline that ends in one
            Fitted, with ``coef_`` and ``classes_``; of a pipeline the coefficients are those of the transformed columns.
        X : {array-like, sparse matrix} of shape (n_rows, n_features), default=None
            Rows as those of the fit: coefficients are multiplied by the standard deviations of their (transformed) columns.
        class_names : array-like of shape (n_classes,), default=None
            By default ``classes_``.
        feature_names : array-like of shape (n_features,), default=None
            By default those of the data frame that the classifier was fitted to.
        image_shape : tuple of int, default=None
            (height, width) of features that are pixels.
        n_features : int, default=None
            Greatest number of features shown; by default 10 as bars, 30 in a heat map.
        kind, ax, im_kw, bar_kw
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
        if n_features is not None:
            check_count("n_features", n_features)
        last = last_step(estimator)
        coef = last.coef_
        coef = np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef)
        names = [str(name) for name in np.asarray(last.classes_ if class_names is None else class_names)]
        check_names("class_names", names, len(last.classes_))
        titles = [f"{names[1]}, against {names[0]}"] if len(coef) == 1 else names
        if feature_names is None:
            feature_names = last_step_feature_names(estimator)
        else:
            check_names("feature_names", np.asarray(feature_names), coef.shape[1])
        shape = None if image_shape is None else check_image_shape(image_shape, coef.shape[1])
        display = cls(
            coef=coef if X is None else coef * standard_deviations(transform_to_last_step(estimator, X)),
            titles=titles,
            feature_names=feature_names,
            image_shape=shape,
            n_features=n_features,
            xlabel=COEFFICIENT if X is None else SCALED,
        )
        return display.plot(ax=ax, kind=kind, im_kw=im_kw, bar_kw=bar_kw)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: Literal["auto", "bars", "heatmap"] = "auto",
        im_kw: dict[str, Any] | None = None,
        bar_kw: dict[str, Any] | None = None,
    ) -> CoefficientDisplay:
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            One a class, or a single one for a heat map. By default those of a new figure.
        kind : {"auto", "bars", "heatmap"}, default="auto"
            How coefficients that are no images are drawn. "auto" is bars, but a heat map for more than 12 classes, or for
            several classes in a single given axes.
        im_kw : dict, default=None
            For ``Axes.imshow``.
        bar_kw : dict, default=None
            For ``Axes.barh``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Too few axes, or another kind.
        ImportError
            matplotlib is not installed.
        """
        check_option("kind", kind, KINDS)
        coef = np.asarray(self.coef, dtype=np.float64)
        self.artists_: list[Any] = []
        self.colorbar_ = None
        alone = ax is not None and len(given_axes(ax)) == 1
        if self.image_shape is not None:
            self._plot_images(ax, coef, im_kw or {})
        elif kind == "heatmap" or (kind == "auto" and len(coef) > 1 and (alone or len(coef) > MOST_PANELS)):
            self._plot_heatmap(ax, coef, im_kw or {})
        else:
            self._plot_bars(ax, coef, bar_kw or {})
        self.figure_ = self.ax_[0].figure
        return self

    def _plot_images(self, ax: Any, coef: NDArray, im_kw: dict[str, Any]) -> None:
        """Draw each class's coefficients as an image, with one colour bar in a new figure."""
        n_columns = min(len(coef), max(5, int(np.ceil(np.sqrt(1.3 * len(coef))))))
        width = min(1.7, MAX_INCHES / n_columns)
        self.ax_ = panels(ax, len(coef), self, size=(width, width + 0.2), n_columns=n_columns)
        font_size = min(10.0, 72 * 0.12 * width_of(self.ax_[0]))
        for panel, row, title in zip(self.ax_, coef, self.titles, strict=True):
            self.artists_.append(panel.imshow(row.reshape(self.image_shape), **{**_symmetric(coef), **im_kw}))
            title_panel(panel, title, width_of(panel), font_size)
            panel.set(xticks=[], yticks=[])
        if ax is None:
            self.colorbar_ = self._draw_colorbar(list(self.ax_))

    def _plot_heatmap(self, ax: Any, coef: NDArray, im_kw: dict[str, Any]) -> None:
        """Draw a row for each of the largest features and a column for each class."""
        names = self._names(coef.shape[1])
        shown = np.argsort(-np.abs(coef).max(axis=0), kind="stable")[: self.n_features or HEATMAP_ROWS]
        rows = [names[j] for j in shown]
        width, height = 2.5 + 0.08 * min(30, max(map(len, rows))) + 0.24 * len(coef), 2.0 + 0.24 * len(shown)
        panel = one_axes(
            None if ax is None else given_axes(ax)[0],
            self,
            size=(min(MAX_INCHES, max(5.0, width)), min(MAX_INCHES, max(3.5, height))),
        )
        self.ax_ = np.array([panel], dtype=object)
        self.artists_.append(panel.imshow(coef[:, shown].T, **{"aspect": "auto", **_symmetric(coef[:, shown]), **im_kw}))
        inches = width_of(panel)
        _thin_labels(panel.yaxis, [shorten(name, 0.35 * inches, 8.3) for name in rows], height_of(panel))
        titles = [shorten(title, min(1.5, 0.3 * height_of(panel)), 8.3) for title in self.titles]
        _thin_labels(panel.xaxis, titles, inches, rotation=0 if max(map(len, titles)) < 3 else 90)
        self.colorbar_ = self._draw_colorbar([panel])

    def _draw_colorbar(self, axes: list[Any]) -> Any:
        bar = axes[0].figure.colorbar(self.artists_[0], ax=axes, shrink=0.8 if len(axes) > 1 else 1.0, extend="both")
        bar.set_label(self.xlabel)
        return bar

    def _plot_bars(self, ax: Any, coef: NDArray, bar_kw: dict[str, Any]) -> None:
        """Draw a panel for each class with the bars of its largest coefficients."""
        names = self._names(coef.shape[1])
        n_bars = min(self.n_features or BARS, coef.shape[1])
        n_columns = {1: 1, 2: 2, 4: 2}.get(len(coef), 3 if len(coef) < 10 else 4)
        size = (min(2.8 + 0.075 * min(30, max(map(len, names))), MAX_INCHES / n_columns), 1.0 + 0.24 * n_bars)
        self.ax_ = panels(ax, len(coef), self, size=size, n_columns=n_columns, sharex=True)
        room = 0.8 * width_of(self.ax_[0]) if ax is None else 0.55 * width_of(self.ax_[0])
        font_size = min(8.3, 72 * 0.8 * height_of(self.ax_[0]) / n_bars)
        above = width_of(self.ax_[0]) if ax is not None else size[0] - min(room, 0.067 * max(map(len, names))) - 0.5
        for panel, row, title in zip(self.ax_, coef, self.titles, strict=True):
            shown = np.argsort(-np.abs(row), kind="stable")[:n_bars]
            colors = [VERMILION if value > 0 else BLUE for value in row[shown]]
            self.artists_.append(panel.barh(np.arange(n_bars), row[shown], **{"color": colors, **bar_kw}))
            panel.set_yticks(np.arange(n_bars), [shorten(names[j], room, font_size) for j in shown], fontsize=font_size)
            panel.set_ylim(n_bars - 0.4, -0.6)  # the largest on top
            panel.axvline(0, color=GREY, linewidth=0.8)
            title_panel(panel, title, above)
            panel.locator_params(axis="x", nbins=int(np.clip(1.8 * width_of(panel), 2, 5)))
        if ax is None:
            self.ax_[0].figure.supxlabel(self.xlabel, fontsize="medium")
        else:
            label_lowest(self.ax_, self.xlabel, shared=True)

    def _names(self, n_features: int) -> list[str]:
        return [f"x{j}" for j in range(n_features)] if self.feature_names is None else [str(n) for n in self.feature_names]  # type: ignore[union-attr]


def _symmetric(coef: NDArray) -> dict[str, Any]:
    """Return ``imshow``'s colour scale, symmetric around 0.

    Its ends are a quantile of the absolute values: single extreme coefficients, of pixels that are rarely not 0, would leave
    the others pale.
    """
    limit = float(np.quantile(np.abs(coef), 0.995)) or float(np.abs(coef).max()) or 1.0
    return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}


def _thin_labels(axis: Any, labels: list[str], inches: float, **options: Any) -> None:
    """Set the labels of an axis of this length, or every second, third, … of them, so that they do not overlap."""
    step = int(np.ceil(0.16 * len(labels) / inches))
    axis.set_ticks(np.arange(0, len(labels), step), labels[::step], fontsize="small", **options)
