"""The history of one fit: training objective, validation cross-entropy and validation accuracy after each iteration.

What lives here: ``LearningCurve``. What doesn't: the history, which the fit keeps; curves over growing training sets, which are
``sklearn.model_selection.LearningCurveDisplay``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._optional import import_optional
from ._drawing import GREY, draw_legend, given_axes, label_lowest, next_style
from ._inputs import last_step, name_of

TRAINING, VALIDATION, KEPT = "training objective", "validation cross-entropy", "kept by early stopping"
REFERENCES = (TRAINING, VALIDATION, KEPT)  # labels of artists that fits on the same axes share
DASHES = {TRAINING: "--", VALIDATION: "-", KEPT: ":"}
MOST_MARKERS = 20  # greatest number of markers on a line


class LearningCurve:
    """Objective, validation cross-entropy and validation accuracy of a fit, by iteration or by seconds.

    Made by ``from_estimator``. The objective is the mean training loss plus the penalty, so that it may lie above the
    cross-entropy of the training rows; both curves of the upper panel are in nats a row. The objective is dashed, validation
    curves are solid, and a dotted line is at the iteration that early stopping kept. For several fits in one picture,
    pass the first display's ``ax_`` as ``ax`` of the others.

    Parameters
    ----------
    objective : array-like of shape (n_iter,)
        After each iteration.
    seconds : array-like of shape (n_iter,)
        Since the fit began.
    validation_cross_entropy, validation_accuracy : array-like of shape (n_iter,), default=None
        In nats, and in [0, 1]; None where there was no validation set.
    best_iteration : int, default=None
        The iteration that early stopping kept, counted from 1, or 0 for the start; marked unless it is None.
    name : str, default=None
        The fit's name in the legend.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        Of the panels: nats, and accuracy if it is drawn.
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        ``"objective"``, ``"validation_cross_entropy"``, ``"validation_accuracy"``: those drawn.
    legend_ : matplotlib Legend
        Of all fits on the axes of nats.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores against the number of training rows.

    References
    ----------
    Prechelt (1998), "Early Stopping - But When?".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plots import LearningCurve
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(C=1e4, solver="lbfgs", early_stopping=True, random_state=0).fit(X, y)
    >>> display = LearningCurve.from_estimator(clf)
    >>> list(display.lines_)
    ['objective', 'validation_cross_entropy', 'validation_accuracy']
    >>> display.figure_.savefig("learning_curve.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        objective: ArrayLike,
        seconds: ArrayLike,
        validation_cross_entropy: ArrayLike | None = None,
        validation_accuracy: ArrayLike | None = None,
        best_iteration: int | None = None,
        name: str | None = None,
    ) -> None:
        self.objective = objective
        self.seconds = seconds
        self.validation_cross_entropy = validation_cross_entropy
        self.validation_accuracy = validation_accuracy
        self.best_iteration = best_iteration
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        x: Literal["iteration", "seconds"] = "iteration",
        name: str | None = None,
        ax: Any = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> LearningCurve:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : SoftmaxRegressionClassifier, or a pipeline that ends in one
            Fitted; with ``X_val`` or ``early_stopping=True`` for the validation curves.
        x, ax, curve_kwargs
            As for ``plot``.
        name : str, default=None
            The fit's name in the legend; by default the estimator's class.

        Returns
        -------
        display : LearningCurve

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        ValueError
            The fit made no iteration, or ``plot`` raises it.
        """
        check_is_fitted(estimator)
        last = last_step(estimator)
        history = last.solution_.history
        if not history:
            raise ValueError(f"There is nothing to draw: the fit made no iteration ({last.solution_.message}).")
        value, _, seconds, _, cross_entropy, accuracy = zip(*history, strict=True)
        validated = cross_entropy[0] is not None
        display = cls(
            objective=np.array(value),
            seconds=np.array(seconds),
            validation_cross_entropy=np.array(cross_entropy) if validated else None,
            validation_accuracy=np.array(accuracy) if validated else None,
            best_iteration=last.best_iteration_,
            name=name_of(last, name),
        )
        return display.plot(ax=ax, x=x, curve_kwargs=curve_kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        name: str | None = None,
        x: Literal["iteration", "seconds"] = "iteration",
        curve_kwargs: dict[str, Any] | None = None,
    ) -> LearningCurve:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, or two of them, default=None
            One for nats and one for the accuracy; with a single one the accuracy is left out. By default those of a new
            figure, with a panel for the accuracy if there is a validation set.
        name : str, default=None
            Replaces the display's.
        x : {"iteration", "seconds"}, default="iteration"
            The horizontal axis.
        curve_kwargs : dict, default=None
            For ``Axes.plot`` of the curves; by default fits on the same axes differ in colour and marker.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            x is neither of the two, or there are more than two axes.
        ImportError
            matplotlib is not installed.
        """
        if x not in ("iteration", "seconds"):
            raise ValueError(f"x must be 'iteration' or 'seconds', got {x!r}.")
        self.ax_ = self._axes(ax)
        self.figure_ = self.ax_[0].figure
        where = np.arange(1, len(np.asarray(self.objective)) + 1) if x == "iteration" else np.asarray(self.seconds)
        self.lines_: dict[str, Any] = {}
        nats, *others = self.ax_
        style = {**next_style(nats, REFERENCES, curve_kwargs), "label": None}
        self._draw(nats, where, "objective", {"linestyle": DASHES[TRAINING], **style})
        self._draw(nats, where, "validation_cross_entropy", style)
        for accuracy in others:
            self._draw(accuracy, where, "validation_accuracy", style)
            accuracy.set_ylabel("validation accuracy")
        nats.set_ylabel("nats a row")
        label_lowest(self.ax_, x)
        self._mark(where, style["color"])
        named = self.lines_.get("validation_cross_entropy", self.lines_["objective"])
        named.set_label(self._label(self.name if name is None else name))
        self._explain(nats)
        self.legend_ = draw_legend(nats, REFERENCES, outside=ax is None, in_full=True)
        if x == "iteration":
            self._count_in_integers()
        return self

    def _axes(self, ax: Any) -> Any:
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", purpose="LearningCurve")
            heights = [1.0] if self.validation_accuracy is None else [1.6, 1.0]
            size = (6.4, 1.2 + 2.2 * sum(heights))
            options = {"sharex": True, "squeeze": False, "height_ratios": heights, "layout": "constrained"}
            return pyplot.subplots(len(heights), figsize=size, **options)[1][:, 0]
        axes = given_axes(ax)
        if len(axes) > 2:
            raise ValueError(f"ax must be one or two axes, for nats and for the accuracy, got {len(axes)}.")
        return axes

    def _draw(self, ax: Any, where: Any, name: str, style: dict[str, Any]) -> None:
        values = getattr(self, name)
        if values is not None:
            markers = {"markersize": 4, "markevery": -(-len(where) // MOST_MARKERS)}
            (self.lines_[name],) = ax.plot(where, values, **{**markers, **style})

    def _mark(self, where: Any, color: Any) -> None:
        """Mark the iteration that was kept in every panel."""
        if self.best_iteration is None:
            return
        kept = where[self.best_iteration - 1] if self.best_iteration else 0.0
        for ax in self.ax_:
            ax.axvline(kept, zorder=0, color=color, linestyle=DASHES[KEPT], linewidth=1.2)

    def _label(self, name: str | None) -> str:
        if self.best_iteration is None:
            return "model" if name is None else name
        kept = f"iteration\xa0{self.best_iteration}\xa0kept"  # no line break within
        return kept if name is None else f"{name} ({kept})"

    def _explain(self, ax: Any) -> None:
        """Add a legend entry for each kind of line that is drawn, once for all fits on the axes."""
        drawn = {TRAINING: True, VALIDATION: "validation_cross_entropy" in self.lines_, KEPT: self.best_iteration is not None}
        for label in REFERENCES:
            if drawn[label] and label not in ax.get_legend_handles_labels()[1]:
                ax.plot([], [], color=GREY, linestyle=DASHES[label], linewidth=1.2, label=label)

    def _count_in_integers(self) -> None:
        ticker = import_optional("matplotlib.ticker", purpose="LearningCurve")
        for ax in self.ax_:
            locator = ax.xaxis.get_major_locator()
            if isinstance(locator, ticker.MaxNLocator):  # not on a logarithmic axis or with the user's ticks
                locator.set_params(integer=True)
