"""Skill scores D²: the relative reduction of a loss against that of the class frequencies.

What lives here: D² of cross-entropy, Brier and spherical score. What doesn't: these scores themselves (``scoring_rules``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._inputs import Predictions, check_predictions
from .scoring_rules import brier, cross_entropy, spherical

# Losses up to this count as zero: they are rounding errors.
_ZERO_LOSS = 1e-12


def d2_cross_entropy_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    from_logits: bool = False,
    floor: float = 0.0,
    prior: ArrayLike | None = None,
) -> float:
    r"""Return D² of the cross-entropy: its relative reduction against the class prior; greater is better.

    .. math:: 1 - \frac{\text{cross-entropy of the predictions}}{\text{cross-entropy of the prior}}

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, from_logits, floor
        As for ``cross_entropy_loss``.
    prior : array-like of shape (n_classes,), default=None
        Class probabilities of the reference, in the order of the columns: for instance the class frequencies of the training
        rows. By default the frequencies in ``y_true``, the best constant prediction.

    Returns
    -------
    score : float
        In [−∞, 1], without a unit: 1 for one-hot predictions that are correct, 0 for the loss of the prior, negative for a
        greater one. Where the prior's loss is zero (``y_true`` holds one class only), the score is 1 if the predictions' loss
        is zero too, else 0.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``, or a prior that is no distribution over the classes.

    References
    ----------
    McFadden (1974), "Conditional Logit Analysis of Qualitative Choice Behavior", for cross-entropies.

    Examples
    --------
    >>> from sksoftmax.metrics import d2_cross_entropy_score
    >>> d2_cross_entropy_score([0, 1], [[0.5, 0.5], [0.5, 0.5]])
    0.0
    >>> round(d2_cross_entropy_score([0, 1], [[0.9, 0.1], [0.1, 0.9]]), 3)
    0.848
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight, from_logits=from_logits)
    loss = cross_entropy(given, from_logits, floor)
    frequencies, constant = given.class_weight_sums(), _check_prior(given, prior)
    occurs = frequencies > 0
    least = np.maximum(constant[occurs], floor)
    if not least.all():
        name = given.classes[occurs].tolist()[least.argmin()]
        raise ValueError(f"prior is 0 for {name!r}, which occurs in y_true: its cross-entropy is infinite.")
    return _skill(loss, float(0.0 - frequencies[occurs] @ np.log(least)))


def d2_brier_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    prior: ArrayLike | None = None,
) -> float:
    r"""Return D² of the Brier score: its relative reduction against the class prior; greater is better.

    .. math:: 1 - \frac{\text{Brier score of the predictions}}{\text{Brier score of the prior}}

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, prior
        As for ``d2_cross_entropy_score``.

    Returns
    -------
    score : float
        In [−∞, 1], without a unit; as ``d2_cross_entropy_score``.

    Raises
    ------
    ValueError
        As ``d2_cross_entropy_score``.

    References
    ----------
    Murphy (1973), "Hedging and Skill Scores for Probability Forecasts".

    Examples
    --------
    >>> from sksoftmax.metrics import d2_brier_score
    >>> round(d2_brier_score([0, 1], [[0.9, 0.1], [0.1, 0.9]]), 3)
    0.96
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    frequencies, constant = given.class_weight_sums(), _check_prior(given, prior)
    return _skill(brier(given), float(constant @ constant - 2 * frequencies @ constant + 1))


def d2_spherical_score(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    prior: ArrayLike | None = None,
) -> float:
    r"""Return D² of the spherical score S: the relative reduction of 1 − S against the class prior; greater is better.

    .. math:: 1 - \frac{1 - \text{spherical score of the predictions}}{1 - \text{spherical score of the prior}}

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, prior
        As for ``d2_cross_entropy_score``.

    Returns
    -------
    score : float
        In [−∞, 1], without a unit; as ``d2_cross_entropy_score``.

    Raises
    ------
    ValueError
        As ``d2_cross_entropy_score``.

    References
    ----------
    Gneiting & Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation", section 2.3.

    Examples
    --------
    >>> from sksoftmax.metrics import d2_spherical_score
    >>> round(d2_spherical_score([0, 1], [[0.9, 0.1], [0.1, 0.9]]), 3)
    0.979
    """
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    frequencies, constant = given.class_weight_sums(), _check_prior(given, prior)
    return _skill(1 - spherical(given), float(1 - frequencies @ constant / np.linalg.norm(constant)))


def _check_prior(given: Predictions, prior: ArrayLike | None) -> NDArray[np.float64]:
    """Return the prior, by default the class frequencies; raise a ValueError if it is no distribution over the classes."""
    if prior is None:
        return given.class_weight_sums()
    constant = np.asarray(prior, dtype=np.float64)
    if constant.shape != (given.n_classes,) or not (constant >= 0).all() or not abs(constant.sum() - 1) <= 1e-4:
        raise ValueError(f"prior must be {given.n_classes} probabilities that sum to 1, got {constant.tolist()}.")
    return constant


def _skill(loss: float, prior_loss: float) -> float:
    """Return 1 - loss / prior_loss; for a prior loss of zero 1 if the loss is zero too, else 0."""
    if prior_loss > _ZERO_LOSS:
        return 1 - loss / prior_loss
    return float(loss <= _ZERO_LOSS)
