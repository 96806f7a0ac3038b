"""Probabilities of three classes as points of a triangle.

What lives here: ``SimplexDisplay``. What doesn't: more classes, whose probabilities have more than two dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._optional import import_optional
from ..metrics._inputs import check_predictions
from ._drawing import BLUE, GREEN, GREY, NARROWER, VERMILION, fade, fit_text, one_axes, shorten, width_of
from ._inputs import check_names, name_of, predict

COLORS = (BLUE, VERMILION, GREEN)
MARKERS = ("o", "^", "s")
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


class SimplexDisplay:
    """Predicted probabilities of three classes in barycentric coordinates: a point a row, coloured by its true class.

    Made by ``from_estimator`` or ``from_predictions``. A corner is a probability of 1. The regions are decisions: the class of
    largest probability, or the one of least expected cost. A point in a region of another colour is a mistake. Points of
    frequent classes are fainter, and rare classes are drawn above them.

    Parameters
    ----------
    proba : array-like of shape (n_rows, 3)
    y_true : array-like of shape (n_rows,)
        Class indices in 0..2.
    classes : array-like of shape (3,)
        Names of the classes.
    cost : array-like of shape (3, 3), default=None
        ``cost[k, j]`` is the cost of deciding class j where class k is true; by default 1 for each mistake.
    name : str, default=None
        The title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : list of matplotlib PathCollection
        One a class.
    regions_ : list of matplotlib Polygon or None
        One a class; None for a class that is never decided.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plots import SimplexDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = SimplexDisplay.from_estimator(SoftmaxRegressionClassifier(C=0.01).fit(X, y), X, y)
    >>> len(display.points_), display.points_[0].get_offsets().shape
    (3, (50, 2))
    """

    def __init__(
        self,
        *,
        proba: ArrayLike,
        y_true: ArrayLike,
        classes: ArrayLike,
        cost: ArrayLike | None = None,
        name: str | None = None,
    ) -> None:
        self.proba = proba
        self.y_true = y_true
        self.classes = classes
        self.cost = cost
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        class_names: ArrayLike | None = None,
        cost: ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> SimplexDisplay:
        """Draw an estimator's probabilities.

        Parameters
        ----------
        estimator : classifier of three classes with ``predict_proba``
            Fitted.
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        class_names, cost, ax, scatter_kwargs
            As for ``from_predictions``.
        name : str, default=None
            The title; by default the estimator's class.

        Returns
        -------
        display : SimplexDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; bad input; other than three classes.
        """
        proba, classes = predict(estimator, X)
        options: dict[str, Any] = {"class_names": class_names, "cost": cost, "ax": ax, "scatter_kwargs": scatter_kwargs}
        return cls.from_predictions(y, proba, labels=classes, name=name_of(estimator, name), **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        class_names: ArrayLike | None = None,
        cost: ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> SimplexDisplay:
        """Draw predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        y_proba : array-like of shape (n_rows, 3)
        labels : array-like of shape (3,), default=None
            The classes in the order of the columns, where y_true may lack some of them.
        class_names : array-like of shape (3,), default=None
            Names of the classes; by default their labels.
        cost : array-like of shape (3, 3), default=None
            ``cost[k, j]`` is the cost of deciding class j where class k is true; by default 1 for each mistake.
        name : str, default=None
            The title.
        ax, scatter_kwargs
            As for ``plot``.

        Returns
        -------
        display : SimplexDisplay

        Raises
        ------
        ValueError
            Bad input; other than three classes.
        """
        given = check_predictions(y_true, y_proba, labels=labels)
        if given.n_classes != 3 or given.labels is None:
            raise ValueError(f"SimplexDisplay is for labels of exactly three classes, got {given.n_classes} columns.")
        if cost is not None and (np.shape(cost) != (3, 3) or not np.isfinite(np.asarray(cost, dtype=np.float64)).all()):
            raise ValueError(f"cost must be 3 x 3 finite numbers, got {cost!r}.")
        names = given.classes if class_names is None else np.asarray(class_names)
        check_names("class_names", names, 3)
        display = cls(proba=given.proba, y_true=given.labels, classes=names, cost=cost, name=name)
        return display.plot(ax=ax, scatter_kwargs=scatter_kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, scatter_kwargs: dict[str, Any] | None = None) -> SimplexDisplay:
        """Draw the triangle.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default those of a new figure.
        name : str, default=None
            Replaces the display's.
        scatter_kwargs : dict, default=None
            For ``Axes.scatter``.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        patches = import_optional("matplotlib.patches", purpose="SimplexDisplay")
        self.ax_ = one_axes(ax, self, size=(5.6, 5.4))
        self.figure_ = self.ax_.figure
        self.regions_: list[Any] = []
        cost = 1 - np.eye(3) if self.cost is None else np.asarray(self.cost, dtype=np.float64)
        for k, color in enumerate(COLORS):
            corners = _region(cost, k)
            polygon = (
                patches.Polygon(corners @ CORNERS, facecolor=fade(color, 0.16), edgecolor="white") if len(corners) > 2 else None
            )
            self.regions_.append(polygon if polygon is None else self.ax_.add_patch(polygon))
        self.ax_.add_patch(patches.Polygon(CORNERS, fill=False, edgecolor=GREY))
        self._draw_points(scatter_kwargs or {})
        self._label(self.name if name is None else name)
        return self

    def _draw_points(self, scatter_kwargs: dict[str, Any]) -> None:
        """Draw each class's points."""
        places = np.asarray(self.proba, dtype=np.float64) @ CORNERS
        labels = np.asarray(self.y_true)
        n_rows = np.bincount(labels, minlength=3)
        above = np.argsort(np.argsort(-n_rows, kind="stable"), kind="stable")  # ranks: rarer classes are drawn above
        smaller = min(1.0, width_of(self.ax_) / 3.5)
        self.points_: list[Any] = []
        for k, (color, marker) in enumerate(zip(COLORS, MARKERS, strict=True)):
            style = {"color": color, "marker": marker, "s": smaller * _point_size(n_rows[k]), "alpha": _alpha(n_rows[k])}
            style |= {"linewidths": 0.4, "edgecolors": "white", "zorder": 3 + 0.1 * above[k], "clip_on": False}
            x, y = places[labels == k].T
            label = str(np.asarray(self.classes)[k])
            self.points_.append(self.ax_.scatter(x, y, **{**style, "label": label, **scatter_kwargs}))

    def _label(self, name: str | None) -> None:
        """Draw the names of the corners, the title, and the legend if there is room for it."""
        width = width_of(self.ax_)
        font_size = 10 if width > NARROWER else 7
        names = [fit_text(name, 0.34 * width, font_size, 2 if width > NARROWER else 1) for name in np.asarray(self.classes)]
        # Names at the lower corners are aligned inwards, so that they stay within the axes.
        corners = (((-0.06, -0.04), "left", "top"), ((1.06, -0.04), "right", "top"), ((0.5, 0.9), "center", "bottom"))
        for (place, across, upright), name_, color in zip(corners, names, COLORS, strict=True):
            self.ax_.text(*place, name_, color=color, fontweight="bold", fontsize=font_size, ha=across, va=upright)
        self.ax_.set(xlim=(-0.08, 1.08), ylim=(-0.18 if width > NARROWER else -0.3, 1.04), aspect="equal")
        self.ax_.set_axis_off()
        self.legend_ = None
        if width > NARROWER:  # in narrow axes the corners' names show the colours
            handles = [self.ax_.scatter([], [], s=36, color=c, marker=m) for c, m in zip(COLORS, MARKERS, strict=True)]
            short = [fit_text(name, 0.2 * width, 8.3) for name in np.asarray(self.classes)]
            options = {"loc": "upper right", "bbox_to_anchor": (1.04, 1.0), "frameon": False, "fontsize": "small"}
            self.legend_ = self.ax_.legend(handles, short, title="true class", title_fontsize="small", **options)
        if name is not None:
            self.ax_.set_title(shorten(name, width, 1.2 * font_size), fontsize=1.2 * font_size)


