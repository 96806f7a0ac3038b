r"""Binned calibration errors and the reliability curve.

What lives here: ``expected_calibration_error``, ``reliability_curve``. What doesn't: the error without bins
(``smooth_calibration``), significance of an error (``calibration_tests``), diagrams (``plots``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels import calibration_errors as kernels
from ._events import Events, make_events
from ._inputs import Predictions, check_predictions
from ._options import check_count, check_option

STRATEGIES = ("uniform", "quantile")
# Tolerance for the rounding errors of cumulated weights, so that quantiles do not depend on them.
WEIGHT_TOLERANCE = 1e-10

Kind = Literal["top_label", "class_wise"]


def _l1(difference: NDArray, weight: NDArray) -> float:
    return float(np.sum(weight * np.abs(difference)))


def _l2(difference: NDArray, weight: NDArray) -> float:
    return float(np.sqrt(np.sum(weight * difference**2)))


def _max(difference: NDArray, weight: NDArray) -> float:
    return float(np.max(np.abs(difference)))


NORMS: dict[str, Callable[[NDArray, NDArray], float]] = {"l1": _l1, "l2": _l2, "max": _max}
"""Norms of the differences of mean probability and frequency over all bins of all columns, with weights that sum to one."""


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    kind: Kind = "top_label",
    strategy: Literal["uniform", "quantile"] = "uniform",
    n_bins: int = 15,
    norm: Literal["l1", "l2", "max"] = "l1",
    debiased: bool = False,
) -> float:
    r"""Return the expected calibration error (ECE): the mean distance of probabilities from frequencies over bins.

    .. math:: \mathrm{ECE} = \Big( \sum_b m_b \, \lvert \bar p_b - \bar t_b \rvert^q \Big)^{1/q}

    with the bin's share of the rows :math:`m_b`, its mean probability :math:`\bar p_b` and the frequency :math:`\bar t_b` of
    the event. Smaller is better; 0 for one-hot predictions that are correct, and for the classes' frequencies predicted for
    every row (``kind="class_wise"``); at most 1.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    y_proba : array-like of shape (n_rows, n_classes), float32 or float64
        Predicted probabilities.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, where y_true may lack some of them.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative; 2 counts as the row twice, except where ``debiased``.
    kind : {"top_label", "class_wise"}, default="top_label"
        The events that are binned: that the class of the largest probability is correct (confidence against accuracy), or for
        each class that it is the true one, in separate bins, averaged over classes.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width on [0, 1], or of equal weight; a bin includes its upper end. Unlike those of
        :func:`sklearn.calibration.calibration_curve` quantiles are observed values, so that a weight of two repeats the row.
    n_bins : int, default=15
    norm : {"l1", "l2", "max"}, default="l1"
        Mean, root mean square (q = 2), or maximum (q = ∞) over the bins.
    debiased : bool, default=False
        Whether to subtract from each squared difference the sampling variance of the frequency,
        :math:`\bar t_b (1 - \bar t_b) / (n_b - 1)`; needs ``norm="l2"``. A negative sum is set to zero. Bins with a single row
        are left out. Rows are independent observations whatever their weights: n_b is the effective number
        :math:`(\sum w)^2 / \sum w^2`.

    Returns
    -------
    error : float
        In the units of probability, in [0, 1].

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    Notes
    -----
    **Biased upwards**: positive in expectation for calibrated predictions, and larger the fewer rows a bin has. Means over 200
    sets (40 with 50,000 rows) of labels drawn from the predicted probabilities, 10 classes, logits of standard deviation 1.5:

    ======  =======  ===================  ===================  =============  ======
    rows    default  ``"class_wise"``     ``norm="l2"``        and debiased   smooth
    ======  =======  ===================  ===================  =============  ======
    200     .083     .046                 .107                 .027           .053
    1,000   .036     .021                 .047                 .011           .029
    5,000   .017     .010                 .022                 .006           .017
    50,000  .005     .003                 .007                 .002           .008
    ======  =======  ===================  ===================  =============  ======

    Values with different numbers of rows or bins are not comparable. :func:`calibration_test` returns the value expected under
    calibration and a p-value. It is not a proper score: constant predictions of the classes' frequencies have an error of 0.
    Select models by ``cross_entropy_loss``.

    See Also
    --------
    smooth_calibration_error : Without bins.
    calibration_test : The value expected by chance, and a p-value.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks", for the top label. Kull et al. (2019),
    "Beyond temperature scaling", for class-wise. Kumar, Liang & Ma (2019), "Verified Uncertainty Calibration", for the bias.

    Examples
    --------
    Confidence 0.9, accuracy 2/3:

    >>> from sksoftmax.metrics import expected_calibration_error
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]
    >>> round(expected_calibration_error(["a", "a", "a"], proba, labels=["a", "b"]), 4)
    0.2333
    """
    predictions = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    error = BinnedError.of(predictions, kind=kind, strategy=strategy, n_bins=n_bins, norm=norm, debiased=debiased)
    return error(error.events)


@dataclass(frozen=True)
class ReliabilityCurve:
    """Frequencies and mean probabilities of bins; see ``reliability_curve``.

    Attributes
    ----------
    prob_true : ndarray of shape (n_columns, n_bins)
        Frequency of the event; NaN in empty bins.
    prob_pred : ndarray of shape (n_columns, n_bins)
        Mean predicted probability; NaN in empty bins.
    mass : ndarray of shape (n_columns, n_bins)
        Weighted share of the rows; sums to one in each column.
    edges : ndarray of shape (n_columns, n_bins + 1)
        Bin b is ``(edges[b], edges[b + 1]]``.
    """

    prob_true: NDArray[np.float64]
    prob_pred: NDArray[np.float64]
    mass: NDArray[np.float64]
    edges: NDArray[np.float64]


def reliability_curve(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    kind: Kind = "top_label",
    strategy: Literal["uniform", "quantile"] = "uniform",
    n_bins: int = 15,
) -> ReliabilityCurve:
    r"""Return the frequencies :math:`\bar t_b` and mean probabilities :math:`\bar p_b` of each bin.

    The terms of ``expected_calibration_error``; for two classes those of :func:`sklearn.calibration.calibration_curve`.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, kind, strategy, n_bins
        As for ``expected_calibration_error``.

    Returns
    -------
    curve : ReliabilityCurve
        One column for ``kind="top_label"``, one a class for ``kind="class_wise"``.

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    References
    ----------
    DeGroot & Fienberg (1983), "The Comparison and Evaluation of Forecasters".

    Examples
    --------
    >>> from sksoftmax.metrics import reliability_curve
    >>> curve = reliability_curve([0, 0, 1, 1], [[0.8, 0.2], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]], n_bins=4)
    >>> curve.prob_pred.round(3), curve.prob_true.round(3), curve.mass.round(3)
    (array([[  nan,   nan, 0.7  , 0.833]]), array([[nan, nan,  0.,  1.]]), array([[0.  , 0.  , 0.25, 0.75]]))
    """
    predictions = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    error = BinnedError.of(predictions, kind=kind, strategy=strategy, n_bins=n_bins)
    with np.errstate(invalid="ignore"):
        prob_pred = error.proba_sum / error.mass
        prob_true = error.target_sum(error.events) / error.mass
    edges = np.broadcast_to(error.edges, (len(error.mass), n_bins + 1)).copy()
    return ReliabilityCurve(prob_true, prob_pred, error.mass, edges)


class BinnedError:
    """The error as a function of the outcomes; bins and sums of probabilities and weights are computed once."""

    def __init__(self, events: Events, *, strategy: str, n_bins: int, norm: str, debiased: bool) -> None:
        self.events, self.norm, self.debiased = events, norm, debiased
        self._even = strategy == "uniform"
        self.edges = np.linspace(0.0, 1.0, n_bins + 1)[None] if strategy == "uniform" else _quantile_edges(events, n_bins)
        self.mass, self.proba_sum = self._sums(events.proba, events.weight)
        if debiased:
            self.squared_mass, _ = self._sums(events.proba, events.weight**2)

    @classmethod
    def of(
        cls,
        predictions: Predictions,
        *,
        kind: str = "top_label",
        strategy: str = "uniform",
        n_bins: int = 15,
        norm: str = "l1",
        debiased: bool = False,
    ) -> BinnedError:
        """Return the error of predictions; raise a ValueError that names a bad option."""
        check_option("strategy", strategy, STRATEGIES)
        check_option("norm", norm, tuple(NORMS))
        check_count("n_bins", n_bins)
        if debiased and norm != "l2":
            raise ValueError(f"debiased=True needs norm='l2', got norm={norm!r}: only squared differences have a known bias.")
        events = make_events(kind, predictions.proba, predictions.weight, predictions.labels, predictions.target)
        return cls(events, strategy=strategy, n_bins=int(n_bins), norm=norm, debiased=debiased)

    def __call__(self, events: Events) -> float:
        """Return the error for the outcomes of ``events``, whose probabilities and weights must be those of the constructor."""
        target_sum = self.target_sum(events)
        difference = np.divide(self.proba_sum - target_sum, self.mass, out=np.zeros_like(self.mass), where=self.mass > 0)
        weight = self.mass / len(self.mass)
        if not self.debiased:
            return NORMS[self.norm](difference, weight)
        variance, defined = self._frequency_variance(events, target_sum)
        return float(np.sqrt(max(0.0, np.sum(weight * (difference**2 - variance), where=defined))))

    def _frequency_variance(self, events: Events, target_sum: NDArray) -> tuple[NDArray, NDArray[np.bool_]]:
        """Return the estimated sampling variance of each bin's frequency, and where it is defined: in bins of several rows."""
        squares = target_sum if events.target is None else self._sums(events.target**2, events.weight)[1]
        with np.errstate(invalid="ignore"):
            spread = squares / self.mass - (target_sum / self.mass) ** 2
            share = self.squared_mass / self.mass**2  # one over the effective number of rows
        defined = share < 1 - WEIGHT_TOLERANCE  # False where NaN
        return np.divide(spread * share, 1 - share, out=np.zeros_like(share), where=defined), defined

    def target_sum(self, events: Events) -> NDArray[np.float64]:
        """Return the weighted sum of the outcomes in each bin, (n_columns, n_bins)."""
        if events.target is not None:
            return self._sums(events.target, events.weight)[1]
        sums = np.zeros_like(self.mass)
        kernels.bin_label_weights(events.proba, events.labels, events.weight, self.edges, self._even, sums)
        return sums

    def _sums(self, values: NDArray, weight: NDArray) -> tuple[NDArray, NDArray]:
        """Return each bin's weight, and its weighted sum of values, (n_columns, n_bins)."""
        proba = self.events.proba
        sums = np.zeros((proba.shape[1], self.edges.shape[1] - 1, 2))
        kernels.bin_sums(proba, np.asarray(values, dtype=proba.dtype), weight, self.edges, self._even, sums)
        return np.ascontiguousarray(sums[:, :, 0]), np.ascontiguousarray(sums[:, :, 1])


def _quantile_edges(events: Events, n_bins: int) -> NDArray[np.float64]:
    """Return for each column the smallest probabilities that at least the shares 1/n_bins, 2/n_bins, … do not exceed."""
    proba, weight = events.proba, events.weight
    n_rows, n_columns = proba.shape
    edges = np.empty((n_columns, n_bins + 1))
    edges[:, 0], edges[:, -1] = 0.0, 1.0
    equal = weight.min() == weight.max()
    ranks = -(-np.arange(1, n_bins) * n_rows // n_bins) - 1
    shares = np.arange(1, n_bins) / n_bins - WEIGHT_TOLERANCE
    for k in range(n_columns):
        column = proba[:, k]
        if equal:
            edges[k, 1:-1] = np.sort(column)[ranks]
        else:
            order = np.argsort(column)
            edges[k, 1:-1] = column[order[np.searchsorted(np.cumsum(weight[order]), shares)]]
    return edges
