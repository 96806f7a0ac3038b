r"""The likelihood as a function of the temperature, and its maximum.

What lives here: ``fit_temperature`` for every calibrator that begins with a temperature. What doesn't: estimators, and the
loops over rows (``kernels``).

With the gaps :math:`d_{ik} = z_{ik} - \max_j z_{ij}` and :math:`b = 1/T` the mean loss is :math:`A(b) - b S`, where
:math:`A(b) = \sum_i w_i \log \sum_k e^{b d_{ik}}` and S is the mean gap of the targets. It is convex, and least where the mean
gap that the model expects, :math:`A'(b)`, is S; neither is positive. Solved is :math:`\log(A'(b) / S) = 0` in :math:`\log b`,
nearly a straight line where the loss itself bends sharply, by Halley's method (Newton's with a second derivative) inside a
bracket.

A classifier that gives the truth a probability of :math:`e^{-10^9}` in one row fixes T with that row alone. Where a row like
that, or probabilities that sharp, may have decided, the temperature is also found for probabilities with a little of the
uniform distribution mixed in, which bounds what a row can say. Of the two that is kept which gives the greater likelihood to
targets smoothed as if one more row's weight were spread evenly over the classes. Always to mix would cost decision values of
a large scale, whose gaps beyond 16 still tell how sure the classifier is.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, pairwise
from math import exp, frexp, inf, ldexp, log, log1p, sqrt
from sys import float_info

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from ..kernels import temperature as kernels
from ..losses import Targets
from ..threads import map_in_order, run_in_pool
from ._mixing import mix_uniform

MAX_SEGMENTS = 16
# Logits that a segment has at least: their exponentials take longer than handing them to a thread.
SEGMENT_SIZE = 2**16
# Two scratch arrays of this many numbers share the first-level cache of a core.
BLOCK_SIZE = 2**10
# Every SAMPLE_STEP-th row gives the start, if that leaves SAMPLE_ROWS of them.
SAMPLE_STEP, SAMPLE_ROWS = 16, 500
MAX_ITER = 100
MAX_STEP = 3.0  # of log(b)
# The share of the uniform distribution; mixed in only if T is above TOO_SURE without it, or rows are all but certain.
MIXING, TOO_SURE = 1e-6, 4.0
# Steps converge cubically: what is left after the last one is below the sample's error, or below rounding.
LAST_SAMPLE_STEP, LAST_STEP = 1e-1, 1e-5
MAYBE_LAST = 0.1  # the step after one this small may be the last
# Logits that tell nothing are flattened until the mean square of their gaps is that of this.
FLAT_GAP = 1e-6
# A difference of mean gaps relative to them that may be rounding.
ROUNDING = 1e-13
# Logits beyond these are first brought to about one: cubes of gaps must be numbers.
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
    fault : str or None
        Why the likelihood has no single maximum, if it has none.
    """

    temperature: float
    loss: float
    mixing: float
    n_iter: int
    fault: str | None = None


def fit_temperature(logits: NDArray, targets: Targets, total_weight: float, *, smoothing: float = 0.0) -> Optimum:
    """Return the temperature that gives the targets the greatest likelihood; the same bits for any number of threads.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64
        C-contiguous; −inf only where a row has no target, or no weight.
    targets : Targets
    total_weight : float
        What the rows' weights summed to.
    smoothing : float, default=0.0
        In [0, 1): this share of every row's target is spread evenly over its possible classes.
    """
    n_threads = _openmp_effective_n_threads() if logits.size >= 2 * SEGMENT_SIZE else 1

    def solve(pool: ThreadPoolExecutor | None) -> Optimum:
        rows = _Rows(logits, targets, pool=pool, n_threads=n_threads)
        gaps = rows.gaps()
        least, exponent = gaps.least, 0
        if gaps.beyond or not SMALLEST**2 < gaps.square < LARGEST**2:
            exponent = frexp(float(np.abs(logits).max(where=np.isfinite(logits), initial=0)))[1] - 1
            rows = _Rows(np.ldexp(logits, -exponent), targets, pool=pool, n_threads=n_threads)
            gaps = rows.gaps()
        b, loss, n_iter, fault = _maximise(rows, gaps, total_weight, smoothing, ldexp(1.0, exponent))
        temperature = min(max(2.0**exponent / b, float_info.min), float_info.max)
        given = Optimum(temperature, loss, 0.0, n_iter, fault)
        lowest = log(MIXING / logits.shape[1])
        if not (least < lowest and temperature > TOO_SURE) and not b * gaps.uniform < lowest:
            return given
        rows = _Rows(mix_uniform(logits, MIXING), targets, pool=pool, n_threads=n_threads)
        mixed = rows.gaps()
        mixed_b, loss, n_iter, fault = _maximise(rows, mixed, total_weight, smoothing, 1.0)
        one_row = 1 / (total_weight + 1)
        if loss + mixed.smoothing_cost(mixed_b, one_row) < given.loss + gaps.smoothing_cost(b, one_row):
            return Optimum(1 / mixed_b, loss, MIXING, given.n_iter + n_iter, fault)
        return replace(given, n_iter=given.n_iter + n_iter)

    return run_in_pool(n_threads, solve)


