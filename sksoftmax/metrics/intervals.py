r"""Confidence intervals of metrics on a test set.

What lives here: ``bootstrap`` for any metric, ``wilson_interval`` and ``hoeffding_interval`` for accuracies. What doesn't: the
metrics, and corrections for a test set that was used more than once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ..data.weights import check_weight, scale_weight
from ._inputs import check_predictions
from ._options import RandomState, check_confidence_level, check_count, check_option, make_generator


class ConfidenceInterval(NamedTuple):
    """A confidence interval: its lower and upper end."""

    low: float
    high: float


@dataclass(frozen=True)
class BootstrapResult:
    """Result of ``bootstrap``; the names are those of :func:`scipy.stats.bootstrap`.

    Attributes
    ----------
    statistic : float
        The metric on the data, or the difference of two.
    confidence_interval : ConfidenceInterval
    standard_error : float
        Standard deviation of the resampled values.
    bootstrap_distribution : ndarray of shape (n_resamples,)
        The resampled values.
    """

    statistic: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    bootstrap_distribution: NDArray[np.float64]


def bootstrap(
    metric: Callable[..., float],
    y_true: ArrayLike,
    y_proba: ArrayLike,
    other: ArrayLike | None = None,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    method: Literal["percentile", "basic"] = "percentile",
    random_state: RandomState = None,
    **options: Any,
) -> BootstrapResult:
    r"""Return a bootstrap confidence interval of a metric, or of the difference of two models' metrics on the same rows.

    Rows are drawn with replacement, as weights: a row drawn c times has c times its weight. The interval's ends are the
    quantiles of the resampled values at :math:`(1 \mp \mathrm{confidence\_level}) / 2`.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_proba, *, labels, sample_weight, **options) -> float``: one of ``sksoftmax.metrics``, or any other
        function with this signature.
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    y_proba : array-like of shape (n_rows, n_classes), float32 or float64
        Predicted probabilities.
    other : array-like of shape (n_rows, n_classes), default=None
        Predictions of another model for the same rows: every value is then ``metric(y_proba) - metric(other)`` on the same draw
        of rows (paired). Errors that both models share cancel: the interval is narrower than an unpaired one.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, where y_true may lack some of them.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights, multiplied with the draws.
    confidence_level : float, default=0.95
        In (0, 1).
    n_resamples : int, default=1000
        Number of draws.
    method : {"percentile", "basic"}, default="percentile"
        Quantiles of the resampled values, or these reflected at the statistic. If resampling biases the metric, the second
        subtracts the bias, and the first has it twice.
    random_state : int, RandomState instance, numpy.random.Generator or None, default=None
        Seed or generator of the draws.
    **options
        Keyword arguments of the metric, such as ``k=5``.

    Returns
    -------
    result : BootstrapResult
        ``statistic``, ``confidence_interval``, ``standard_error`` and ``bootstrap_distribution``.

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    Notes
    -----
    The interval covers the sampling of test rows, not of training sets, and is invalid for a test set that was used to select
    the model. Resampling rows increases calibration errors: use ``calibration_test`` for these.

    References
    ----------
    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 8, 13 and 16.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.metrics import bootstrap, expected_calibration_error
    >>> def brier(y_true, y_proba, *, labels, sample_weight):
    ...     return np.average(np.sum((np.eye(2)[y_true] - y_proba) ** 2, axis=1), weights=sample_weight)
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=400)
    >>> y, sharp, dull = (rng.uniform(size=400) < p).astype(int), np.c_[1 - p, p], np.full((400, 2), 0.5)
    >>> result = bootstrap(brier, y, sharp, dull, random_state=0)
    >>> result.confidence_interval.high < 0                   # sharp is significantly better
    True
    """
    check_option("method", method, ("percentile", "basic"))
    check_count("n_resamples", n_resamples)
    check_confidence_level(confidence_level)
    models = [y_proba] if other is None else [y_proba, other]
    checked = [check_predictions(y_true, proba, labels=labels, sample_weight=sample_weight) for proba in models]
    classes = checked[0].classes

    def value(weight: NDArray) -> float:
        values = [metric(y_true, proba, labels=classes, sample_weight=weight, **options) for proba in models]
        return float(values[0] if other is None else values[0] - values[1])

    n_rows = len(np.asarray(y_proba))
    weight, _ = scale_weight(check_weight(sample_weight, n_rows))
    statistic, rng = value(weight), make_generator(random_state)
    draws = (_draw_counts(rng, weight) for _ in range(n_resamples))
    distribution = np.array([value(counts * weight) for counts in draws])
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(distribution, [tail, 1 - tail])
    if method == "basic":
        low, high = 2 * statistic - high, 2 * statistic - low
    spread = float(np.std(distribution, ddof=1)) if n_resamples > 1 else float("nan")
    return BootstrapResult(statistic, ConfidenceInterval(float(low), float(high)), spread, distribution)


def _draw_counts(rng: np.random.Generator, weight: NDArray) -> NDArray[np.int64]:
    """Return how often each row is drawn; draws of rows of weight zero only are repeated."""
    n_rows = len(weight)
    while True:
        counts = np.bincount(rng.integers(n_rows, size=n_rows, dtype=np.int32), minlength=n_rows)
        if weight[counts > 0].any():
            return counts


def wilson_interval(n_correct: float, n: float, *, confidence_level: float = 0.95) -> ConfidenceInterval:
    r"""Return Wilson's score interval of a proportion, such as an accuracy.

    .. math::
        \frac{\hat p + z^2 / 2n}{1 + z^2 / n} \pm
        \frac{z}{1 + z^2 / n} \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}

    The set of proportions that the score test does not reject: z is the quantile of the standard normal distribution at
    (1 + confidence_level) / 2. Its coverage is close to the level for any n, it is within [0, 1], and its length is positive
    also if all rows are correct.

    Parameters
    ----------
    n_correct : float
        Number of correct rows, in [0, n].
    n : float
        Number of rows, positive.
    confidence_level : float, default=0.95
        In (0, 1).

    Returns
    -------
    interval : ConfidenceInterval
        ``low`` and ``high``, shares in [0, 1].

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    References
    ----------
    Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference". Brown, Cai & DasGupta (2001),
    "Interval Estimation for a Binomial Proportion".

    Examples
    --------
    >>> from sksoftmax.metrics import wilson_interval
    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 4), round(high, 4)
    (0.8256, 0.9448)
    """
    share, n = _check_counts(n_correct, n, confidence_level)
    square = ndtri(0.5 + confidence_level / 2) ** 2
    centre = share + square / (2 * n)
    reach = np.sqrt(square * (share * (1 - share) / n + square / (4 * n**2)))
    total = 1 + square / n
    return ConfidenceInterval(float(max(0.0, (centre - reach) / total)), float(min(1.0, (centre + reach) / total)))


def hoeffding_interval(n_correct: float, n: float, *, confidence_level: float = 0.95) -> ConfidenceInterval:
    r"""Return Hoeffding's interval of a mean of numbers in [0, 1], such as an accuracy.

    .. math:: \hat p \pm \sqrt{\frac{\log (2 / (1 - \mathrm{confidence\_level}))}{2 n}}, \quad \hat p = \frac{n_{correct}}{n}

    clipped to [0, 1]. Its coverage is at least the level for every n and every distribution. Wide for accuracies near 0 or 1,
    whose smaller variance it does not use.

    Parameters
    ----------
    n_correct : float
        Number of correct rows, or the sum of numbers in [0, 1]; in [0, n].
    n : float
        Number of rows, positive.
    confidence_level : float, default=0.95
        In (0, 1).

    Returns
    -------
    interval : ConfidenceInterval
        ``low`` and ``high``, in [0, 1].

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    References
    ----------
    Hoeffding (1963), "Probability Inequalities for Sums of Bounded Random Variables".

    Examples
    --------
    >>> from sksoftmax.metrics import hoeffding_interval
    >>> low, high = hoeffding_interval(90, 100)
    >>> round(low, 4), round(high, 4)
    (0.7642, 1.0)
    """
    share, n = _check_counts(n_correct, n, confidence_level)
    reach = np.sqrt(np.log(2 / (1 - confidence_level)) / (2 * n))
    return ConfidenceInterval(float(max(0.0, share - reach)), float(min(1.0, share + reach)))


def _check_counts(n_correct: float, n: float, confidence_level: float) -> tuple[float, float]:
    """Return the share of correct rows and the number of rows as floats; raise a ValueError that names a bad argument."""
    check_confidence_level(confidence_level)
    if not (isinstance(n, Real) and 0 < n < np.inf):
        raise ValueError(f"n must be a positive number of rows, got {n!r}.")
    if not (isinstance(n_correct, Real) and 0 <= n_correct <= n):
        raise ValueError(f"n_correct must be in [0, n], and n is {n!r}; got {n_correct!r}.")
    return float(n_correct) / float(n), float(n)
