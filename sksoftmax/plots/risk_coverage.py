"""Risk–coverage curves: the error rate among the most confident predictions.

What lives here: ``RiskCoverageDisplay``. What doesn't: the curve and its area (``metrics``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import accuracy_coverage_curve, aurc_loss
from ._drawing import GREY, NARROWER, draw_legend, next_style, one_axes, width_of
from ._inputs import name_of, predict

RANDOM, IDEAL = "random order", "ideal order"
REFERENCES = (RANDOM, IDEAL)  # labels of artists that models on the same axes share
FEWEST_SHOWN = 0.05  # least coverage whose error rates the axes must contain


class RiskCoverageDisplay:
    """Error rate among the most confident rows, against the coverage: the share of rows that are decided.

    Made by ``from_estimator`` or ``from_predictions``. The less the coverage, the more rows of low confidence are rejected; if
    confidence ranks mistakes last, the error rate decreases. Dotted: the ideal order, with all mistakes last. Dashed: a random
    order, with the error rate of all rows. For several models in one picture, pass the first display's ``ax_`` as ``ax`` of the
    others.

    Parameters
    ----------
    coverage : array-like of shape (n_points,)
        Share of the rows that are decided, increasing to 1.
    risk : array-like of shape (n_points,)
        Error rate among them.
    aurc : float, default=None
        Area under the curve; written in the legend.
    name : str, default=None
        The model's name in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_, ideal_, random_ : matplotlib Line2D
    legend_ : matplotlib Legend
        Of all models on the axes.

    References
    ----------
    El-Yaniv & Wiener (2010), "On the Foundations of Noise-free Selective Classification".

    Examples
    --------
    Two models in one picture:

    >>> from sksoftmax.plots import RiskCoverageDisplay
    >>> y = [0, 1, 1, 0]
    >>> display = RiskCoverageDisplay.from_predictions(y, [0.1, 0.9, 0.4, 0.3], name="careful")
    >>> other = RiskCoverageDisplay.from_predictions(y, [0.1, 0.8, 0.1, 0.3], name="rash", ax=display.ax_)
    >>> float(display.risk[-1]), float(display.line_.get_ydata()[0])
    (0.25, 0.0)
    """

    def __init__(self, *, coverage: ArrayLike, risk: ArrayLike, aurc: float | None = None, name: str | None = None) -> None:
        self.coverage = coverage
        self.risk = risk
        self.aurc = aurc
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> RiskCoverageDisplay:
        """Draw the curve of an estimator.

        Parameters
        ----------
        estimator : classifier with ``predict_proba``
            Fitted.
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        sample_weight : array-like of shape (n_rows,), default=None
        name : str, default=None
            The model's name in the legend; by default the estimator's class.
        ax, curve_kwargs
            As for ``plot``.

        Returns
        -------
        display : RiskCoverageDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; bad input.
        """
        proba, classes = predict(estimator, X)
        options: dict[str, Any] = {"labels": classes, "sample_weight": sample_weight, "name": name_of(estimator, name)}
        return cls.from_predictions(y, proba, ax=ax, curve_kwargs=curve_kwargs, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> RiskCoverageDisplay:
        """Draw the curve of predicted probabilities.

        Parameters
        ----------
        y_true, y_proba, labels, sample_weight
            As for ``sksoftmax.metrics.accuracy_coverage_curve``.
        name : str, default=None
            The model's name in the legend.
        ax, curve_kwargs
            As for ``plot``.

        Returns
        -------
        display : RiskCoverageDisplay

        Raises
        ------
        ValueError
            Bad input.
        """
        options: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight}
        curve = accuracy_coverage_curve(y_true, y_proba, **options)
        aurc = aurc_loss(y_true, y_proba, **options)
        display = cls(coverage=curve.coverage, risk=1 - curve.accuracy, aurc=aurc, name=name)
        return display.plot(ax=ax, curve_kwargs=curve_kwargs)

    def plot(
        self, ax: Any = None, *, name: str | None = None, curve_kwargs: dict[str, Any] | None = None
    ) -> RiskCoverageDisplay:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default those of a new figure.
        name : str, default=None
            Replaces the display's.
        curve_kwargs : dict, default=None
            For the curve's ``Axes.plot``; by default models on the same axes differ in colour.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        self.ax_ = one_axes(ax, self, size=(5.6, 4.4))
        self.figure_ = self.ax_.figure
        coverage, risk = np.asarray(self.coverage), np.asarray(self.risk)
        name = self.name if name is None else name
        area = [] if self.aurc is None else [f"AURC\xa0=\xa0{self.aurc:.3g}"]
        label = "".join(area or ["model"]) if name is None else " ".join([name, *(f"({value})" for value in area)])
        style = next_style(self.ax_, REFERENCES, {"marker": None, **(curve_kwargs or {})})
        (self.line_,) = self.ax_.plot(coverage, risk, **{"label": label, **style})
        quiet = {"color": self.line_.get_color(), "linewidth": 1, "alpha": 0.8}
        right = 1 - risk[-1]
        (self.random_,) = self.ax_.plot([0, 1], [risk[-1], risk[-1]], linestyle="--", **quiet)
        ideal = np.linspace(right, 1, 101) if right > 0 else np.linspace(0.01, 1, 100)
        (self.ideal_,) = self.ax_.plot([0, *ideal], [0 if right > 0 else 1, *(1 - right / ideal)], linestyle=":", **quiet)
        for label, dashes in ((RANDOM, "--"), (IDEAL, ":")):
            if label not in self.ax_.get_legend_handles_labels()[1]:
                self.ax_.plot([], [], color=GREY, linewidth=1, linestyle=dashes, label=label)
        narrow = width_of(self.ax_) < NARROWER
        self.ax_.set(xlabel="coverage" if narrow else "coverage: share of the rows decided", xlim=(0, 1))
        self.ax_.set_ylabel("error rate" if narrow else "error rate among them")
        self.ax_.set_ylim(0, _highest(self.ax_))
        self.legend_ = draw_legend(self.ax_, REFERENCES, outside=False)
        return self


def _highest(ax: Any) -> float:
    """Return the upper limit of the axis of error rates: that of all curves and room for the legend above them.

    Coverages below ``FEWEST_SHOWN`` do not count: where the most confident row is a mistake, the error rate starts at 1.
    """
    rates = [
        np.max(rate[coverage >= FEWEST_SHOWN], initial=0) for coverage, rate in (line.get_data() for line in ax.get_lines())
    ]
    return min(1.4 * float(max(rates)), 1.05) or 1.0