def _maximise(
    rows: _Rows, gaps: _Gaps, total_weight: float, smoothing: float, one: float
) -> tuple[float, float, int, str | None]:
    """Return b, the mean loss there, the number of passes and the fault; one is the b of the temperature 1."""
    goal = gaps.goal(smoothing)
    if gaps.regular(goal):
        b, value, n_iter = _solve(rows.log_partition, goal, _start(rows, gaps, smoothing), LAST_STEP)
        return b, value - b * gaps.target, n_iter, None
    n_iter = 0
    if gaps.uniform == 0:
        b, fault = one, CONSTANT
    elif goal < 0:
        b, fault = min(FLAT_GAP / sqrt(gaps.square), one), USELESS
    else:
        # As if the weight of one row more were spread evenly; but no temperature above 1, which would be worse than 1.
        goal = gaps.goal(1 / (total_weight + 1))
        b, _, n_iter = _solve(rows.log_partition, goal, gaps.start(goal), LAST_STEP)
        b, fault = max(b, one), SEPARATED
    return b, rows.log_partition(b, True)[0] - b * gaps.target, n_iter + 1, fault


def _start(rows: _Rows, gaps: _Gaps, smoothing: float) -> float:
    """Return a b to start from: the optimum of a sample of the rows, if they are many, else a step from equal ones."""
    if rows.n_rows >= SAMPLE_ROWS * SAMPLE_STEP:
        sample = rows.sample(SAMPLE_STEP)
        its_gaps = sample.gaps()
        goal = its_gaps.goal(smoothing)
        if its_gaps.regular(goal):
            return _solve(sample.log_partition, goal, its_gaps.start(goal), LAST_SAMPLE_STEP)[0]
    return gaps.start(gaps.goal(smoothing))


def _solve(
    log_partition: Callable[[float, bool], tuple[float, float, float, float]], goal: float, b: float, last_step: float
) -> tuple[float, float, int]:
    """Return b where A' is the goal, A there, and the number of evaluations."""
    low, high, change = 0.0, inf, inf
    for n_iter in count(1):
        # Only the last value is wanted; that step is seldom the first.
        with_value = abs(change) <= MAYBE_LAST * b or n_iter == MAX_ITER
        value, first, second, third = log_partition(b, with_value)
        low, high = (b, high) if first < goal else (low, b)
        new = b * exp(_log_step(b, first, second, third, goal))
        if not low <= new <= high:
            new = sqrt(low) * sqrt(high)
        change = new - b
        if (abs(change) <= last_step * b and (with_value or last_step > LAST_STEP)) or n_iter == MAX_ITER:
            break
        b = new
    # The Taylor series is exact to rounding for so small a step.
    return new, value + change * (first + change * (second / 2 + change * third / 6)), n_iter


def _log_step(b: float, first: float, second: float, third: float, goal: float) -> float:
    """Return Halley's step of log(b) towards log(first / goal) = 0, Newton's where that is not to be trusted."""
    if first == 0 or second <= 0:  # b is so large that all underflows
        return -MAX_STEP
    height = log(first / goal) if first > 2 * goal or first < goal / 2 else log1p((first - goal) / goal)
    slope = b * second / first
    bend = slope + b * b * (third / first - (second / first) ** 2)
    shrink = 1 - height * bend / (2 * slope * slope)
    step = -height / slope / (shrink if shrink > 0.5 else 1.0)
    return min(max(step, -MAX_STEP), MAX_STEP)


@dataclass(frozen=True)
class _Gaps:
    """Weighted means over rows: the targets' gap, the gap and its square under equal probabilities; what was beyond numbers.

    And the least gap that a row's target has.
    """

    target: float
    uniform: float
    square: float
    beyond: float
    least: float

    def smoothing_cost(self, b: float, smoothing: float) -> float:
        """Return by how much smoothing the targets raises the mean loss at b."""
        return b * smoothing * (self.target - self.uniform)

    def goal(self, smoothing: float) -> float:
        """Return the mean gap that the smoothed targets have."""
        return (1 - smoothing) * self.target + smoothing * self.uniform

    def regular(self, goal: float) -> bool:
        """Return whether there is one positive finite b whose mean gap is the goal."""
        return self.uniform * (1 - ROUNDING) < goal < 0

    def start(self, goal: float) -> float:
        """Return the first step of Newton's method from b = 0."""
        return (goal - self.uniform) / (self.square - self.uniform**2)


class _Rows:
    """Sums over every step-th row of one data set."""

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

    def gaps(self) -> _Gaps:
        """Return all that does not depend on the temperature."""
        targets = self._targets
        labels = np.empty(0, dtype=np.int32) if targets.labels is None else targets.labels
        proba = np.empty((0, 0), dtype=self._logits.dtype) if targets.proba is None else targets.proba

        def of(segment: tuple[int, int]) -> tuple[float, ...]:
            scratch = np.empty((1, self._n_classes))
            return kernels.sum_gaps(self._logits, labels, proba, targets.weight, *segment, self._step, scratch)

        parts = np.array(list(map_in_order(self._pool, self._n_threads, of, self._segments)))
        target, uniform, square = (parts[:, :3].sum(axis=0) / self._weight()).tolist()
        return _Gaps(target, uniform, square, float(parts[:, 3].sum()), float(parts[:, 4].min()))

    def log_partition(self, b: float, with_value: bool) -> tuple[float, float, float, float]:
        """Return A(b), or zero if it is not wanted, and its first three derivatives."""

        def of(segment: tuple[int, int]) -> tuple[float, ...]:
            shape = max(BLOCK_SIZE // self._n_classes, 1), self._n_classes
            scratch = np.empty(shape), np.empty(shape)
            return kernels.sum_log_partition(self._logits, self._targets.weight, b, with_value, *segment, self._step, *scratch)

        parts = np.array(list(map_in_order(self._pool, self._n_threads, of, self._segments)))
        return tuple((parts.sum(axis=0) / self._weight()).tolist())

    def _weight(self) -> float:
        return float(self._targets.weight[:: self._step].sum())
