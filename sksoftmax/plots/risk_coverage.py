"""Risk–coverage curves: mistakes among the predictions that a model is surest of.

What lives here: ``RiskCoverageDisplay``. What doesn't: the curve and its area (``metrics``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import accuracy_coverage_curve, aurc_loss
from ._drawing import BLUE, GREY, name_of, one_axes, predict


class RiskCoverageDisplay:
    """The error rate among the most confident rows, against how many of them are decided.

    Made by ``from_estimator`` or ``from_predictions``. Going left, the model abstains from the rows that it is least sure of; a
    good one leaves its mistakes behind. Dotted: an ideal order, with all mistakes last; dashed: none, the error rate of all.

    Parameters
    ----------
    coverage : array-like of shape (n_points,)
        Share of the rows that are decided, increasing to 1.
    risk : array-like of shape (n_points,)
        Error rate among them.
    aurc : float, default=None
        Area under the curve; told in the legend.
    estimator_name : str, default=None
        Told in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_, ideal_, random_ : matplotlib Line2D

    References
    ----------
    El-Yaniv & Wiener (2010), "On the Foundations of Noise-free Selective Classification".

    Examples
    --------
    Two models in one picture:

    >>> from sksoftmax.plots import RiskCoverageDisplay
    >>> y = [0, 1, 1, 0]
    >>> display = RiskCoverageDisplay.from_predictions(y, [0.1, 0.9, 0.4, 0.3], name="careful")
    >>> other = RiskCoverageDisplay.from_predictions(y, [0.1, 0.8, 0.1, 0.3], name="rash", ax=display.ax_, color="#D55E00")
    >>> float(display.risk[-1]), float(display.line_.get_ydata()[0])
    (0.25, 0.0)
    """

    def __init__(
        self, *, coverage: ArrayLike, risk: ArrayLike, aurc: float | None = None, estimator_name: str | None = None
    ) -> None:
        self.coverage = coverage
        self.risk = risk
        self.aurc = aurc
        self.estimator_name = estimator_name

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
        **kwargs: Any,
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
            By default the estimator's class.
        ax, **kwargs
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
        return cls.from_predictions(y, proba, ax=ax, **options, **kwargs)

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
        **kwargs: Any,
    ) -> RiskCoverageDisplay:
        """Draw the curve of predicted probabilities.

        Parameters
        ----------
        y_true, y_proba, labels, sample_weight
            As for ``sksoftmax.metrics.accuracy_coverage_curve``.
        name : str, default=None
            Told in the legend.
        ax, **kwargs
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
        return cls(coverage=curve.coverage, risk=1 - curve.accuracy, aurc=aurc, estimator_name=name).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> RiskCoverageDisplay:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default those of a new figure.
        **kwargs
            For the curve's ``Axes.plot``.

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
        name = "model" if self.estimator_name is None else self.estimator_name
        label = name if self.aurc is None else f"{name} (area {self.aurc:.3g})"
        (self.line_,) = self.ax_.plot(coverage, risk, **{"color": BLUE, "label": label, **kwargs})
        quiet = {"color": self.line_.get_color(), "linewidth": 1, "alpha": 0.8}
        right = 1 - risk[-1]
        (self.random_,) = self.ax_.plot([0, 1], [risk[-1], risk[-1]], linestyle="--", **quiet)
        ideal = np.linspace(right, 1, 101) if right > 0 else np.linspace(0.01, 1, 100)
        (self.ideal_,) = self.ax_.plot([0, *ideal], [0 if right > 0 else 1, *(1 - right / ideal)], linestyle=":", **quiet)
        self.ax_.set(xlabel="coverage: share of the rows decided", ylabel="error rate among them", xlim=(0, 1))
        # Room for the legend above the highest error rate of all models that are drawn.
        self.ax_.set_ylim(0, 1.4 * max(float(np.max(line.get_ydata(), initial=0)) for line in self.ax_.get_lines()) or 1)
        self._explain_dashes()
        return self

    def _explain_dashes(self) -> None:
        """Tell once what dashes and dots are, however many models are drawn."""
        quiet = {"color": GREY, "linewidth": 1}
        lines = [line for line in self.ax_.get_lines() if not line.get_label().startswith("_")]
        names = {line.get_label() for line in lines}
        if "random order" not in names:
            lines += self.ax_.plot([], [], linestyle="--", label="random order", **quiet)
            lines += self.ax_.plot([], [], linestyle=":", label="ideal order", **quiet)
        lines.sort(key=lambda line: line.get_label() in ("random order", "ideal order"))
        self.ax_.legend(handles=lines, loc="upper left", frameon=False)
