"""Temperature: sums over rows of functions of one inverse temperature."""

import numpy as np

from ._compile import kernel
from .rowwise import exp_nonpositive

# With gaps d of a row's logits to its largest and inverse temperature b, the row's cross-entropy is log(sum(exp(b d))) less
# b times the target's mean gap. That mean does not depend on b, so that it is summed once, and passes know no targets.

_IMPOSSIBLE = -1e90  # a gap that stands for -inf: b times it is beyond every exp, and its cube is finite


@kernel
def _largest_of_few(logits, i):
    """Return the largest logit of row i: while its maximum waits for itself, the processor begins the next row."""
    largest = logits[i, 0]
    for k in range(1, logits.shape[1]):
        largest = logits[i, k] if logits[i, k] > largest else largest
    return np.float64(largest)


@kernel
def _largest_of_many(logits, i):
    """Return the largest logit of row i, of eight maxima that wait side by side."""
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
def _fill_gaps(logits, i, weight, gaps, r):
    """Fill row r of gaps with those of row i of logits to its largest; with zeros if it has no weight."""
    if weight[i] == 0.0:
        gaps[r] = 0.0
        return
    largest = _largest_of_few(logits, i) if logits.shape[1] < 32 else _largest_of_many(logits, i)
    for k in range(logits.shape[1]):
        gap = np.float64(logits[i, k]) - largest
        gaps[r, k] = gap if gap > _IMPOSSIBLE else _IMPOSSIBLE


@kernel(fastmath={"reassoc", "contract"})
def _row_gaps(gaps):
    """Return the number of possible classes in the one row of gaps, their sum and their sum of squares."""
    n_possible = total = squares = 0.0
    for k in range(gaps.shape[1]):
        possible = gaps[0, k] > _IMPOSSIBLE
        gap = gaps[0, k] if possible else 0.0
        n_possible += 1.0 if possible else 0.0
        total += gap
        squares += gap * gap
    return n_possible, total, squares


@kernel
def sum_gaps(logits, labels, proba, weight, start, stop, step, gaps):
    """Return weighted sums over rows start:stop:step, a tuple.

    The mean gap under the target, the mean and the mean square under equal probabilities of the possible classes, the number
    of finite logits so far below the row's largest that they count as impossible, and, not a sum, the least gap of a target.
    ``labels`` is empty if the targets are rows of class probabilities, ``proba`` if they are labels; ``gaps``, (1, n_classes)
    and float64, is scratch.
    """
    n_classes = logits.shape[1]
    target_sum = mean_sum = square_sum = beyond = least = 0.0
    for i in range(start, stop, step):
        if weight[i] == 0.0:
            continue
        _fill_gaps(logits, i, weight, gaps, 0)
        n_possible, total, squares = _row_gaps(gaps)
        if n_possible < n_classes:
            for k in range(n_classes):
                if gaps[0, k] == _IMPOSSIBLE and logits[i, k] > -np.inf:
                    beyond += 1.0
        if len(labels) > 0:
            target = gaps[0, labels[i]]
        else:
            target = mass = 0.0
            for k in range(n_classes):
                if proba[i, k] > 0.0:
                    target += proba[i, k] * gaps[0, k]
                    mass += proba[i, k]
            target /= mass
        least = min(least, target)
        target_sum += weight[i] * target
        mean_sum += weight[i] * total / n_possible
        square_sum += weight[i] * squares / n_possible
    return target_sum, mean_sum, square_sum, beyond, least


@kernel
def _exponentials(gaps, inverse_temperature, terms, n):
    """Fill the first n of flat terms with exp(b d), without regard to where rows end: vectorises whatever their length."""
    for j in range(n):
        terms[j] = exp_nonpositive(inverse_temperature * gaps[j])


@kernel(fastmath={"reassoc", "contract"})
def _row_moments(gaps, terms, r):
    """Return the sum of terms over row r less a leader's one, and the sums of terms times gaps, their squares and cubes."""
    rest = first = second = third = n_leaders = 0.0
    for k in range(gaps.shape[1]):
        gap = gaps[r, k]
        # A leader's term is one and stays apart: the rest keeps its digits, however small it is.
        leads = gap == 0.0
        n_leaders += 1.0 if leads else 0.0
        term = 0.0 if leads else terms[r, k]
        rest += term
        term *= gap
        first += term
        term *= gap
        second += term
        third += term * gap
    return rest + (n_leaders - 1.0), first, second, third


@kernel
def sum_log_partition(logits, weight, inverse_temperature, with_value, start, stop, step, gaps, terms):
    """Return the weighted sum over rows start:stop:step of log(sum(exp(b d))) and its first three derivatives by b, a tuple.

    The first is zero unless asked for: with few classes and many weights the logarithms take a third of the time. ``gaps`` and
    ``terms``, (rows, n_classes) and float64, are scratch; together they should fit in the first-level cache.
    """
    value = first = second = third = product = product_weight = 0.0
    n_taken = (stop - start + step - 1) // step
    for begin in range(0, n_taken, len(gaps)):
        n_rows = min(len(gaps), n_taken - begin)
        for r in range(n_rows):
            _fill_gaps(logits, start + (begin + r) * step, weight, gaps, r)
        _exponentials(gaps.reshape(-1), inverse_temperature, terms.reshape(-1), n_rows * logits.shape[1])
        for r in range(n_rows):
            rest, mean, square, cube = _row_moments(gaps, terms, r)
            scale = 1.0 / (1.0 + rest)
            mean *= scale
            square *= scale
            row_weight = weight[start + (begin + r) * step]
            if with_value:
                # A logarithm for many rows of one weight: that of the product of 1 + rest, less one to keep the digits.
                if row_weight != product_weight or product > 1e200:
                    value += product_weight * np.log1p(product)
                    product_weight, product = row_weight, 0.0
                product += rest + product * rest
            first += row_weight * mean
            second += row_weight * (square - mean * mean)
            third += row_weight * (cube * scale - 3.0 * mean * square + 2.0 * mean * mean * mean)
    return value + product_weight * np.log1p(product), first, second, third
