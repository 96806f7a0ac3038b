r"""Decompositions of proper scores.

What lives here: calibration + refinement by cross-fitted calibrators, and reliability − resolution + uncertainty of the Brier
score by bins. What doesn't: the scores (``scoring_rules``), calibrators (``sksoftmax.calibration``), calibration errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import KFold

from ..calibration import CALIBRATORS, Calibrator
from ..functional import log_softmax
from ._inputs import Predictions, check_predictions
from .scoring_rules import brier, brier_scale, cross_entropy, spherical


@dataclass(frozen=True)
class ScoreDecomposition:
    """A proper score in two parts; see ``decompose_score``.

    Attributes
    ----------
    total : float
        The score of the predictions: ``calibration + refinement``.
    calibration : float
        Total minus the score after recalibration by the given calibrator. For losses negative if recalibration increased the
        loss: the predictions are calibrated, or there are too few rows to fit the calibrator.
    refinement : float
        The score after recalibration by this calibrator.
    """

    total: float
    calibration: float
    refinement: float


# Functions of validated predictions whose ``proba`` are log-probabilities.
_SCORES: dict[str, Callable[[Predictions], float]] = {
    "cross_entropy_loss": lambda given: cross_entropy(given, True, 0.0),
    "brier_score_loss": lambda given: brier(replace(given, proba=np.exp(given.proba))) * brier_scale(given, "auto"),
    "spherical_score": lambda given: spherical(replace(given, proba=np.exp(given.proba))),
}


def decompose_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    score: str = "cross_entropy_loss",
    calibrator: str | Calibrator = "auto",
    n_splits: int = 5,
    random_state: int | None = 0,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    from_logits: bool = False,
) -> ScoreDecomposition:
    r"""Return a proper score as the sum of a calibration part, which recalibration removes, and a refinement part.

    .. math:: \underbrace{\ell(y, p)}_{\text{total}} = \underbrace{\ell(y, p) - \ell(y, g(p))}_{\text{calibration}}
        + \underbrace{\ell(y, g(p))}_{\text{refinement}}

    Each row is recalibrated by a map g that was fitted to the other folds, so that overfitting does not reduce the score. Both
    parts depend on the calibrator: a more flexible one may move a larger part of the score to calibration, given enough rows.
    As input of g, zero probabilities are replaced by a third of the least positive one in its fold, or in their row if that is
    less.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, from_logits
        As for ``cross_entropy_loss``. Predictions of rows that the model was not fitted on.
    score : {"cross_entropy_loss", "brier_score_loss", "spherical_score"}, default="cross_entropy_loss"
        Cross-entropy is in nats; the Brier score is halved for two classes.
    calibrator : str or Calibrator, default="auto"
        A name in ``sksoftmax.calibration.CALIBRATORS``, or an object, which is cloned and gets logits or probabilities as given
        by ``from_logits``. "auto" selects in each fold among temperature, vector and matrix scaling; "temperature" takes a
        tenth of its time or less, and attributes miscalibration of any other form to refinement.
    n_splits : int, default=5
        Number of folds.
    random_state : int or None, default=0
        Seed of the assignment of rows to folds.

    Returns
    -------
    decomposition : ScoreDecomposition
        Of floats ``total``, ``calibration``, ``refinement``. With cross-entropy the first two are infinite if a true class has
        probability 0, as happens with forests.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, another score, or fewer rows than folds.

    References
    ----------
    Bröcker (2009), "Reliability, sufficiency, and the decomposition of proper scores". Berta, Holzmüller, Jordan & Bach
    (2025), "Rethinking Early Stopping: Refine, Then Calibrate", for recalibration as the estimate.

    Examples
    --------
    Logits that are twice too large change the calibration part only:

    >>> import numpy as np
    >>> from sksoftmax.functional import softmax
    >>> from sksoftmax.metrics import decompose_score
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 3))
    >>> y = (logits + rng.gumbel(size=(2000, 3))).argmax(axis=1)
    >>> parts = decompose_score(y, softmax(2 * logits))
    >>> print(f"{parts.total:.3f} = {parts.calibration:.3f} + {parts.refinement:.3f}")
    0.954 = 0.098 + 0.856
    >>> print(f"{decompose_score(y, softmax(logits)).refinement:.3f}")
    0.855
    """
    if score not in _SCORES:
        raise ValueError(f"score must be one of {', '.join(map(repr, _SCORES))}; got {score!r}.")
    if isinstance(calibrator, str) and calibrator not in CALIBRATORS:
        raise ValueError(f"calibrator must be one of {', '.join(map(repr, CALIBRATORS))} or an object; got {calibrator!r}.")
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight, from_logits=from_logits)
    folds = KFold(n_splits, shuffle=True, random_state=random_state)
    unfitted = CALIBRATORS[calibrator]() if isinstance(calibrator, str) else calibrator
    y = given.labels if given.target is None else given.target
    # The strengths of calibrators' ridges and mixtures depend on the sum of the weights: it must be that of the given weights.
    with np.errstate(over="ignore", under="ignore"):
        total_weight = given.n_rows if sample_weight is None else np.asarray(sample_weight, dtype=np.float64).sum()
    weight = given.weight * np.clip(total_weight, 1e-100, 1e100)
    recalibrated = np.empty(given.proba.shape)
    for fit, held_out in folds.split(recalibrated):
        fold = clone(unfitted).set_params(input="logits" if from_logits else "proba")
        fold.fit(given.proba[fit], y[fit], weight[fit], classes=np.arange(given.n_classes))  # type: ignore[index]
        recalibrated[held_out] = fold.predict_log_proba(given.proba[held_out])
    total = _SCORES[score](replace(given, proba=log_softmax(given.proba) if from_logits else _log(given.proba)))
    refinement = _SCORES[score](replace(given, proba=recalibrated))
    return ScoreDecomposition(total, total - refinement, refinement)


def _log(proba: NDArray) -> NDArray[np.float64]:
    """Return the logarithms in float64; −inf for zeros."""
    with np.errstate(divide="ignore"):
        return np.log(proba, dtype=np.float64)


@dataclass(frozen=True)
class BrierDecomposition:
    """The Brier score in four parts; see ``decompose_brier_score``.

    Attributes
    ----------
    total : float
        ``reliability - resolution + uncertainty + within_bins``, the Brier score.
    reliability : float
        Weighted mean of (mean probability − frequency)² over bins; 0 is best.
    resolution : float
        Weighted mean of (frequency − overall frequency)² over bins; greater is better.
    uncertainty : float
        The Brier score of the class frequencies; the same for all predictions.
    within_bins : float
        Variance of the probabilities within bins minus twice their covariance with the outcomes. 0 if each bin holds equal
        probabilities.
    """

    total: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


def decompose_brier_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    n_bins: int = 10,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> BrierDecomposition:
    r"""Return reliability, resolution and uncertainty of the Brier score, each class in bins of equal width.

    .. math:: \mathrm{BS} = \sum_k \Big( \sum_b m_{kb} (\bar p_{kb} - \bar t_{kb})^2 - \sum_b m_{kb} (\bar t_{kb} - \bar t_k)^2
        + \bar t_k (1 - \bar t_k) \Big) + \text{within bins}

    With few rows in a bin reliability and resolution are both too large; ``decompose_score`` has no bins.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.
    n_bins : int, default=10
        Number of bins of equal width on [0, 1].

    Returns
    -------
    decomposition : BrierDecomposition
        Halved for two classes, as ``brier_score_loss`` is.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, or less than one bin.

    References
    ----------
    Murphy (1973), "A New Vector Partition of the Probability Score". Stephenson, Coelho & Jolliffe (2008), "Two Extra
    Components in the Brier Score Decomposition", for what is within bins.

    Examples
    --------
    >>> from sksoftmax.metrics import decompose_brier_score
    >>> parts = decompose_brier_score([0, 0, 0, 1, 1, 0], [0.2, 0.2, 0.2, 0.8, 0.8, 0.8])
    >>> round(parts.reliability, 3), round(parts.resolution, 3), round(parts.uncertainty, 3), round(parts.total, 3)
    (0.029, 0.111, 0.222, 0.14)
    """
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins!r}.")
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    parts = np.zeros(4)
    for k in range(given.n_classes):
        target = np.where(given.labels == k, 1.0, 0.0) if given.target is None else given.target[:, k]
        parts += _parts_of_class(given.proba[:, k].astype(np.float64), target, given.weight, n_bins)
    parts *= brier_scale(given, "auto")
    return BrierDecomposition(float(parts @ [1, -1, 1, 1]), *parts.tolist())


def _parts_of_class(p: NDArray, t: NDArray, weight: NDArray[np.float64], n_bins: int) -> NDArray[np.float64]:
    """Return reliability, resolution, uncertainty and the part within bins of one class, (4,)."""
    bins = np.minimum((p * n_bins).astype(np.int64), n_bins - 1)
    bin_weight = np.bincount(bins, weight, minlength=n_bins)
    divisor = np.maximum(bin_weight, np.finfo(float).tiny)  # empty bins have means of zero and do not count
    mean_proba, frequency = (np.bincount(bins, weight * values, minlength=n_bins) / divisor for values in (p, t))
    overall = weight @ t
    deviation = p - mean_proba[bins]
    return np.array(
        [
            bin_weight @ (mean_proba - frequency) ** 2,
            bin_weight @ (frequency - overall) ** 2,
            overall * (1 - overall),
            weight @ (deviation**2 - 2 * deviation * (t - frequency[bins])),
        ]
    )
