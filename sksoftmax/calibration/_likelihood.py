r"""The likelihood as a function of the temperature, and its maximum.

What lives here: ``fit_temperature`` for every calibrator that begins with a temperature. What doesn't: estimators, and the
loops over rows (``kernels``).

With the margins :math:`d_{ik} = z_{ik} - \max_j z_{ij} \le 0` and :math:`b = 1/T` the mean loss is :math:`A(b) - b S`, where
:math:`A(b) = \sum_i w_i \log \sum_k e^{b d_{ik}}` and S is the mean margin of the targets. It is convex, and least where the
mean margin under the model, :math:`A'(b)`, equals S; neither is positive. The equation solved is :math:`\log(A'(b) / S) = 0` in
:math:`\log b`, which is nearly linear where the loss itself is not, by Halley's method (Newton's with a second derivative)
inside a bracket.

A row to which a classifier gives a probability of :math:`e^{-10^9}` for the true class determines T alone. Where such a row, or
probabilities that sharp, may have done so, the temperature is also fitted to probabilities mixed with a small share of the
uniform distribution, which bounds the influence of a row. Of the two fits the one with the greater likelihood is kept, the
targets smoothed as if the weight of one more row were spread evenly over the classes. Mixing always would lose information in
decision values of a large scale, where margins below -16 still distinguish degrees of confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, pairwise
from math import exp, frexp, inf, ldexp, log, sqrt
from sys import float_info

import numpy as np
from numpy.typing import NDArray

from ..data.threads import effective_n_threads, map_in_order, run_in_pool
from ..kernels import temperature as kernels
from ..losses import Targets
from ._mixing import mix_uniform

MAX_SEGMENTS = 16
# Least number of logits in a segment, whose exponentials take longer than starting a task in another thread.
SEGMENT_SIZE = 2**16
# Size of each of two scratch arrays, which fit into a core's first-level cache together.
BLOCK_SIZE = 2**10
# The initial value is the optimum of every SAMPLE_STEP-th row, if these are at least SAMPLE_ROWS.
SAMPLE_STEP, SAMPLE_ROWS = 16, 500
MAX_ITER = 100
MAX_STEP = 3.0  # of log(b)
# Share of the uniform distribution; considered only for T above OVERCONFIDENT without it, or for nearly certain rows.
MIXING, OVERCONFIDENT = 1e-6, 4.0
# Convergence is cubic: the error after a step of this relative size is below the sample's error, or below rounding.
SAMPLE_STEP_TOL, STEP_TOL = 1e-1, 1e-5
VALUE_STEP = 0.1  # after a relative step this small the next pass also computes the value
# Uninformative logits are scaled until the root mean square of their margins is this.
FLAT_MARGIN = 1e-6
# Relative difference of mean margins that may be a rounding error.
ROUNDING = 1e-13
# Margins outside this range are first scaled to about one, so that their cubes neither overflow nor underflow.
SMALLEST, LARGEST = 1e-60, 1e60

SEPARATED = "every row's class has the largest logit, so that the likelihood grows as the temperature falls to zero"
USELESS = "the logits predict no better than equal ones, so that the likelihood grows with the temperature"
CONSTANT = "the logits of every row are all equal, so that the likelihood is the same for every temperature"


@dataclass(frozen=True)
class Optimum:
    """The temperature of the greatest likelihood.

    Attributes
    ----------
    temperature : float
        Positive and finite.
    loss : float
        Mean cross-entropy at it of the targets as they were given, in nats.
    mixing : float
        Share of the uniform distribution to be mixed into the probabilities before the temperature: ``MIXING`` or 0.
    n_iter : int
        Passes over all rows.
    degenerate_reason : str or None
        Why the likelihood has no unique maximum at a positive finite temperature; None if it has one.
    """

    temperature: float
    loss: float
    mixing: float
    n_iter: int
    degenerate_reason: str | None = None


def fit_temperature(logits: NDArray, targets: Targets, total_weight: float, *, smoothing: float = 0.0) -> Optimum:
    """Return the temperature that gives the targets the greatest likelihood; the same bits for any number of threads.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64
        C-contiguous; −inf only where a row has no target, or no weight.
    targets : Targets
    total_weight : float
        Sum of the sample weights before normalisation.
    smoothing : float, default=0.0
        In [0, 1): this share of every row's target is spread evenly over its possible classes.
    """
    n_threads = effective_n_threads() if logits.size >= 2 * SEGMENT_SIZE else 1

    def solve(pool: ThreadPoolExecutor | None) -> Optimum:
        rows = _Rows(logits, targets, pool=pool, n_threads=n_threads)
        margins = rows.margins()
        least, exponent = margins.least, 0
        if margins.n_out_of_range or not SMALLEST**2 < margins.square < LARGEST**2:
            exponent = frexp(float(np.abs(logits).max(where=np.isfinite(logits), initial=0)))[1] - 1
            rows = _Rows(np.ldexp(logits, -exponent), targets, pool=pool, n_threads=n_threads)
            margins = rows.margins()
        b, loss, n_iter, degenerate_reason = _maximise(rows, margins, total_weight, smoothing, ldexp(1.0, exponent))
        temperature = min(max(2.0**exponent / b, float_info.min), float_info.max)
        given = Optimum(temperature, loss, 0.0, n_iter, degenerate_reason)
        lowest = log(MIXING / logits.shape[1])
        if not (least < lowest and temperature > OVERCONFIDENT) and not b * margins.uniform < lowest:
            return given
        rows = _Rows(mix_uniform(logits, MIXING), targets, pool=pool, n_threads=n_threads)
        mixed = rows.margins()
        mixed_b, loss, n_iter, degenerate_reason = _maximise(rows, mixed, total_weight, smoothing, 1.0)
        one_row = 1 / (total_weight + 1)
        if loss + mixed.smoothing_cost(mixed_b, one_row) < given.loss + margins.smoothing_cost(b, one_row):
            return Optimum(1 / mixed_b, loss, MIXING, given.n_iter + n_iter, degenerate_reason)
        return replace(given, n_iter=given.n_iter + n_iter)

    return run_in_pool(n_threads, solve)


def _maximise(
    rows: _Rows, margins: _Margins, total_weight: float, smoothing: float, unit_b: float
) -> tuple[float, float, int, str | None]:
    """Return b, the mean loss at it, the number of passes, and the reason if the maximum is degenerate; T = 1 is at unit_b."""
    target_margin = margins.target_mean_margin(smoothing)
    if margins.regular(target_margin):
        b, value, n_iter = _solve(rows.log_partition, target_margin, _start(rows, margins, smoothing), STEP_TOL)
        return b, value - b * margins.target, n_iter, None
    n_iter = 0
    if margins.uniform == 0:
        b, degenerate_reason = unit_b, CONSTANT
    elif target_margin < 0:
        b, degenerate_reason = min(FLAT_MARGIN / sqrt(margins.square), unit_b), USELESS
    else:
        # Targets smoothed by one more row of equal probabilities; T is at most 1, above which the likelihood is less than at 1.
        target_margin = margins.target_mean_margin(1 / (total_weight + 1))
        b, _, n_iter = _solve(rows.log_partition, target_margin, margins.start(target_margin), STEP_TOL)
        b, degenerate_reason = max(b, unit_b), SEPARATED
    return b, rows.log_partition(b, True)[0] - b * margins.target, n_iter + 1, degenerate_reason


def _start(rows: _Rows, margins: _Margins, smoothing: float) -> float:
    """Return the initial b: the optimum of a sample if there are many rows, else one Newton step from b = 0."""
    if rows.n_rows >= SAMPLE_ROWS * SAMPLE_STEP:
        sample = rows.sample(SAMPLE_STEP)
        sample_margins = sample.margins()
        target_margin = sample_margins.target_mean_margin(smoothing)
        if sample_margins.regular(target_margin):
            b, _, _ = _solve(sample.log_partition, target_margin, sample_margins.start(target_margin), SAMPLE_STEP_TOL)
            return b
    return margins.start(margins.target_mean_margin(smoothing))


def _solve(
    log_partition: Callable[[float, bool], tuple[float, float, float, float]], target_margin: float, b: float, step_tol: float
) -> tuple[float, float, int]:
    """Return the b at which A'(b) is the target margin, A(b), and the number of evaluations."""
    low, high, change = 0.0, inf, inf
    for n_iter in count(1):
        # Only the last value of A is needed: it is computed when this step may be the last.
        with_value = abs(change) <= VALUE_STEP * b or n_iter == MAX_ITER
        value, first, second, third = log_partition(b, with_value)
        low, high = (b, high) if first < target_margin else (low, b)
        new = b * exp(_log_step(b, first, second, third, target_margin))
        if not low <= new <= high:
            new = sqrt(low) * sqrt(high)
        change = new - b
        if (abs(change) <= step_tol * b and (with_value or step_tol > STEP_TOL)) or n_iter == MAX_ITER:
            break
        b = new
    # The Taylor series is exact to rounding for so small a step.
    return new, value + change * (first + change * (second / 2 + change * third / 6)), n_iter


