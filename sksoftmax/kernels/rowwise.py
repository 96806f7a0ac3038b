"""Functions of a row of logits: exp, argmax, softmax, log-softmax, log-sum-exp."""

import numpy as np

from ._compile import kernel

# exp(x) = 2^-n * exp(r) with x = r - n log 2 and |r| <= log(2) / 2: log 2 in two parts, so that n times the first is exact,
# and powers of two from a table, since a loop over a call of the C library's exp cannot be vectorised.
_HALVINGS = 0.5 ** np.arange(1100.0)
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_INVERSE_LOG2 = 1.4426950408889634
_LOWEST = -760.0  # where exp has long been zero
_LOWEST_FLOAT32, _LOWEST_FLOAT64 = float(np.finfo(np.float32).min), float(np.finfo(np.float64).min)


@kernel(fastmath={"contract"})
def exp_nonpositive(x):
    """Return exp(x) for x ≤ 0 to about one unit in the last place; zero below the smallest normal number, and for NaN."""
    x = x if x > _LOWEST else _LOWEST
    n = np.int32(0.5 - x * _INVERSE_LOG2)
    r = (x + n * _LOG2_HIGH) + n * _LOG2_LOW
    # The Taylor series to r^13 is exact to rounding for |r| <= 0.35.
    tail = r * (1 / 6227020800.0) + 1 / 479001600.0
    tail = tail * r + 1 / 39916800.0
    tail = tail * r + 1 / 3628800.0
    tail = tail * r + 1 / 362880.0
    tail = tail * r + 1 / 40320.0
    tail = tail * r + 1 / 5040.0
    tail = tail * r + 1 / 720.0
    tail = tail * r + 1 / 120.0
    tail = tail * r + 1 / 24.0
    tail = tail * r + 1 / 6.0
    tail = tail * r + 1 / 2.0
    return (tail * r * r + r + 1.0) * _HALVINGS[np.uint32(n)]


@kernel
def argmax(logits, i):
    """Return where the largest logit of row i stands."""
    leader = 0
    for k in range(1, logits.shape[1]):
        if logits[i, k] > logits[i, leader]:
            leader = k
    return leader


@kernel
def sum_exp_rest(logits, i, leader):
    """Return the sum of ``exp(logit - largest)`` over row i without the leader, whose term is one.

    Kept apart from the one, so that log1p of it is exact where the leader's probability rounds to one.
    """
    rest = 0.0
    for k in range(logits.shape[1]):
        if k != leader:
            rest += exp_nonpositive(np.float64(logits[i, k]) - np.float64(logits[i, leader]))
    return rest


@kernel
def softmax_row(logits, i, leader):
    """Replace row i by its softmax; return ``sum_exp_rest`` of it."""
    largest = np.float64(logits[i, leader])
    for k in range(logits.shape[1]):
        logits[i, k] = exp_nonpositive(np.float64(logits[i, k]) - largest)
    logits[i, leader] = 0.0
    rest = 0.0
    for k in range(logits.shape[1]):
        rest += logits[i, k]
    logits[i, leader] = 1.0
    scale = 1.0 / (1.0 + rest)
    for k in range(logits.shape[1]):
        logits[i, k] *= scale
    return rest


@kernel
def softmax(logits, n_rows):
    """Replace each of the first n_rows rows of logits by its softmax; NaN for a row of −inf."""
    for i in range(n_rows):
        leader = argmax(logits, i)
        if logits[i, leader] == -np.inf:
            logits[i] = np.nan
        else:
            softmax_row(logits, i, leader)


@kernel
def log_softmax(logits, n_rows):
    """Replace each of the first n_rows rows of logits by its log-softmax; NaN for a row of −inf.

    What is below all numbers, of a finite logit, becomes the lowest one.
    """
    lowest = _LOWEST_FLOAT32 if logits.itemsize == 4 else _LOWEST_FLOAT64
    for i in range(n_rows):
        leader = argmax(logits, i)
        largest = logits[i, leader]
        if largest == -np.inf:
            logits[i] = np.nan
            continue
        log_total = np.log1p(sum_exp_rest(logits, i, leader))
        for k in range(logits.shape[1]):
            # Halves, since the gap itself may be beyond all numbers.
            if 0.5 * logits[i, k] - 0.5 * largest >= 0.5 * lowest:
                # Two subtractions: largest + log_total would round the logarithm away beside a huge logit.
                logits[i, k] = (logits[i, k] - largest) - log_total
            elif logits[i, k] > -np.inf:
                logits[i, k] = lowest


@kernel
def logsumexp(logits, out):
    """Fill out with the log-sum-exp of each row of logits; a row of −inf gives −inf."""
    for i in range(logits.shape[0]):
        leader = argmax(logits, i)
        largest = logits[i, leader]
        out[i] = largest if largest == -np.inf else largest + np.log1p(sum_exp_rest(logits, i, leader))
