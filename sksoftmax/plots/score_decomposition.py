"""Proper scores as the sum of refinement and calibration loss.

What lives here: ``ScoreDecompositionDisplay``. What doesn't: the decomposition (``metrics``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import ScoreDecomposition, decompose_score
from ._drawing import BLUE, NARROW, VERMILION, draw_legend, fit_text, one_axes, width_of
from ._inputs import name_of, predict

UNITS = {
    "cross_entropy_loss": "cross-entropy, nats a row",
    "brier_score_loss": "Brier score",
    "spherical_score": "spherical score",
}
LABELS = {
    "refinement": "refinement: what is left after recalibration",
    "calibration": "calibration: what recalibration takes away",
}


class ScoreDecompositionDisplay:
    """Refinement and calibration parts of a proper score, a stacked bar a model.

    Made by ``from_estimator`` or ``from_predictions``, of one model or of several by name. Both parts are relative to the
    calibrators of ``sksoftmax.metrics.decompose_score``, by default those of ``"auto"``: refinement is the score after
    recalibration, calibration what recalibration removes. Models of equal refinement and different calibration differ in what a
    calibrator can repair. Where recalibration made the score worse, the calibration part is negative, hatched and within the
    bar: the model is calibrated, or there are too few rows to fit a calibrator. On axes with bars, further models are drawn
    below them.

    Parameters
    ----------
    decompositions : dict of str to ScoreDecomposition
        By the models' names.
    score : str, default="cross_entropy_loss"
        The score's name, for the axis label.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    refinement_, calibration_ : matplotlib BarContainer
        A bar a model, the first on top.
    texts_ : list of matplotlib Text
        "total = refinement + calibration", to the right of each bar.
    legend_ : matplotlib Legend

    References
    ----------
    Bröcker (2009), "Reliability, sufficiency, and the decomposition of proper scores".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.functional import softmax
    >>> from sksoftmax.plots import ScoreDecompositionDisplay
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 3))
    >>> y = (logits + rng.gumbel(size=(2000, 3))).argmax(axis=1)
    >>> models = {"calibrated": softmax(logits), "overconfident": softmax(2 * logits)}
    >>> display = ScoreDecompositionDisplay.from_predictions(y, models)
    >>> [text.get_text() for text in display.texts_]
    ['0.855 = 0.855 + 0.000', '0.954 = 0.856 + 0.098']
    """

    def __init__(self, decompositions: dict[str, ScoreDecomposition], *, score: str = "cross_entropy_loss") -> None:
        self.decompositions = decompositions
        self.score = score

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        score: str = "cross_entropy_loss",
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> ScoreDecompositionDisplay:
        """Draw the scores of estimators.

        Parameters
        ----------
        estimator : classifier with ``predict_proba``, or dict of name to classifier
            Fitted.
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            Rows that they were not fitted to.
        y : array-like of shape (n_rows,)
        score, ax, **options
            As for ``from_predictions``.
        name : str, default=None
            Of a single estimator; by default its class.

        Returns
        -------
        display : ScoreDecompositionDisplay

        Raises
        ------
        NotFittedError, ValueError
            An estimator is not fitted; bad input; classes that differ.
        """
        models = dict(estimator) if isinstance(estimator, Mapping) else {name_of(estimator, name): estimator}
        predicted = {key: predict(model, X) for key, model in models.items()}
        classes = next(iter(predicted.values()))[1]
        if not all(np.array_equal(classes, own) for _, own in predicted.values()):
            raise ValueError("The estimators' classes_ must be the same.")
        proba = {key: rows for key, (rows, _) in predicted.items()}
        return cls.from_predictions(y, proba, labels=classes, score=score, ax=ax, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: Any,
        *,
        score: str = "cross_entropy_loss",
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> ScoreDecompositionDisplay:
        """Draw the scores of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
            Labels, or rows of class probabilities.
        y_proba : array-like of shape (n_rows, n_classes), or dict of name to such arrays
            Predicted probabilities of one model, or of several.
        score : {"cross_entropy_loss", "brier_score_loss", "spherical_score"}, default="cross_entropy_loss"
        name : str, default=None
            Of a single model.
        ax : matplotlib Axes, default=None
            By default those of a new figure.
        **options
            For ``sksoftmax.metrics.decompose_score``, such as ``calibrator``.

        Returns
        -------
        display : ScoreDecompositionDisplay

        Raises
        ------
        ValueError
            Bad input, no model, or an infinite cross-entropy: a true class has probability 0, as happens with forests. The
            other scores are finite.
        """
        models = dict(y_proba) if isinstance(y_proba, Mapping) else {"model" if name is None else name: y_proba}
        if not models:
            raise ValueError("y_proba must hold the predictions of at least one model, got none.")
        parts = {key: decompose_score(y_true, proba, score=score, **options) for key, proba in models.items()}
        for key, part in parts.items():
            if not (np.isfinite(part.refinement) and np.isfinite(part.calibration)):
                raise ValueError(
                    f"The {score} of {key!r} is infinite, as a class of probability 0 came true, which happens with forests "
                    "and neighbours: take score='brier_score_loss' or 'spherical_score', which are finite."
                )
        return cls(parts, score=score).plot(ax=ax)

    def plot(self, ax: Any = None) -> ScoreDecompositionDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default those of a new figure.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        names, parts = list(self.decompositions), list(self.decompositions.values())
        self.ax_ = one_axes(ax, self, size=(7.2, 1.7 + 0.45 * len(names)))
        self.figure_ = self.ax_.figure
        width = width_of(self.ax_)
        drawn = [] if not self.ax_.containers else [label.get_text() for label in self.ax_.get_yticklabels()]
        rows = len(drawn) + np.arange(len(names))
        refinement = np.array([part.refinement for part in parts])
        calibration = np.array([part.calibration for part in parts])
        labels = dict.fromkeys(LABELS) if drawn else {part: part if width < NARROW else LABELS[part] for part in LABELS}
        self.refinement_ = self.ax_.barh(rows, refinement, color=BLUE, label=labels["refinement"])
        style = {"color": VERMILION, "label": labels["calibration"]}
        self.calibration_ = self.ax_.barh(rows, calibration, left=refinement, **style)
        for bar, amount in zip(self.calibration_, calibration, strict=True):
            if amount < 0:
                bar.set(hatch="////", edgecolor="white", linewidth=0)
        ends = np.maximum(refinement, refinement + calibration)
        equals = " =\n" if width < NARROW else " = "
        texts = [
            f"{p.total:.3f}{equals}{p.refinement:.3f} {'−' if p.calibration < 0 else '+'} {abs(p.calibration):.3f}"
            for p in parts
        ]
        self.texts_ = [
            self.ax_.annotate(text, (end, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize="small")
            for text, end, row in zip(texts, ends, rows, strict=True)
        ]
        ticks = drawn + [fit_text(name, min(2.4, 0.42 * width), 10) for name in names]
        self.ax_.set_yticks(np.arange(len(ticks)), ticks)
        self.ax_.set_ylim(len(ticks) - 0.4, -0.6)  # the first on top
        # Room for the texts to the right of the bars.
        longest = max(float(bar.get_x() + bar.get_width()) for container in self.ax_.containers for bar in container)
        share = 1 - min(0.6, (1.1 if width < NARROW else 1.7) / width)
        self.ax_.set(xlabel=UNITS.get(self.score, self.score), xlim=(0, longest / share or 1.0))
        self.legend_ = draw_legend(self.ax_, (), outside=True)
        return self