def _log_step(b: float, first: float, second: float, third: float, target_margin: float) -> float:
    """Return Halley's step of log(b) to the root of f = log(A' / target margin); Newton's where Halley's divisor is small.

    With the derivatives f' (f1) and f'' (f2) by log(b) Halley's step is -(f / f') / (1 - f f'' / (2 f'^2)).
    """
    if first == 0 or second <= 0:  # b is so large that all underflows
        return -MAX_STEP
    f = log(first / target_margin)
    f1 = b * second / first
    f2 = f1 + b * b * (third / first - (second / first) ** 2)
    divisor = 1 - f * f2 / (2 * f1 * f1)
    step = -f / f1 / (divisor if divisor > 0.5 else 1.0)
    return min(max(step, -MAX_STEP), MAX_STEP)


@dataclass(frozen=True)
class _Margins:
    """Statistics of the margins that do not depend on the temperature.

    Attributes
    ----------
    target : float
        Weighted mean over rows of the targets' margin, S without smoothing; at most 0.
    uniform, square : float
        Weighted means over rows of the mean margin and the mean squared margin of the row's possible classes: A' and A'' + A'^2
        at b = 0, where a row's probabilities are equal.
    n_out_of_range : float
        Number of finite logits so far below their row's largest that they count as impossible.
    least : float
        The least margin of a row's target.
    """

    target: float
    uniform: float
    square: float
    n_out_of_range: float
    least: float

    def smoothing_cost(self, b: float, smoothing: float) -> float:
        """Return the increase of the mean loss at b when the targets are smoothed."""
        return b * smoothing * (self.target - self.uniform)

    def target_mean_margin(self, smoothing: float) -> float:
        """Return the mean margin of the smoothed targets."""
        return (1 - smoothing) * self.target + smoothing * self.uniform

    def regular(self, target_margin: float) -> bool:
        """Return whether a unique positive finite b has A'(b) equal to the target margin."""
        return self.uniform * (1 - ROUNDING) < target_margin < 0

    def start(self, target_margin: float) -> float:
        """Return the first iterate of Newton's method from b = 0."""
        return (target_margin - self.uniform) / (self.square - self.uniform**2)