def _point_size(n_rows: int) -> float:
    """Return the area of a point in square points, less for more rows."""
    return float(np.clip(6000 / max(n_rows, 1), 8, 36))


def _alpha(n_rows: int) -> float:
    """Return the opacity of points, less for more rows, since they overlap."""
    return float(np.clip(10 / max(n_rows, 1) ** 0.5, 0.15, 0.85))


def _region(cost: NDArray[np.float64], decided: int) -> NDArray[np.float64]:
    """Return the corners, in probabilities, of the region where a decision has the least expected cost; empty if there is none.

    The region is where p @ (cost[:, decided] - cost[:, other]) <= 0 for both other decisions: the triangle is clipped by these
    two half-planes (Sutherland & Hodgman, 1974).
    """
    corners = np.eye(3)
    for other in range(3):
        if other == decided or len(corners) == 0:
            continue
        excess = corners @ (cost[:, decided] - cost[:, other])  # positive where the other decision costs less
        kept = []
        for i in range(len(corners)):
            j = (i + 1) % len(corners)
            if excess[i] <= 0:
                kept.append(corners[i])
            if excess[i] * excess[j] < 0:
                share = excess[i] / (excess[i] - excess[j])
                kept.append(corners[i] + share * (corners[j] - corners[i]))
        corners = np.array(kept).reshape(-1, 3)
    return corners
