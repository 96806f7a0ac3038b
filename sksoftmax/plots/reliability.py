"""Reliability diagrams: observed frequencies against predicted probabilities.

What lives here: ``ReliabilityDisplay``. What doesn't: the curve and its errors (``metrics``).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics import (
    CalibrationTestResult,
    ReliabilityCurve,
    SmoothReliabilityCurve,
    calibration_test,
    consistency_bars,
    reliability_curve,
    smooth_calibration_error,
)
from ..metrics._inputs import check_predictions
from ..metrics._options import RandomState, make_generator
from ._diagram import REFERENCES, draw_diagram, draw_histogram, legend_label, smooth_curve
from ._drawing import draw_legend, given_axes, label_panels, next_style, panels, square_layout, title_panel, width_of
from ._inputs import name_of, predict

MOST_CLASSES = 30
HISTOGRAM_HEIGHT = 0.2  # share of a class's panel


class ReliabilityDisplay:
    """Frequencies of classes against their predicted probabilities, for any number of classes.

    Made by ``from_estimator`` or ``from_predictions``. Points are bins; those of a calibrated model are near the diagonal. Wide
    bars are consistency bars: a calibrated model's point is within its bar with a probability of 90 %. The line is a kernel
    estimate without bins, drawn where there are enough predictions. For several models in one picture, pass the first display's
    ``ax_`` as ``ax`` of the others.

    Parameters
    ----------
    curve : ReliabilityCurve
        Of the top label (one column) or of each class.
    smooth : SmoothReliabilityCurve, default=None
        The kernel estimate of the same frequencies.
    bars : tuple of two ndarray of shape (n_columns, n_bins), default=None
        Lower and upper ends of the consistency bars.
    classes : array-like of shape (n_columns,), default=None
        The class of each column; None for the top label.
    test : CalibrationTestResult, default=None
        Test of the smooth calibration error (smECE), whose statistic and p-value are in the legend.
    name : str, default=None
        The model's name in the legend.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        For the top label the diagram and the histogram of confidences; else one a class, with the histogram at its foot.
    figure_ : matplotlib Figure
    points_, lines_, bars_ : list of matplotlib Line2D
        Bins, smooth curves and consistency bars, one a column; empty where there is none.
    histograms_ : list of matplotlib StepPatch
        Shares of the rows in the bins.
    legend_ : matplotlib Legend
        Of all models on the axes.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : For two classes, without bars and smooth curve.

    References
    ----------
    Bröcker & Smith (2007), "Increasing the Reliability of Reliability Diagrams". Błasiok & Nakkiran (2024), "Smooth ECE:
    Principled Reliability Diagrams via Kernel Smoothing".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plots import ReliabilityDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier().fit(X[:900], y[:900])
    >>> display = ReliabilityDisplay.from_estimator(clf, X[900:], y[900:], random_state=0)
    >>> [ax.get_ylabel() for ax in display.ax_]
    ['accuracy', 'rows']
    """

    def __init__(
        self,
        curve: ReliabilityCurve,
        *,
        smooth: SmoothReliabilityCurve | None = None,
        bars: tuple[NDArray, NDArray] | None = None,
        classes: ArrayLike | None = None,
        test: CalibrationTestResult | None = None,
        name: str | None = None,
    ) -> None:
        self.curve = curve
        self.smooth = smooth
        self.bars = bars
        self.classes = classes
        self.test = test
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        kind: Literal["top_label", "class_wise"] = "top_label",
        strategy: Literal["uniform", "quantile"] = "uniform",
        n_bins: int = 10,
        n_resamples: int = 200,
        random_state: RandomState = None,
        name: str | None = None,
        ax: Any = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> ReliabilityDisplay:
        """Draw the reliability of an estimator's probabilities.

        Parameters
        ----------
        estimator : classifier with ``predict_proba``
            Fitted.
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            Rows that it was not fitted to.
        y : array-like of shape (n_rows,)
            Their labels.
        sample_weight, kind, strategy, n_bins, n_resamples, random_state, ax, curve_kwargs
            As for ``from_predictions``.
        name : str, default=None
            The model's name in the legend; by default the estimator's class.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; bad input.
        """
        proba, classes = predict(estimator, X)
        options: dict[str, Any] = {"sample_weight": sample_weight, "kind": kind, "strategy": strategy, "n_bins": n_bins}
        options |= {"n_resamples": n_resamples, "random_state": random_state, "ax": ax, "curve_kwargs": curve_kwargs}
        return cls.from_predictions(y, proba, labels=classes, name=name_of(estimator, name), **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        kind: Literal["top_label", "class_wise"] = "top_label",
        strategy: Literal["uniform", "quantile"] = "uniform",
        n_bins: int = 10,
        n_resamples: int = 200,
        random_state: RandomState = None,
        name: str | None = None,
        ax: Any = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> ReliabilityDisplay:
        """Draw the reliability of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        y_proba : array-like of shape (n_rows, n_classes)
        labels, sample_weight, kind, strategy, n_bins
            As for ``sksoftmax.metrics.expected_calibration_error``.
        n_resamples : int, default=200
            Number of resamples of the labels for the bars and the test; 0 leaves both out.
        random_state : int, RandomState instance, numpy.random.Generator or None, default=None
            Seed of the resamples.
        name : str, default=None
            The model's name in the legend.
        ax, curve_kwargs
            As for ``plot``.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        ValueError
            Bad input, or more classes than can be drawn.
        """
        given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
        if kind == "class_wise" and given.n_classes > MOST_CLASSES:
            raise ValueError(f"kind='class_wise' draws a panel a class, at most {MOST_CLASSES}, got {given.n_classes} classes.")
        both: dict[str, Any] = {"labels": given.classes, "sample_weight": sample_weight, "kind": kind}
        binned = {**both, "strategy": strategy, "n_bins": n_bins}
        bars, test = None, None
        if n_resamples:
            rng = make_generator(random_state)
            bars = consistency_bars(y_true, y_proba, n_resamples=n_resamples, random_state=rng, **binned)
            drawn: dict[str, Any] = {"n_resamples": n_resamples, "random_state": rng}
            test = calibration_test(y_true, y_proba, error=smooth_calibration_error, **drawn, **both)
        display = cls(
            reliability_curve(y_true, y_proba, **binned),
            smooth=smooth_curve(y_true, y_proba, 1 / np.sum(given.weight**2), both),
            bars=bars,
            classes=given.classes if kind == "class_wise" else None,
            test=test,
            name=name,
        )
        return display.plot(ax=ax, curve_kwargs=curve_kwargs)

    def plot(
        self, ax: Any = None, *, name: str | None = None, curve_kwargs: dict[str, Any] | None = None
    ) -> ReliabilityDisplay:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            For the top label one, or two with the histogram; else one a class. By default those of a new figure.
        name : str, default=None
            Replaces the display's.
        curve_kwargs : dict, default=None
            For ``Axes.plot`` of points and smooth curves; by default models on the same axes differ in colour and marker.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Too few axes, or more than two for the top label.
        ImportError
            matplotlib is not installed.
        """
        self.ax_ = self._axes(ax)
        self.figure_ = self.ax_[0].figure
        self.points_: list[Any] = []
        self.lines_: list[Any] = []
        self.bars_: list[Any] = []
        self.histograms_: list[Any] = []
        style = {
            **next_style(self.ax_[0], REFERENCES, curve_kwargs),
            "label": legend_label(self.name if name is None else name, self.test),
        }
        if self.classes is None:
            self._draw(self.ax_[0], 0, style, size=6)
            self.ax_[0].set_ylabel("accuracy")
            wide = width_of(self.ax_[-1]) > 3.5
            self.ax_[-1].set_xlabel("confidence: probability of the predicted class" if wide else "confidence")
            if len(self.ax_) > 1:
                self.histograms_.append(draw_histogram(self.ax_[1], self.curve.mass[0], self.curve.edges[0], style))
                self.ax_[1].set(ylabel="rows", ylim=(0, None))
                self.ax_[1].yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
            self.legend_ = draw_legend(self.ax_[0], REFERENCES, outside=ax is None)
        else:
            self._draw_classes(style, own=ax is None)
        return self

    def _axes(self, ax: Any) -> NDArray:
        if self.classes is None:
            layout: dict[str, Any] = {"size": (5.2, 3.2), "n_columns": 1, "sharex": True, "height_ratios": [4, 1]}
            axes = panels(ax, 2, self, **layout) if ax is None else given_axes(ax)
            if len(axes) > 2:
                raise ValueError(f"ax must be one or two axes, for the diagram and the histogram, got {len(axes)}.")
            return axes
        n_classes = len(np.asarray(self.classes))
        n_columns, side = square_layout(n_classes)
        room = 0.6 * n_columns / n_classes  # inches for legend and labels
        return panels(ax, n_classes, self, size=(side, side + room), n_columns=n_columns, sharex=True, sharey=True)

    def _draw_classes(self, style: dict[str, Any], own: bool) -> None:
        for k, (panel, label) in enumerate(zip(self.ax_, np.asarray(self.classes), strict=True)):
            self._draw(panel, k, style, size=4)
            shares = HISTOGRAM_HEIGHT * self.curve.mass[k] / self.curve.mass[k].max()
            self.histograms_.append(draw_histogram(panel, shares, self.curve.edges[k], style))
            title_panel(panel, label, width_of(panel))
        self.legend_ = label_panels(
            self.ax_, REFERENCES, xlabel="probability of the class", ylabel="frequency of the class", own=own
        )

    def _draw(self, ax: Any, k: int, style: dict[str, Any], size: float) -> None:
        bars = None if self.bars is None else (self.bars[0][k], self.bars[1][k])
        smooth = None if self.smooth is None else (self.smooth.proba, self.smooth.prob_true[k])
        points, line, bar = draw_diagram(ax, (self.curve.prob_pred[k], self.curve.prob_true[k]), smooth, bars, style, size)
        self.points_ += points
        self.lines_ += line
        self.bars_ += bar
