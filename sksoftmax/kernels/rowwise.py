"""Functions of a row of logits: exp, argmax, softmax, log-softmax, log-sum-exp."""

import numpy as np

from ._compile import kernel

# exp by range reduction: with n = round(-x / log 2) and r = x + n log 2, so that |r| <= log(2) / 2, exp(x) = 2^-n exp(r).
#
# - log 2 is taken in two parts (Cody & Waite 1980), the first with so many trailing zeros that n times it is exact: r has the
#   digits that x + n log 2 would lose to cancellation.
# - exp(r) by its Taylor series to r^13 in Horner's scheme: the rest is below 0.35^14 / 14! < 5e-18. A minimax polynomial would
#   save a term or two.
# - 2^-n from a table: it loads one number, where building the exponent's bits would need a cast that plain Python lacks. No
#   table of 2^(j / 32), which shortens the polynomial but has to be gathered for it as well.
#
# A call of the C library's exp would keep LLVM from vectorising the loop around it. x > 0 is never asked for: every caller
# subtracts the largest logit first.
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


# With z_top the largest logit of a row, log-sum-exp is z_top + log(1 + rest) with rest = sum over the others of
# exp(z - z_top), which no logit makes overflow (Blanchard, Higham & Higham 2021, "Accurately computing the log-sum-exp and
# softmax functions"). The term of z_top itself, exp(0) = 1, is left out of the sum, so that log1p(rest) keeps its digits where
# rest is below the rounding of one: the loss of a row whose label is all but certain is about rest, not zero. Log-softmax is
# (z - z_top) - log1p(rest), the loss of a label at the top log1p(rest) alone. Sums are taken in float64.


@kernel
def argmax(logits, i):
    """Return where the largest logit of row i stands, the first of equal ones."""
    top = 0
    for k in range(1, logits.shape[1]):
        if logits[i, k] > logits[i, top]:
            top = k
    return top


@kernel
def sum_exp_rest(logits, i, top):
    """Return the sum of ``exp(logit - largest)`` over row i without the largest logit, which stands at top."""
    rest = 0.0
    for k in range(logits.shape[1]):
        if k != top:
            rest += exp_nonpositive(np.float64(logits[i, k]) - np.float64(logits[i, top]))
    return rest


@kernel
def softmax_row(logits, i, top):
    """Replace row i, whose largest logit stands at top, by its softmax; return its ``sum_exp_rest``."""
    largest = np.float64(logits[i, top])
    # Three loops without a branch, each of which LLVM vectorises: the top is set to zero for the sum.
    for k in range(logits.shape[1]):
        logits[i, k] = exp_nonpositive(np.float64(logits[i, k]) - largest)
    logits[i, top] = 0.0
    rest = 0.0
    for k in range(logits.shape[1]):
        rest += logits[i, k]
    logits[i, top] = 1.0
    scale = 1.0 / (1.0 + rest)
    for k in range(logits.shape[1]):
        logits[i, k] *= scale
    return rest


@kernel
def softmax(logits, n_rows):
    """Replace each of the first n_rows rows of logits by its softmax; NaN for a row of −inf."""
    for i in range(n_rows):
        top = argmax(logits, i)
        if logits[i, top] == -np.inf:
            logits[i] = np.nan
        else:
            softmax_row(logits, i, top)


@kernel
def log_softmax(logits, n_rows):
    """Replace each of the first n_rows rows of logits by its log-softmax; NaN for a row of −inf.

    A finite logit's that is below the lowest finite number becomes that number.
    """
    lowest = _LOWEST_FLOAT32 if logits.itemsize == 4 else _LOWEST_FLOAT64
    for i in range(n_rows):
        top = argmax(logits, i)
        largest = logits[i, top]
        if largest == -np.inf:
            logits[i] = np.nan
            continue
        log_total = np.log1p(sum_exp_rest(logits, i, top))
        for k in range(logits.shape[1]):
            # Halves, since the difference itself may overflow.
            if 0.5 * logits[i, k] - 0.5 * largest >= 0.5 * lowest:
                # Two subtractions: largest + log_total would round the logarithm away beside a huge logit.
                logits[i, k] = (logits[i, k] - largest) - log_total
            elif logits[i, k] > -np.inf:
                logits[i, k] = lowest


@kernel
def logsumexp(logits, out):
    """Fill out with the log-sum-exp of each row of logits; a row of −inf gives −inf."""
    for i in range(logits.shape[0]):
        top = argmax(logits, i)
        largest = logits[i, top]
        out[i] = largest if largest == -np.inf else largest + np.log1p(sum_exp_rest(logits, i, top))
