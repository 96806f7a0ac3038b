"""Reliability diagrams: frequencies against the probabilities that were promised.

What lives here: ``ReliabilityDisplay``. What doesn't: the curve and its errors (``metrics``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._optional import import_optional
from ..metrics import (
    CalibrationTestResult,
    ReliabilityCurve,
    SmoothReliabilityCurve,
    calibration_test,
    consistency_bars,
    reliability_curve,
    smooth_calibration_error,
    smooth_reliability_curve,
)
from ..metrics._inputs import check_predictions
from ..metrics._options import RandomState, make_generator
from ._drawing import BLUE, GREY, LIGHT, SKY, VERMILION, name_of, panels, predict

MOST_CLASSES = 30
HISTOGRAM_HEIGHT = 0.2  # of a small panel
LEAST_ROWS = 8  # that the smooth curve is averaged over where it is drawn


class ReliabilityDisplay:
    """How often things happened that were promised with some probability, for any number of classes.

    Made by ``from_estimator`` or ``from_predictions``. Points are bins: on the diagonal, promises were kept. Bars reach as far
    as chance alone would put 90 % of them if the predictions were calibrated; a point outside its bar is a broken promise. The
    line is the same without bins, drawn where there are predictions.

    Parameters
    ----------
    curve : ReliabilityCurve
        Of the top label (one column) or of each class.
    smooth : SmoothReliabilityCurve, default=None
        The same without bins.
    bars : tuple of two ndarray of shape (n_columns, n_bins), default=None
        Ends of the consistency bars.
    classes : array-like of shape (n_columns,), default=None
        The class of each column; None for the top label.
    test : CalibrationTestResult, default=None
        Of the smooth calibration error; told in the title.
    estimator_name : str, default=None
        The title.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        For the top label the diagram and the histogram of confidences; else one a class, with the histogram at its foot.
    figure_ : matplotlib Figure
    points_, lines_ : list of matplotlib Line2D
        Bins and smooth curves, one a column.

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
        estimator_name: str | None = None,
    ) -> None:
        self.curve = curve
        self.smooth = smooth
        self.bars = bars
        self.classes = classes
        self.test = test
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, *, name: str | None = None, **options: Any
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
        name : str, default=None
            The title; by default the estimator's class.
        **options
            As for ``from_predictions``.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; bad input.
        """
        proba, classes = predict(estimator, X)
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
            How often labels are drawn for the bars and the test; 0 leaves both out.
        random_state : int, RandomState instance, numpy.random.Generator or None, default=None
            Makes the draws repeatable.
        name : str, default=None
            The title.
        ax : matplotlib Axes or array of them, default=None
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
            smooth=_smooth(y_true, y_proba, 1 / np.sum(given.weight**2), both),
            bars=bars,
            classes=given.classes if kind == "class_wise" else None,
            test=test,
            estimator_name=name,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> ReliabilityDisplay:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            For the top label one, or two with the histogram; else one a class. By default those of a new figure.

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
        self.points_: list[Any] = []
        self.lines_: list[Any] = []
        if self.classes is None:
            self._plot_top_label(ax)
        else:
            self._plot_classes(ax)
        self.figure_ = self.ax_[0].figure
        return self

    def _plot_top_label(self, ax: Any) -> None:
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", purpose="ReliabilityDisplay")
            layout = {"sharex": True, "height_ratios": [4, 1], "figsize": (5.2, 6.2), "layout": "constrained"}
            self.ax_ = pyplot.subplots(2, **layout)[1]
        else:
            self.ax_ = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()[:2]
        self._draw(self.ax_[0], 0)
        self.ax_[0].set(ylabel="accuracy", title=self._title())
        self.ax_[0].legend(loc="upper left", frameon=False)
        if len(self.ax_) > 1:
            edges = self.curve.edges[0]
            self.ax_[1].bar(
                edges[:-1], self.curve.mass[0], np.diff(edges), align="edge", color=LIGHT, edgecolor=GREY, linewidth=0.6
            )
            self.ax_[1].set(ylabel="rows", ylim=(0, None))
            self.ax_[1].yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        self.ax_[-1].set_xlabel("confidence: probability of the predicted class")

    def _plot_classes(self, ax: Any) -> None:
        classes = np.asarray(self.classes)
        n_columns = int(np.ceil(np.sqrt(2 * len(classes)))) if len(classes) > 3 else len(classes)
        self.ax_ = panels(ax, len(classes), self, size=(2.1, 2.25), n_columns=n_columns, sharex=True, sharey=True)
        for k, (panel, label) in enumerate(zip(self.ax_, classes, strict=True)):
            self._draw(panel, k)
            panel.set_title(str(label), fontsize="medium")
            edges, mass = self.curve.edges[k], self.curve.mass[k]
            panel.bar(edges[:-1], HISTOGRAM_HEIGHT * mass / mass.max(), np.diff(edges), align="edge", color=LIGHT, zorder=0)
        if ax is None:
            figure = self.ax_[0].figure
            figure.suptitle(self._title())
            figure.supxlabel("probability of the class", fontsize="medium")
            figure.supylabel("frequency of the class", fontsize="medium")
            figure.legend(*self.ax_[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)

    def _draw(self, ax: Any, k: int) -> None:
        """Draw column k: diagonal, bars, smooth curve, points."""
        ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="calibrated")
        prob_pred, prob_true = self.curve.prob_pred[k], self.curve.prob_true[k]
        if self.bars is not None:
            low, high = self.bars[0][k], self.bars[1][k]
            ax.vlines(
                prob_pred, low, high, color=SKY, alpha=0.55, linewidth=6 if self.classes is None else 4, label="90 % by chance"
            )
        if self.smooth is not None:
            self.lines_ += ax.plot(self.smooth.proba, self.smooth.prob_true[k], color=VERMILION, linewidth=1.6, label="smooth")
        size = 6 if self.classes is None else 3.5
        self.points_ += ax.plot(prob_pred, prob_true, "o", color=BLUE, markersize=size, label="bins")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.set_xticks([0, 0.5, 1] if self.classes is not None else np.linspace(0, 1, 6))
        ax.set_yticks([0, 0.5, 1] if self.classes is not None else np.linspace(0, 1, 6))

    def _title(self) -> str:
        parts = [] if self.estimator_name is None else [self.estimator_name]
        if self.test is not None:
            least = 1 / (1 + len(self.test.resampled))
            pvalue = f"p ≤ {least:.2g}" if self.test.pvalue <= least else f"p = {self.test.pvalue:.2g}"
            parts.append(f"smooth error {self.test.statistic:.3f}, by chance {self.test.expected:.3f} ({pvalue})")
        return "\n".join(parts)


def _smooth(y_true: ArrayLike, y_proba: ArrayLike, n_rows: float, options: dict[str, Any]) -> SmoothReliabilityCurve:
    """Return the smooth curve where it is the mean of enough rows.

    The bandwidth of the smooth error shows each row where predictions are good; this one falls as that of a density estimate.
    """
    curve = smooth_reliability_curve(y_true, y_proba, bandwidth=0.3 * n_rows**-0.2, **options)
    n_averaged = n_rows * curve.density * curve.bandwidth[:, None] * 2 * np.sqrt(np.pi)
    return replace(curve, prob_true=np.where(n_averaged >= LEAST_ROWS, curve.prob_true, np.nan))
