"""Sums over rows of what the likelihood of a temperature is made of, as functions of the inverse temperature."""

import numpy as np

from ._compile import kernel
from .rowwise import exp_nonpositive

# The margins of a row are d_k = z_k - max(z) <= 0, for logits z. At the inverse temperature b = 1 / T its cross-entropy is
#
#   log(sum_k exp(b d_k)) - b sum_k target_k d_k
#
# The second sum does not depend on b: it is taken once (sum_margins), and a pass for a new b (sum_log_partition) sees no
# targets. The first, the log-partition function A, has the cumulants of d under softmax(b d) as its derivatives by b:
#
#   A' = E d,  A'' = E d^2 - (E d)^2,  A''' = E d^3 - 3 E d^2 E d + 2 (E d)^3
#
# A pass takes all three from the same exponentials, which are its cost. They give the caller Halley's step to the root of
# A'(b) = mean target margin, in log b, and the Taylor series that A's value behind the last step is taken from. As A is convex
# there is one root. Newton's step would do without A''' and bisection without A'', both with more passes.
#
# Margins are float64 whatever the logits. The top's term, exp(0) = 1, is left out of the sum of exponentials, as in rowwise.
# A class whose logit is -inf is impossible at every temperature: its exponential is zero, and means under equal probabilities,
# which the caller starts from (b = 0), are over the other classes.
#
# A pass takes as many rows at a time as scratch has, in three loops: margins, with a maximum for each row; exponentials, one
# flat loop that vectorises also for two or three classes; moments of each row. In between they stay in the first-level cache.

_IMPOSSIBLE = -1e90  # a margin that stands for -inf: b times it is beyond every exp, and its cube is finite


@kernel
def _largest_of_few(logits, i):
    """Return the largest logit of row i by one chain of comparisons, beside which the processor begins the next row."""
    largest = logits[i, 0]
    for k in range(1, logits.shape[1]):
        largest = logits[i, k] if logits[i, k] > largest else largest
    return np.float64(largest)


@kernel
def _largest_of_many(logits, i):
    """Return the largest logit of row i by eight chains of comparisons, none of which waits for another."""
    m0 = m1 = m2 = m3 = m4 = m5 = m6 = m7 = logits[i, 0]
    n_tiled = logits.shape[1] - logits.shape[1] % 8
    for k in range(0, n_tiled, 8):
        m0 = logits[i, k] if logits[i, k] > m0 else m0
        m1 = logits[i, k + 1] if logits[i, k + 1] > m1 else m1
        m2 = logits[i, k + 2] if logits[i, k + 2] > m2 else m2
        m3 = logits[i, k + 3] if logits[i, k + 3] > m3 else m3
        m4 = logits[i, k + 4] if logits[i, k + 4] > m4 else m4
        m5 = logits[i, k + 5] if logits[i, k + 5] > m5 else m5
        m6 = logits[i, k + 6] if logits[i, k + 6] > m6 else m6
        m7 = logits[i, k + 7] if logits[i, k + 7] > m7 else m7
    for k in range(n_tiled, logits.shape[1]):
        m0 = logits[i, k] if logits[i, k] > m0 else m0
    return np.float64(max(max(max(m0, m1), max(m2, m3)), max(max(m4, m5), max(m6, m7))))


@kernel
def _fill_margins(logits, i, weight, margins, r):
    """Fill row r of margins with those of row i of logits; with zeros if it has no weight."""
    if weight[i] == 0.0:
        margins[r] = 0.0
        return
    largest = _largest_of_few(logits, i) if logits.shape[1] < 32 else _largest_of_many(logits, i)
    for k in range(logits.shape[1]):
        margin = np.float64(logits[i, k]) - largest
        margins[r, k] = margin if margin > _IMPOSSIBLE else _IMPOSSIBLE


@kernel(fastmath={"reassoc", "contract"})
def _sum_possible(margins):
    """Return the number of possible classes in the one row of margins, the sum of theirs and that of their squares."""
    n_possible = total = squares = 0.0
    for k in range(margins.shape[1]):
        possible = margins[0, k] > _IMPOSSIBLE
        margin = margins[0, k] if possible else 0.0
        n_possible += 1.0 if possible else 0.0
        total += margin
        squares += margin * margin
    return n_possible, total, squares


