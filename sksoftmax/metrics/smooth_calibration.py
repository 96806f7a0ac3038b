r"""Calibration error by kernel smoothing, with a bandwidth equal to the error (smECE).

What lives here: ``smooth_calibration_error``, ``smooth_reliability_curve``. What doesn't: errors over bins
(``calibration_errors``).

The kernel, a Gaussian reflected at both ends of [0, 1], is the heat kernel of the interval with insulated ends:

.. math:: K_\sigma(t, p) = 1 + 2 \sum_{k \ge 1} e^{-\sigma^2 k^2 \pi^2 / 2} \cos(k \pi t) \cos(k \pi p)

The discrete cosine transform (DCT-II) of values at the cells' centres diagonalises it. Residuals are divided linearly between
the two nearest cells and transformed once; each bandwidth then takes one product and one inverse transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct, idct
from scipy.optimize import brentq

from ._events import Events, make_events
from ._inputs import Predictions, check_predictions
from .calibration_errors import Kind

# Number of cells of [0, 1]: their width, 1/4096, is less than relevant differences of errors.
N_CELLS = 4096
BANDWIDTH_TOLERANCE = 1e-9
# Least bandwidth of the curve: under a narrower kernel it would follow single rows.
MIN_CURVE_BANDWIDTH = 0.005
# The curve is NaN where the density of predictions is less.
MIN_DENSITY = 1e-4
# Logarithms of the kernel's eigenvalues, divided by σ².
_RATES = -0.5 * (np.pi * np.arange(N_CELLS)) ** 2


def smooth_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    kind: Kind = "top_label",
) -> float:
    r"""Return the calibration error with residuals smoothed at the scale of the error itself (smECE).

    .. math:: \mathrm{smECE}_\sigma = \int_0^1 \Big\lvert \sum_i w_i \, K_\sigma(t, p_i) \, (y_i - p_i) \Big\rvert \, dt

    with the Gaussian kernel of bandwidth σ reflected at 0 and 1, and weights that sum to one, at the unique bandwidth where
    :math:`\mathrm{smECE}_\sigma = \sigma`. It has no bins, is continuous in the predictions, and within constant factors of the
    distance to the nearest calibrated predictions. Smaller is better; 0 for one-hot predictions that are correct; at most 1.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    y_proba : array-like of shape (n_rows, n_classes), float32 or float64
        Predicted probabilities.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, where y_true may lack some of them.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative; 2 counts as the row twice.
    kind : {"top_label", "class_wise"}, default="top_label"
        The error of the largest probability of a row against whether its class is correct, or the mean error of the classes.

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
    Positive in expectation for calibrated predictions: see the table of ``expected_calibration_error``.

    References
    ----------
    Błasiok & Nakkiran (2024), "Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing".

    Examples
    --------
    All predictions are too low by 0.05 on average, which is the error at any bandwidth:

    >>> from sksoftmax.metrics import smooth_calibration_error
    >>> y_true, y_proba = [1, 1, 1, 0], [[0.3, 0.7]] * 4
    >>> round(smooth_calibration_error(y_true, y_proba), 4)
    0.05
    """
    error = SmoothError.of(check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight), kind=kind)
    return error(error.events)


@dataclass(frozen=True)
class SmoothReliabilityCurve:
    """Frequency as a smooth function of probability; see ``smooth_reliability_curve``.

    Attributes
    ----------
    proba : ndarray of shape (n_points,)
        Evenly spaced on (0, 1).
    prob_true : ndarray of shape (n_columns, n_points)
        Smoothed frequency of the event, in [0, 1]; NaN where the density of the predictions is nearly zero.
    density : ndarray of shape (n_columns, n_points)
        Smoothed density of the predictions.
    bandwidth : ndarray of shape (n_columns,)
        Bandwidth of the kernel in each column: the column's smooth calibration error, unless given.
    """

    proba: NDArray[np.float64]
    prob_true: NDArray[np.float64]
    density: NDArray[np.float64]
    bandwidth: NDArray[np.float64]


def smooth_reliability_curve(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    kind: Kind = "top_label",
    bandwidth: float | None = None,
) -> SmoothReliabilityCurve:
    r"""Return the frequency as a smooth function of the probability, by kernel regression.

    .. math:: \bar t(p) = p + \frac{\sum_i w_i K_\sigma(p, p_i) (y_i - p_i)}{\sum_i w_i K_\sigma(p, p_i)}

    The residuals are smoothed, not the outcomes: the curve of calibrated predictions is the diagonal up to its ends, and the
    mean distance to the diagonal, weighted by the density, is the smooth calibration error. Near 0 and 1 the formula can leave
    [0, 1]; the curve is clipped to it, the error is not.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, kind
        As for ``smooth_calibration_error``.
    bandwidth : float, default=None
        Bandwidth of the kernel, positive; by default the column's smooth calibration error, but at least 0.005.

    Returns
    -------
    curve : SmoothReliabilityCurve

    Raises
    ------
    ValueError
        Bad input; the message names it, what was got and what is allowed.

    References
    ----------
    Błasiok & Nakkiran (2024), "Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing".

    Examples
    --------
    >>> from sksoftmax.metrics import smooth_reliability_curve
    >>> curve = smooth_reliability_curve([1, 1, 1, 0], [[0.3, 0.7]] * 4)
    >>> round(float(curve.prob_true[0, abs(curve.proba - 0.7).argmin()]), 2)
    0.75
    """
    if bandwidth is not None and not 0 < bandwidth < np.inf:
        raise ValueError(f"bandwidth must be positive and finite, got {bandwidth!r}.")
    error = SmoothError.of(check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight), kind=kind)
    residuals = error.residuals(error.events)
    widths = np.empty(len(residuals))
    widths[:] = [max(_fixed_point(row), MIN_CURVE_BANDWIDTH) for row in residuals] if bandwidth is None else bandwidth
    proba = (np.arange(N_CELLS) + 0.5) / N_CELLS
    density = np.array([_smooth(*pair) for pair in zip(error.cell_weights(), widths, strict=True)]) * N_CELLS
    residual = np.array([_smooth(*pair) for pair in zip(residuals, widths, strict=True)]) * N_CELLS
    seen = density > MIN_DENSITY
    prob_true = proba + np.divide(residual, density, out=np.full_like(residual, np.nan), where=seen)
    return SmoothReliabilityCurve(proba, np.clip(prob_true, 0, 1), density, widths)


class SmoothError:
    """The error as a function of the outcomes; sums over probabilities and weights are computed once."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self._proba_on_grid = self._on_grid(events.proba)

    @classmethod
    def of(cls, predictions: Predictions, *, kind: str = "top_label") -> SmoothError:
        """Return the error of predictions; raise a ValueError that names a bad option."""
        return cls(make_events(kind, predictions.proba, predictions.weight, predictions.labels, predictions.target))

    def __call__(self, events: Events) -> float:
        """Return the error for the outcomes of ``events``, whose probabilities and weights must be those of the constructor."""
        return float(np.mean([_fixed_point(residual) for residual in self.residuals(events)]))

    def residuals(self, events: Events) -> NDArray[np.float64]:
        """Return the weighted sum of outcome minus probability in each cell of each column, (n_columns, N_CELLS)."""
        if events.target is not None:
            return self._on_grid(events.target) - self._proba_on_grid
        assert events.labels is not None
        rows = np.flatnonzero(events.labels >= 0)
        columns = events.labels[rows]
        weight = self.events.weight[rows]
        return _put_on_grid(self.events.proba[rows, columns], columns, weight, len(self._proba_on_grid)) - self._proba_on_grid

    def cell_weights(self) -> NDArray[np.float64]:
        """Return the weight in each cell of each column, (n_columns, N_CELLS)."""
        return self._on_grid(np.ones_like(self.events.proba))

    def _on_grid(self, values: NDArray) -> NDArray[np.float64]:
        """Return the weighted sum of values in each cell of each column, (n_columns, N_CELLS)."""
        proba, weight = self.events.proba, self.events.weight
        column = np.zeros(len(proba), dtype=np.int64)
        grids = [_put_on_grid(proba[:, k], column, weight * values[:, k], 1) for k in range(proba.shape[1])]
        return np.concatenate(grids)


