r"""Miscalibration, discrimination and uncertainty of binary events by isotonic recalibration: the CORP decomposition.

What lives here: ``decompose_score_corp`` and its result. What doesn't: out-of-sample recalibration of all classes together, and
bins (``decompositions``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlog1py, xlogy
from sklearn.isotonic import isotonic_regression

from ._inputs import check_predictions

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class CorpDecomposition:
    """A proper score in three parts; see ``decompose_score_corp``.

    Attributes
    ----------
    total : float
        ``miscalibration - discrimination + uncertainty``: the mean score.
    miscalibration : float
        Decrease of the score by the best non-decreasing recalibration; 0 is best.
    discrimination : float
        Score of the frequency of the event minus that of the recalibrated probabilities; greater is better.
    uncertainty : float
        Score of that frequency; the same for all predictions.
    by_class : dict of label to CorpDecomposition
        The decomposition of each class against the rest; the above are their sums. Empty for two classes, which are one event.
    """

    total: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    by_class: dict[Any, CorpDecomposition] = field(default_factory=dict)


# Mean score of the probabilities p of an event whose target in each row is t: 0 or 1, or a probability.
_SCORES: dict[str, Callable[[Vector, Vector, Vector], float]] = {
    "brier_score_loss": lambda p, t, weight: float(weight @ (t * (1 - p) ** 2 + (1 - t) * p**2)),
    "cross_entropy_loss": lambda p, t, weight: -float(weight @ (xlogy(t, p) + xlog1py(1 - t, -p))),
}


def decompose_score_corp(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    score: str = "brier_score_loss",
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> CorpDecomposition:
    r"""Return miscalibration, discrimination and uncertainty of a proper score, by isotonic regression (CORP).

    .. math:: \bar S(p) = \underbrace{\bar S(p) - \bar S(\hat p)}_{\text{miscalibration}}
        - \underbrace{(\bar S(\bar t) - \bar S(\hat p))}_{\text{discrimination}}
        + \underbrace{\bar S(\bar t)}_{\text{uncertainty}}

    with :math:`\bar S` the weighted mean score of an event, :math:`\hat p` its probabilities after isotonic regression on the
    rows' outcomes (pool adjacent violators; the same for equal predictions) and :math:`\bar t` its frequency. All parts are
    non-negative. There are no bins and no parameters. Rows are recalibrated in-sample: with few rows miscalibration and
    discrimination are both too large, by the same amount. ``decompose_score`` recalibrates out-of-sample.

    Two classes are one event, ``labels[1]``. With more, each class against the rest is one event, and the parts are summed.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight
        As for ``cross_entropy_loss``.
    score : {"brier_score_loss", "cross_entropy_loss"}, default="brier_score_loss"
        The squared error :math:`(p - t)^2` or the cross-entropy in nats of an event. Added up over the classes the first is
        ``brier_score_loss``; the second equals ``cross_entropy_loss`` for two classes only.

    Returns
    -------
    decomposition : CorpDecomposition
        Of floats. With cross-entropy, total and miscalibration are infinite if an outcome has probability 0.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, or another score.

    See Also
    --------
    decompose_score : Calibration and refinement, relative to a calibrator of all classes at once.
    decompose_brier_score : Reliability, resolution and uncertainty, by bins.

    References
    ----------
    Dimitriadis, Gneiting & Jordan (2021), "Stable reliability diagrams for probabilistic classifiers", PNAS 118 (8).

    Examples
    --------
    >>> from sksoftmax.metrics import decompose_score_corp
    >>> parts = decompose_score_corp([0, 0, 1, 0, 1, 1], [0.1, 0.3, 0.3, 0.8, 0.8, 0.9])
    >>> print(f"{parts.total:.3f} = {parts.miscalibration:.3f} - {parts.discrimination:.3f} + {parts.uncertainty:.3f}")
    0.213 = 0.047 - 0.083 + 0.250
    """
    if score not in _SCORES:
        raise ValueError(f"score must be one of {', '.join(map(repr, _SCORES))}; got {score!r}.")
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    target = np.eye(given.n_classes)[given.labels] if given.target is None else given.target.astype(np.float64)
    target /= target.sum(axis=1, keepdims=True)
    events = [1] if given.n_classes == 2 else list(range(given.n_classes))
    proba = np.minimum(given.proba.astype(np.float64), 1.0)  # rows sum to one but for rounding
    parts = np.array([_parts(proba[:, k], target[:, k], given.weight, _SCORES[score]) for k in events])
    by_class = {}
    if given.n_classes > 2:
        by_class = {name: CorpDecomposition(*own.tolist()) for name, own in zip(given.classes.tolist(), parts, strict=True)}
    return replace(CorpDecomposition(*parts.sum(axis=0).tolist()), by_class=by_class)


def _parts(
    p: Vector, t: Vector, weight: Vector, score: Callable[[Vector, Vector, Vector], float]
) -> tuple[float, float, float, float]:
    """Return total, miscalibration, discrimination and uncertainty of one event."""
    # Rows of equal predictions form a group, whose frequency is regressed with the group's weight. Pool adjacent violators
    # finds the non-decreasing function of p with the least squared error, which also minimises every other proper score of a
    # binary event (Brümmer & du Preez 2013, "The PAV algorithm optimizes binary proper scoring rules"): one regression for both
    # scores. The identity and the constants are non-decreasing, so that miscalibration and discrimination are non-negative up
    # to rounding, which is clipped.
    group = np.unique(p, return_inverse=True)[1]
    group_weight = np.bincount(group, weight)
    frequencies = np.bincount(group, weight * t) / group_weight
    recalibrated = np.clip(isotonic_regression(frequencies, sample_weight=group_weight, y_min=0, y_max=1), 0, 1)[group]
    frequency = np.full(len(p), np.clip(weight @ t, 0, 1))
    total, best, constant = score(p, t, weight), score(recalibrated, t, weight), score(frequency, t, weight)
    return total, max(total - best, 0.0), max(constant - best, 0.0), constant