@kernel
def sum_margins(logits, labels, proba, weight, start, stop, step, margins):
    """Return sums over rows start:stop:step.

    Parameters
    ----------
    logits : (n_rows, n_classes)
    labels, proba : (n_rows,) integers, (n_rows, n_classes)
        Targets: one of the two, the other is empty.
    weight : (n_rows,)
    start, stop, step : int
    margins : (1, n_classes), float64
        Scratch.

    Returns
    -------
    target_sum, mean_sum, square_sum : float
        Weighted sums of the mean margin under the target, and of the mean margin and the mean squared margin under equal
        probabilities of the possible classes.
    n_out_of_range : float
        Number of finite logits so far below their row's largest that they count as impossible.
    least : float
        Least mean margin of a target, at most 0.
    """
    n_classes = logits.shape[1]
    target_sum = mean_sum = square_sum = n_out_of_range = least = 0.0
    for i in range(start, stop, step):
        if weight[i] == 0.0:
            continue
        _fill_margins(logits, i, weight, margins, 0)
        n_possible, total, squares = _sum_possible(margins)
        if n_possible < n_classes:
            for k in range(n_classes):
                if margins[0, k] == _IMPOSSIBLE and logits[i, k] > -np.inf:
                    n_out_of_range += 1.0
        if len(labels) > 0:
            target_margin = margins[0, labels[i]]
        else:
            # Divided by the sum of the probabilities, which is one within rounding only.
            target_margin = proba_sum = 0.0
            for k in range(n_classes):
                if proba[i, k] > 0.0:
                    target_margin += proba[i, k] * margins[0, k]
                    proba_sum += proba[i, k]
            target_margin /= proba_sum
        least = min(least, target_margin)
        target_sum += weight[i] * target_margin
        mean_sum += weight[i] * total / n_possible
        square_sum += weight[i] * squares / n_possible
    return target_sum, mean_sum, square_sum, n_out_of_range, least


@kernel
def _exponentials(margins, inverse_temperature, terms, n):
    """Fill the first n of flat terms with exp(b d), without regard to where rows end: vectorises whatever their length."""
    for j in range(n):
        terms[j] = exp_nonpositive(inverse_temperature * margins[j])


@kernel(fastmath={"reassoc", "contract"})
def _row_moments(margins, terms, r):
    """Return the sum of terms over row r without the top's, and the sums of terms times margins, their squares and cubes."""
    rest = first = second = third = n_top = 0.0
    for k in range(margins.shape[1]):
        margin = margins[r, k]
        # Terms of margin zero are ones and counted apart: the rest keeps its digits, however small it is.
        at_top = margin == 0.0
        n_top += 1.0 if at_top else 0.0
        term = 0.0 if at_top else terms[r, k]
        rest += term
        term *= margin
        first += term
        term *= margin
        second += term
        third += term * margin
    return rest + (n_top - 1.0), first, second, third


@kernel
def sum_log_partition(logits, weight, inverse_temperature, with_value, start, stop, step, margins, terms):
    """Return the weighted sum over rows start:stop:step of log(sum(exp(b d))) and its first three derivatives by b, a tuple.

    The first is zero unless asked for: with few classes and many weights the logarithms take a third of the time. ``margins``
    and ``terms``, (rows, n_classes) and float64, are scratch; together they should fit in the first-level cache.
    """
    value = first = second = third = product = product_weight = 0.0
    n_taken = (stop - start + step - 1) // step
    for begin in range(0, n_taken, len(margins)):
        n_rows = min(len(margins), n_taken - begin)
        for r in range(n_rows):
            _fill_margins(logits, start + (begin + r) * step, weight, margins, r)
        _exponentials(margins.reshape(-1), inverse_temperature, terms.reshape(-1), n_rows * logits.shape[1])
        for r in range(n_rows):
            rest, mean, square, cube = _row_moments(margins, terms, r)
            scale = 1.0 / (1.0 + rest)
            mean *= scale
            square *= scale
            row_weight = weight[start + (begin + r) * step]
            if with_value:
                # One logarithm for many rows of equal weight: of the product of their 1 + rest. Kept is the product less one,
                # of which log1p reads all digits where every rest is small.
                if row_weight != product_weight or product > 1e200:
                    value += product_weight * np.log1p(product)
                    product_weight, product = row_weight, 0.0
                product += rest + product * rest
            first += row_weight * mean
            second += row_weight * (square - mean * mean)
            third += row_weight * (cube * scale - 3.0 * mean * square + 2.0 * mean * mean * mean)
    return value + product_weight * np.log1p(product), first, second, third