def _put_on_grid(proba: NDArray, columns: NDArray, amount: NDArray, n_columns: int) -> NDArray[np.float64]:
    """Return the amounts summed in cells of [0, 1], each divided linearly between the two cells nearest to its probability.

    The centres are (j + 1/2) / N_CELLS; amounts beyond the outermost centres are added to these, as by the reflection.
    """
    position = np.clip(proba.astype(np.float64) * N_CELLS - 0.5, 0, N_CELLS - 1)
    below = np.minimum(position.astype(np.int64), N_CELLS - 2)
    upper = amount * (position - below)
    flat = columns * np.int64(N_CELLS) + below
    size = n_columns * N_CELLS
    grid = np.zeros(size)
    grid += np.bincount(flat, amount - upper, size)
    grid += np.bincount(flat + 1, upper, size)
    return grid.reshape(n_columns, N_CELLS)


def _smooth(values: NDArray, bandwidth: float) -> NDArray[np.float64]:
    """Return one column's cells, smoothed by the reflected Gaussian kernel."""
    return idct(dct(values, norm="ortho") * np.exp(_RATES * bandwidth**2), norm="ortho")


def _fixed_point(residual: NDArray) -> float:
    """Return the σ for which smECE_σ = σ."""
    # Smoothing is a convolution with a density: it does not increase the sum of absolute values, and K_σ for a larger σ is K
    # for a smaller one, smoothed further. So smECE_σ - σ decreases strictly, from at least 0 at σ = 0 to at most 0 at σ = 1,
    # since |residuals| sum to at most one: the root is unique and bracketed.
    spectrum = dct(residual, norm="ortho")

    def excess(bandwidth: float) -> float:
        return float(np.abs(idct(spectrum * np.exp(_RATES * bandwidth**2), norm="ortho")).sum()) - bandwidth

    return float(brentq(excess, 0.0, 1.0 + BANDWIDTH_TOLERANCE, xtol=BANDWIDTH_TOLERANCE))
