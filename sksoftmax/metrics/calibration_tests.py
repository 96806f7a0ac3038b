r"""Tests of calibration by resampling labels from the predicted probabilities.

What lives here: ``calibration_test``, ``consistency_bars``. What doesn't: the errors themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._events import Events
from ._inputs import check_predictions
from ._options import RandomState, check_confidence_level, check_count, make_generator
from .calibration_errors import BinnedError, Kind, expected_calibration_error
from .smooth_calibration import SmoothError, smooth_calibration_error

_PREPARED: dict[Callable[..., float], Any] = {
    expected_calibration_error: BinnedError,
    smooth_calibration_error: SmoothError,
}
"""Classes of errors that compute sums over the probabilities once for all resampled labels."""


@dataclass(frozen=True)
class CalibrationTestResult:
    """Result of ``calibration_test``.

    Attributes
    ----------
    statistic : float
        The error of the predictions.
    expected : float
        Its mean under the null hypothesis that the predictions are calibrated.
    pvalue : float
        Estimated probability of an error at least as large under the null hypothesis, in (0, 1].
    resampled : ndarray of shape (n_resamples,)
        The errors of the resampled labels.
    """

    statistic: float
    expected: float
    pvalue: float
    resampled: NDArray[np.float64]


def calibration_test(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    error: Callable[..., float] = expected_calibration_error,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    n_resamples: int = 999,
    random_state: RandomState = None,
    **options: Any,
) -> CalibrationTestResult:
    r"""Test whether predictions are calibrated, by a calibration error and labels resampled from the predictions.

    Labels are drawn B times from the predicted probabilities, and the error :math:`E_b` is computed for each draw:

    .. math:: \mathrm{pvalue} = \frac{1 + \#\{b : E_b \ge E\}}{1 + B}

    Conditional on the predictions the test is exact for any number of rows and draws: under the null hypothesis the labels and
    the draws are exchangeable.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Labels, not rows of class probabilities.
    y_proba : array-like of shape (n_rows, n_classes), float32 or float64
        Predicted probabilities.
    error : callable, default=expected_calibration_error
        ``error(y_true, y_proba, *, labels, sample_weight, **options) -> float``, greater for worse predictions: a calibration
        error of this package, or any other function, such as a proper scoring rule.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, where y_true may lack some of them.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights; each row is still one observation.
    n_resamples : int, default=999
        B, the number of draws.
    random_state : int, RandomState instance, numpy.random.Generator or None, default=None
        Seed or generator of the draws.
    **options
        Keyword arguments of the error, such as ``kind="class_wise"``.

    Returns
    -------
    result : CalibrationTestResult
        ``statistic``, ``expected``, ``pvalue`` and ``resampled``.

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    Notes
    -----
    Bröcker & Smith also resample the predictions; here the test is conditional on them. A test of the top label has no power
    against miscalibration of the other classes.

    References
    ----------
    Bröcker & Smith (2007), "Increasing the Reliability of Reliability Diagrams". Vaicenavicius et al. (2019), "Evaluating model
    calibration in classification".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.metrics import calibration_test
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.dirichlet(np.ones(5), size=500)
    >>> y = np.array([rng.choice(5, p=p) for p in proba])
    >>> calibrated = calibration_test(y, proba, random_state=0)
    >>> calibrated.expected > 0.03, calibrated.pvalue > 0.1           # a positive error is expected under calibration
    (True, True)
    >>> overconfident = proba**2 / np.sum(proba**2, axis=1, keepdims=True)
    >>> calibration_test(y, overconfident, random_state=0).pvalue
    0.001
    """
    check_count("n_resamples", n_resamples)
    predictions = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    if predictions.labels is None:
        raise ValueError("y_true must hold labels: rows of class probabilities cannot be drawn again from y_proba.")
    if error in _PREPARED:
        error_of = _PREPARED[error].of(predictions, **options)
        events = error_of.events
    else:
        events = Events(predictions.proba, predictions.weight, predictions.labels)
        classes = predictions.classes

        def error_of(drawn: Events) -> float:
            return error(classes[drawn.labels], drawn.proba, labels=classes, sample_weight=drawn.weight, **options)

    statistic = float(error_of(events))
    rng, draw = make_generator(random_state), events.sampler()
    resampled = np.array([error_of(events.with_labels(draw(rng))) for _ in range(n_resamples)])
    # Equal errors may differ by rounding if sums are in another order.
    at_least = np.sum(resampled >= statistic - 1e-12)
    return CalibrationTestResult(statistic, float(resampled.mean()), float((1 + at_least) / (1 + n_resamples)), resampled)


def consistency_bars(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    kind: Kind = "top_label",
    strategy: Literal["uniform", "quantile"] = "uniform",
    n_bins: int = 15,
    confidence_level: float = 0.9,
    n_resamples: int = 200,
    random_state: RandomState = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return consistency bars: intervals of each bin's frequency under the hypothesis that the predictions are calibrated.

    Quantiles of the bins' frequencies over labels drawn from the predicted probabilities. The level holds for each bin, not for
    all bins together.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, kind, strategy, n_bins
        As for ``expected_calibration_error``; only the classes of y_true are used.
    confidence_level : float, default=0.9
        Share of the draws between the two ends, in (0, 1).
    n_resamples : int, default=200
        B, the number of draws.
    random_state : int, RandomState instance, numpy.random.Generator or None, default=None
        Seed or generator of the draws.

    Returns
    -------
    low, high : ndarray of shape (n_columns, n_bins)
        Frequencies in [0, 1]; NaN in empty bins. Columns and bins are those of ``reliability_curve``.

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    References
    ----------
    Bröcker & Smith (2007), "Increasing the Reliability of Reliability Diagrams".

    Examples
    --------
    >>> from sksoftmax.metrics import consistency_bars
    >>> low, high = consistency_bars([0, 1] * 50, [[0.3, 0.7]] * 100, n_bins=2, random_state=0)
    >>> bool(low[0, 1] < 0.7 < high[0, 1] < 0.8), low.shape
    (True, (1, 2))
    """
    check_count("n_resamples", n_resamples)
    check_confidence_level(confidence_level)
    predictions = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    error = BinnedError.of(predictions, kind=kind, strategy=strategy, n_bins=n_bins)
    rng, draw = make_generator(random_state), error.events.sampler()
    drawn = np.array([error.target_sum(error.events.with_labels(draw(rng))) for _ in range(n_resamples)])
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(drawn / error.mass, [(1 - confidence_level) / 2, (1 + confidence_level) / 2], axis=0)
    return low, high