class _Rows:
    """Logits and targets of every step-th row, and sums over them, in segments for threads."""

    def __init__(
        self, logits: NDArray, targets: Targets, *, pool: ThreadPoolExecutor | None, n_threads: int, step: int = 1
    ) -> None:
        self._logits = logits.view()
        self._logits.flags.writeable = False  # read-only and writeable arrays share a compiled kernel
        self._targets, self._step = targets, step
        self._pool, self._n_threads = pool, n_threads
        self.n_rows, self._n_classes = logits.shape
        n_segments = max(min(MAX_SEGMENTS, logits.size // step // SEGMENT_SIZE), 1)
        n_taken = -(-self.n_rows // step)
        starts = [step * (n_taken * i // n_segments) for i in range(n_segments)]
        self._segments = list(pairwise([*starts, self.n_rows]))

    def sample(self, step: int) -> _Rows:
        """Return every step-th of these rows."""
        return _Rows(self._logits, self._targets, pool=self._pool, n_threads=self._n_threads, step=step)

    def margins(self) -> _Margins:
        """Return the statistics of the margins."""
        targets = self._targets
        labels = np.empty(0, dtype=np.int32) if targets.labels is None else targets.labels
        proba = np.empty((0, 0), dtype=self._logits.dtype) if targets.proba is None else targets.proba

        def segment_sums(segment: tuple[int, int]) -> tuple[float, ...]:
            scratch = np.empty((1, self._n_classes))
            return kernels.sum_margins(self._logits, labels, proba, targets.weight, *segment, self._step, scratch)

        parts = np.array(list(map_in_order(self._pool, self._n_threads, segment_sums, self._segments)))
        target, uniform, square = (parts[:, :3].sum(axis=0) / self._weight()).tolist()
        return _Margins(target, uniform, square, float(parts[:, 3].sum()), float(parts[:, 4].min()))

    def log_partition(self, b: float, with_value: bool) -> tuple[float, float, float, float]:
        """Return A(b), or zero without with_value, and the first three derivatives of A at b."""

        def segment_sums(segment: tuple[int, int]) -> tuple[float, ...]:
            shape = max(BLOCK_SIZE // self._n_classes, 1), self._n_classes
            scratch = np.empty(shape), np.empty(shape)
            return kernels.sum_log_partition(self._logits, self._targets.weight, b, with_value, *segment, self._step, *scratch)

        parts = np.array(list(map_in_order(self._pool, self._n_threads, segment_sums, self._segments)))
        return tuple((parts.sum(axis=0) / self._weight()).tolist())

    def _weight(self) -> float:
        return float(self._targets.weight[:: self._step].sum())
