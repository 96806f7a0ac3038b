"""Softmax, losses on logits, and passes over dense and CSR rows.

What lives here: all that turns logits into probabilities or losses, since kernels that call each other share a file. What
doesn't: metrics of probabilities. Callers pass C-contiguous arrays; a kernel works on the rows ``start:stop`` of the data and
on rows ``0:stop - start`` of its scratch arrays, so that no slice is made per call. A thread's whole segment of rows is one
call: returning to Python for every block costs the second thread its gain.

Conventions
-----------
``logits`` is (rows, n_logits) scratch in the dtype of X, ``weight`` is float64 and sums to one over the data, and every sum
over rows is taken in float64. ``coef`` is (n_logits, n_features) for dense rows and its transpose for CSR rows: dense kernels
vectorise along the features, CSR kernels along the classes.

The ``fastmath`` flags let LLVM reorder a sum and fuse a multiplication into it, which vectorising needs; neither assumes
that numbers are finite.
"""

import numpy as np

from ._compile import kernel

# --------------------------------------------------------------------------------------------------------------------
# logits to probabilities


# exp(x) = 2^-n * exp(r) with x = r - n log 2 and |r| <= log(2) / 2: log 2 in two parts, so that n times the first is exact,
# and powers of two from a table, since a loop over a call of the C library's exp cannot be vectorised.
_HALVINGS = 0.5 ** np.arange(1100.0)
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_INVERSE_LOG2 = 1.4426950408889634
_LOWEST = -760.0  # where exp has long been zero
_LOWEST_FLOAT32, _LOWEST_FLOAT64 = float(np.finfo(np.float32).min), float(np.finfo(np.float64).min)


@kernel(fastmath={"contract"})
def _exp_nonpositive(x):
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
def _leader(logits, i):
    """Return where the largest logit of row i stands."""
    leader = 0
    for k in range(1, logits.shape[1]):
        if logits[i, k] > logits[i, leader]:
            leader = k
    return leader


@kernel
def _rest(logits, i, leader):
    """Return the sum of ``exp(logit - largest)`` over row i without the leader, whose term is one.

    Kept apart from the one, so that log1p of it is exact where the leader's probability rounds to one.
    """
    rest = 0.0
    for k in range(logits.shape[1]):
        if k != leader:
            rest += _exp_nonpositive(np.float64(logits[i, k]) - np.float64(logits[i, leader]))
    return rest


@kernel
def _softmax_row(logits, i, leader):
    """Replace row i by its softmax; return ``_rest`` of it."""
    largest = np.float64(logits[i, leader])
    for k in range(logits.shape[1]):
        logits[i, k] = _exp_nonpositive(np.float64(logits[i, k]) - largest)
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
        leader = _leader(logits, i)
        if logits[i, leader] == -np.inf:
            logits[i] = np.nan
        else:
            _softmax_row(logits, i, leader)


@kernel
def log_softmax(logits, n_rows):
    """Replace each of the first n_rows rows of logits by its log-softmax; NaN for a row of −inf.

    What is below all numbers, of a finite logit, becomes the lowest one.
    """
    lowest = _LOWEST_FLOAT32 if logits.itemsize == 4 else _LOWEST_FLOAT64
    for i in range(n_rows):
        leader = _leader(logits, i)
        largest = logits[i, leader]
        if largest == -np.inf:
            logits[i] = np.nan
            continue
        log_total = np.log1p(_rest(logits, i, leader))
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
        leader = _leader(logits, i)
        largest = logits[i, leader]
        out[i] = largest if largest == -np.inf else largest + np.log1p(_rest(logits, i, leader))


# --------------------------------------------------------------------------------------------------------------------
# cross-entropy: value, gradient in place of the logits, Hessian product


@kernel
def cross_entropy_labels(logits, labels, weight, start, stop, smoothing, losses):
    """Fill losses with the rows' cross-entropy; logits become the weighted gradient. Returns the weighted sum.

    A row of label y has the target 1 - smoothing on y and smoothing / (K - 1) on every other class.
    """
    n_classes = logits.shape[1]
    off = smoothing / (n_classes - 1)
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        gap = 0.0  # of the target's mean logit below the largest
        leader = _leader(logits, i)
        largest = logits[i, leader]
        if off > 0.0:
            for k in range(n_classes):
                if k != label:
                    gap += off * (np.float64(largest) - np.float64(logits[i, k]))
        if smoothing < 1.0:
            gap += (1.0 - smoothing) * (np.float64(largest) - np.float64(logits[i, label]))
        losses[i] = np.log1p(_softmax_row(logits, i, leader)) + gap
        value += weight[start + i] * losses[i]
        for k in range(n_classes):
            logits[i, k] = weight[start + i] * (logits[i, k] - off)
        logits[i, label] -= weight[start + i] * (1.0 - smoothing - off)
    return value


@kernel
def cross_entropy_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses):
    """Fill losses with the rows' cross-entropy; logits become the weighted gradient. Returns the weighted sum.

    A row of class probabilities q counts as K copies, copy k of weight ``q_k * class_weight_k`` and label k; the row's
    ``weight`` already holds the sum of these, so that only their proportions matter here.
    """
    n_classes = logits.shape[1]
    off = smoothing / (n_classes - 1)
    on = 1.0 - smoothing - off
    value = 0.0
    for i in range(stop - start):
        leader = _leader(logits, i)
        largest = logits[i, leader]
        mass = 0.0
        for k in range(n_classes):
            mass += class_weight[k] * proba[start + i, k]
        scale = on / mass if mass > 0.0 else 0.0
        gap = 0.0
        for k in range(n_classes):
            target = scale * class_weight[k] * proba[start + i, k] + off
            if target > 0.0:
                gap += target * (np.float64(largest) - np.float64(logits[i, k]))
        losses[i] = np.log1p(_softmax_row(logits, i, leader)) + gap
        if weight[start + i] > 0.0:
            value += weight[start + i] * losses[i]
        for k in range(n_classes):
            target = scale * class_weight[k] * proba[start + i, k] + off
            logits[i, k] = weight[start + i] * (logits[i, k] - target)
    return value


@kernel
def _logistic_row(logits, i, target, row_weight):
    """Replace the one logit of row i by its weighted gradient; return the row's cross-entropy against P(class 1)."""
    logit = np.float64(logits[i, 0])
    decay = np.exp(-abs(logit))
    tail = np.log1p(decay)
    # max(±logit, 0) + tail is log(1 + exp(±logit)), each without cancellation.
    loss = target * (max(-logit, 0.0) + tail) + (1.0 - target) * (max(logit, 0.0) + tail)
    proba = 1.0 / (1.0 + decay) if logit >= 0.0 else decay / (1.0 + decay)
    logits[i, 0] = row_weight * (proba - target)
    return loss


@kernel
def logistic_labels(logits, labels, weight, start, stop, smoothing, losses):
    """Do as ``cross_entropy_labels`` for two classes and one logit, that of class 1 over class 0."""
    value = 0.0
    for i in range(stop - start):
        target = 1.0 - smoothing if labels[start + i] == 1 else smoothing
        losses[i] = _logistic_row(logits, i, target, weight[start + i])
        value += weight[start + i] * losses[i]
    return value


@kernel
def logistic_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses):
    """Do as ``cross_entropy_proba`` for two classes and one logit, that of class 1 over class 0."""
    value = 0.0
    for i in range(stop - start):
        one = class_weight[1] * proba[start + i, 1]
        mass = class_weight[0] * proba[start + i, 0] + one
        target = (1.0 - 2.0 * smoothing) * (one / mass if mass > 0.0 else 0.0) + smoothing
        losses[i] = _logistic_row(logits, i, target, weight[start + i])
        value += weight[start + i] * losses[i]
    return value


@kernel
def cross_entropy_hessian_product(logits, direction, weight, start, stop):
    """Replace direction by the weighted Hessian of the rows' cross-entropy times it; logits become probabilities.

    The Hessian on logits is ``diag(p) - p pᵀ``, whatever the targets. One logit stands for two classes: ``p (1 - p)``.
    """
    n_logits = logits.shape[1]
    for i in range(stop - start):
        if n_logits == 1:
            decay = np.exp(-abs(np.float64(logits[i, 0])))
            direction[i, 0] *= weight[start + i] * decay / ((1.0 + decay) * (1.0 + decay))
        else:
            _softmax_row(logits, i, _leader(logits, i))
            mean = 0.0
            for k in range(n_logits):
                mean += logits[i, k] * direction[i, k]
            for k in range(n_logits):
                direction[i, k] = weight[start + i] * logits[i, k] * (direction[i, k] - mean)


@kernel
def cross_entropy_curvatures(logits, weight, start, stop, out):
    """Fill out, (n_pairs, rows), with the rows' weighted second derivatives by logits k and l ≤ k; logits become probabilities.

    Pairs are in the order (0, 0), (1, 0), (1, 1), (2, 0), …; on logits the Hessian is ``diag(p) - p pᵀ``.
    """
    n_logits = logits.shape[1]
    for i in range(stop - start):
        if n_logits == 1:
            decay = np.exp(-abs(np.float64(logits[i, 0])))
            out[0, i] = weight[start + i] * decay / ((1.0 + decay) * (1.0 + decay))
            continue
        leader = _leader(logits, i)
        rest = _softmax_row(logits, i, leader)
        pair = 0
        for k in range(n_logits):
            weighted = weight[start + i] * logits[i, k]
            for other in range(k):
                out[pair, i] = -weighted * logits[i, other]
                pair += 1
            # One less a probability near one would lose the digits that its curvature has.
            out[pair, i] = weighted * (rest / (1.0 + rest) if k == leader else 1.0 - logits[i, k])
            pair += 1


@kernel
def cross_entropy_curvature(logits, n_rows):
    """Replace logits by the second derivatives of the rows' cross-entropy by each, ``p (1 - p)``."""
    n_logits = logits.shape[1]
    for i in range(n_rows):
        if n_logits == 1:
            decay = np.exp(-abs(np.float64(logits[i, 0])))
            logits[i, 0] = decay / ((1.0 + decay) * (1.0 + decay))
            continue
        leader = _leader(logits, i)
        rest = _softmax_row(logits, i, leader)
        for k in range(n_logits):
            logits[i, k] *= 1.0 - logits[i, k]
        logits[i, leader] = rest / ((1.0 + rest) * (1.0 + rest))


# --------------------------------------------------------------------------------------------------------------------
# temperature: sums over rows of functions of one inverse temperature
#
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
        terms[j] = _exp_nonpositive(inverse_temperature * gaps[j])


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


# --------------------------------------------------------------------------------------------------------------------
# focal loss: value, gradient in place of the logits


@kernel
def _focal(log_proba, proba, rest, gamma):
    """Return ``-(1 - p)^gamma log p`` and its derivative by log p, from log p, p and 1 - p, each without cancellation."""
    power = rest**gamma
    ratio = log_proba / rest if rest > 0.0 else -1.0
    return -power * log_proba, power * (gamma * proba * ratio - 1.0)


@kernel
def focal_labels(logits, labels, weight, start, stop, gamma, losses):
    """Fill losses with the rows' focal loss; logits become the weighted gradient. Returns the weighted sum."""
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        leader = _leader(logits, i)
        gap = np.float64(logits[i, leader]) - np.float64(logits[i, label])
        rest = _softmax_row(logits, i, leader)
        proba = np.float64(logits[i, label])
        others = rest / (1.0 + rest) if label == leader else 1.0 - proba
        losses[i], slope = _focal(-(gap + np.log1p(rest)), proba, others, gamma)
        value += weight[start + i] * losses[i]
        for k in range(logits.shape[1]):
            logits[i, k] *= -weight[start + i] * slope
        logits[i, label] = weight[start + i] * slope * others
    return value


@kernel
def focal_proba(logits, proba, class_weight, weight, start, stop, gamma, losses):
    """Do as ``focal_labels`` for rows of class probabilities, which count as in ``cross_entropy_proba``."""
    n_classes = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        mass = 0.0
        for k in range(n_classes):
            mass += class_weight[k] * proba[start + i, k]
        scale = 1.0 / mass if mass > 0.0 else 0.0
        leader = _leader(logits, i)
        largest = np.float64(logits[i, leader])
        log_total = np.log1p(_rest(logits, i, leader))
        loss = total = 0.0
        for k in range(n_classes):
            log_proba = (np.float64(logits[i, k]) - largest) - log_total
            logits[i, k] = log_proba
            target = scale * class_weight[k] * proba[start + i, k]
            if target > 0.0:
                own, slope = _focal(log_proba, np.exp(log_proba), -np.expm1(log_proba), gamma)
                loss += target * own
                total += target * slope
        losses[i] = loss
        value += weight[start + i] * loss
        for k in range(n_classes):
            log_proba = np.float64(logits[i, k])
            gradient = -np.exp(log_proba) * total
            target = scale * class_weight[k] * proba[start + i, k]
            if target > 0.0:
                gradient += target * _focal(log_proba, np.exp(log_proba), -np.expm1(log_proba), gamma)[1]
            logits[i, k] = weight[start + i] * gradient
    return value


@kernel
def focal_logit(logits, labels, proba, class_weight, weight, start, stop, gamma, losses):
    """Do as ``focal_labels`` or ``focal_proba``, whichever targets there are, for two classes and one logit."""
    value = 0.0
    for i in range(stop - start):
        if len(labels) > 0:
            one = np.float64(labels[start + i])
        else:
            one = class_weight[1] * proba[start + i, 1]
            mass = class_weight[0] * proba[start + i, 0] + one
            one = one / mass if mass > 0.0 else 0.0
        logit = np.float64(logits[i, 0])
        decay = np.exp(-abs(logit))
        tail = np.log1p(decay)
        high, low = 1.0 / (1.0 + decay), decay / (1.0 + decay)
        proba_1, proba_0 = (high, low) if logit >= 0.0 else (low, high)
        loss_1, slope_1 = _focal(-(max(-logit, 0.0) + tail), proba_1, proba_0, gamma)
        loss_0, slope_0 = _focal(-(max(logit, 0.0) + tail), proba_0, proba_1, gamma)
        losses[i] = one * loss_1 + (1.0 - one) * loss_0
        value += weight[start + i] * losses[i]
        logits[i, 0] = weight[start + i] * (one * slope_1 * proba_0 - (1.0 - one) * slope_0 * proba_1)
    return value


# --------------------------------------------------------------------------------------------------------------------
# multiclass hinge loss: value, a subgradient in place of the logits


@kernel
def _hinge(violation, width):
    """Return ``max(0, violation)`` and its slope, where |violation| < width / 2 those of the parabola that joins both sides."""
    if violation >= 0.5 * width:
        return (violation, 1.0) if violation > 0.0 else (0.0, 0.0)
    if violation <= -0.5 * width:
        return 0.0, 0.0
    slope = violation / width + 0.5
    return 0.5 * width * slope * slope, slope


@kernel
def hinge_labels(logits, labels, weight, start, stop, margin, width, losses):
    """Fill losses with the rows' Weston-Watkins hinge loss; logits become the weighted gradient. Returns the weighted sum.

    One logit is that of class 1 over class 0. Where width is zero, a kink has the slope of its flat side.
    """
    n_logits = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        label, row_weight = labels[start + i], weight[start + i]
        if n_logits == 1:
            side = 1.0 if label == 1 else -1.0
            losses[i], slope = _hinge(margin - side * np.float64(logits[i, 0]), width)
            logits[i, 0] = -side * row_weight * slope
        else:
            own = np.float64(logits[i, label])
            losses[i] = total = 0.0
            for k in range(n_logits):
                if k != label:
                    loss, slope = _hinge(np.float64(logits[i, k]) - own + margin, width)
                    losses[i] += loss
                    total += slope
                    logits[i, k] = row_weight * slope
            logits[i, label] = -row_weight * total
        value += row_weight * losses[i]
    return value


@kernel
def hinge_curvature(logits, labels, start, n_rows, margin, width):
    """Replace logits by the second derivatives of the rows' hinge loss by each.

    Those by the true logit and another one are minus that other one's; two others have none in common.
    """
    n_logits = logits.shape[1]
    for i in range(n_rows):
        label = labels[start + i]
        if n_logits == 1:
            side = 1.0 if label == 1 else -1.0
            logits[i, 0] = 1.0 / width if abs(margin - side * np.float64(logits[i, 0])) < 0.5 * width else 0.0
            continue
        own = np.float64(logits[i, label])
        total = 0.0
        for k in range(n_logits):
            if k != label:
                logits[i, k] = 1.0 / width if abs(np.float64(logits[i, k]) - own + margin) < 0.5 * width else 0.0
                total += logits[i, k]
        logits[i, label] = total


@kernel
def hinge_hessian_product(logits, direction, labels, weight, start, stop, margin, width):
    """Replace direction by the weighted Hessian of the rows' hinge loss times it; logits become second derivatives."""
    hinge_curvature(logits, labels, start, stop - start, margin, width)
    n_logits = logits.shape[1]
    for i in range(stop - start):
        if n_logits == 1:
            direction[i, 0] *= weight[start + i] * logits[i, 0]
            continue
        label = labels[start + i]
        own, total = np.float64(direction[i, label]), 0.0
        for k in range(n_logits):
            if k != label:
                direction[i, k] = weight[start + i] * logits[i, k] * (direction[i, k] - own)
                total += direction[i, k]
        direction[i, label] = -total


@kernel
def hinge_curvatures(logits, labels, weight, start, stop, margin, width, out):
    """Do for the rows' hinge loss as ``cross_entropy_curvatures`` does."""
    hinge_curvature(logits, labels, start, stop - start, margin, width)
    for i in range(stop - start):
        label = labels[start + i]
        pair = 0
        for k in range(logits.shape[1]):
            for other in range(k):
                own = logits[i, other] if k == label else logits[i, k] if other == label else 0.0
                out[pair, i] = -weight[start + i] * own
                pair += 1
            out[pair, i] = weight[start + i] * logits[i, k]
            pair += 1


# --------------------------------------------------------------------------------------------------------------------
# softmax of cosines with margins: value, gradient in place of the cosines


@kernel
def _less_margins(cosine, margin, cos_angle, sin_angle):
    """Return the cosine of the angle plus another one, less margin, and its derivative by cosine.

    Where both angles sum to more than a half turn, minus two less that cosine: it falls on, and smoothly.
    """
    if sin_angle == 0.0:
        return cosine - margin, 1.0
    cosine = min(max(cosine, -1.0 + 1e-7), 1.0 - 1e-7)  # at ±1 the derivative has no bound
    sine = np.sqrt(1.0 - cosine * cosine)
    turned = cosine * cos_angle - sine * sin_angle
    slope = cos_angle + sin_angle * cosine / sine
    if cosine < -cos_angle:
        return -2.0 - turned - margin, -slope
    return turned - margin, slope


@kernel
def cosine_labels(logits, labels, weight, start, stop, parameters, losses):
    """Fill losses with the rows' cross-entropy of scaled cosines, the true one less its margins; logits are the cosines.

    They become the weighted gradient; the weighted sum is returned. One logit is the cosine to class 1, its opposite that to
    class 0.
    """
    scale, margin, cos_angle, sin_angle = parameters[0], parameters[1], parameters[2], parameters[3]
    n_logits = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        label, row_weight = labels[start + i], weight[start + i]
        if n_logits == 1:
            side = 1.0 if label == 1 else -1.0
            cosine = side * np.float64(logits[i, 0])
            own, slope = _less_margins(cosine, margin, cos_angle, sin_angle)
            lead = scale * (own + cosine)
            decay = np.exp(-abs(lead))
            losses[i] = max(-lead, 0.0) + np.log1p(decay)
            others = decay / (1.0 + decay) if lead >= 0.0 else 1.0 / (1.0 + decay)
            logits[i, 0] = -side * row_weight * scale * (slope + 1.0) * others
        else:
            own, slope = _less_margins(np.float64(logits[i, label]), margin, cos_angle, sin_angle)
            logits[i, label] = own
            for k in range(n_logits):
                logits[i, k] *= scale
            leader = _leader(logits, i)
            gap = np.float64(logits[i, leader]) - np.float64(logits[i, label])
            rest = _softmax_row(logits, i, leader)
            others = rest / (1.0 + rest) if label == leader else 1.0 - np.float64(logits[i, label])
            losses[i] = np.log1p(rest) + gap
            for k in range(n_logits):
                logits[i, k] *= row_weight * scale
            logits[i, label] = -row_weight * scale * slope * others
        value += row_weight * losses[i]
    return value


# --------------------------------------------------------------------------------------------------------------------
# the loss of a block, whichever loss it is: a new loss is a number here and a branch in each function

# Cross-entropy of the logits as they are, and two of shifted ones: parameters[0] of the three is the label smoothing.
CROSS_ENTROPY = 0
MARGIN = 1
LOGIT_ADJUSTED = 2
_LAST_CROSS_ENTROPY = 2
HINGE = 3
# Without second derivatives.
FOCAL = 4
COSINE = 5


@kernel
def _shift(loss, labels, parameters, start, stop, logits):
    """Replace logits by those whose cross-entropy the loss is; return the derivative of the new ones by the old."""
    n_logits = logits.shape[1]
    if loss == MARGIN:
        margin, scale = parameters[1], parameters[2]
        for i in range(stop - start):
            label = labels[start + i]
            if n_logits > 1:
                logits[i, label] -= margin
            else:
                logits[i, 0] -= margin if label == 1 else -margin
            for k in range(n_logits):
                logits[i, k] *= scale
        return scale
    if loss == LOGIT_ADJUSTED:
        for i in range(stop - start):
            for k in range(n_logits):
                logits[i, k] += parameters[1 + k]
    return 1.0


@kernel
def _loss_block(loss, labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Turn logits into their weighted gradient and return the weighted loss.

    ``labels`` is empty if the targets are rows of class probabilities, ``proba`` if they are labels.
    """
    value = 0.0
    if loss <= _LAST_CROSS_ENTROPY:
        scale = _shift(loss, labels, parameters, start, stop, logits)
        smoothing = parameters[0]
        if logits.shape[1] == 1 and len(labels) > 0:
            value = logistic_labels(logits, labels, weight, start, stop, smoothing, losses)
        elif logits.shape[1] == 1:
            value = logistic_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses)
        elif len(labels) > 0:
            value = cross_entropy_labels(logits, labels, weight, start, stop, smoothing, losses)
        else:
            value = cross_entropy_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses)
        if scale != 1.0:
            for i in range(stop - start):
                for k in range(logits.shape[1]):
                    logits[i, k] *= scale
    elif loss == FOCAL:
        gamma = parameters[0]
        if logits.shape[1] == 1:
            value = focal_logit(logits, labels, proba, class_weight, weight, start, stop, gamma, losses)
        elif len(labels) > 0:
            value = focal_labels(logits, labels, weight, start, stop, gamma, losses)
        else:
            value = focal_proba(logits, proba, class_weight, weight, start, stop, gamma, losses)
    elif loss == COSINE:
        value = cosine_labels(logits, labels, weight, start, stop, parameters, losses)
    elif loss == HINGE:
        value = hinge_labels(logits, labels, weight, start, stop, parameters[0], parameters[1], losses)
    return value


@kernel
def _hessian_product_block(loss, labels, parameters, weight, start, stop, logits, direction):
    """Turn direction, on logits, into the weighted Hessian times it."""
    if loss == HINGE:
        hinge_hessian_product(logits, direction, labels, weight, start, stop, parameters[0], parameters[1])
        return
    scale = _shift(loss, labels, parameters, start, stop, logits)
    if scale != 1.0:
        for i in range(stop - start):
            for k in range(logits.shape[1]):
                direction[i, k] *= scale * scale
    cross_entropy_hessian_product(logits, direction, weight, start, stop)


@kernel
def curvature(loss, labels, parameters, start, stop, logits):
    """Replace logits by the second derivatives of the rows' losses by each, without their weights."""
    if loss == HINGE:
        hinge_curvature(logits, labels, start, stop - start, parameters[0], parameters[1])
        return
    scale = _shift(loss, labels, parameters, start, stop, logits)
    cross_entropy_curvature(logits, stop - start)
    if scale != 1.0:
        for i in range(stop - start):
            for k in range(logits.shape[1]):
                logits[i, k] *= scale * scale


@kernel
def _weighted_curvature(loss, labels, parameters, weight, start, stop, logits):
    curvature(loss, labels, parameters, start, stop, logits)
    for i in range(stop - start):
        for k in range(logits.shape[1]):
            logits[i, k] *= weight[start + i]


@kernel
def curvatures(loss, labels, parameters, weight, start, stop, logits, out):
    """Fill out with the weighted second derivatives of the rows' losses, as ``cross_entropy_curvatures`` does."""
    if loss == HINGE:
        hinge_curvatures(logits, labels, weight, start, stop, parameters[0], parameters[1], out)
        return
    scale = _shift(loss, labels, parameters, start, stop, logits)
    cross_entropy_curvatures(logits, weight, start, stop, out)
    if scale != 1.0:
        for pair in range(len(out)):
            for i in range(stop - start):
                out[pair, i] *= scale * scale


# --------------------------------------------------------------------------------------------------------------------
# dense rows: four data rows at a time against tiles of four, two or one classes


@kernel(fastmath={"reassoc", "contract"})
def _dot_4x4(x0, x1, x2, x3, w0, w1, w2, w3):
    zero = x0.dtype.type(0)
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = zero
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = zero
    for j in range(len(x0)):
        c0, c1, c2, c3 = w0[j], w1[j], w2[j], w3[j]
        v = x0[j]
        s00 += v * c0
        s01 += v * c1
        s02 += v * c2
        s03 += v * c3
        v = x1[j]
        s10 += v * c0
        s11 += v * c1
        s12 += v * c2
        s13 += v * c3
        v = x2[j]
        s20 += v * c0
        s21 += v * c1
        s22 += v * c2
        s23 += v * c3
        v = x3[j]
        s30 += v * c0
        s31 += v * c1
        s32 += v * c2
        s33 += v * c3
    return s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33


@kernel(fastmath={"reassoc", "contract"})
def _dot_4x2(x0, x1, x2, x3, w0, w1):
    zero = x0.dtype.type(0)
    s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = zero
    for j in range(len(x0)):
        c0, c1 = w0[j], w1[j]
        s00 += x0[j] * c0
        s01 += x0[j] * c1
        s10 += x1[j] * c0
        s11 += x1[j] * c1
        s20 += x2[j] * c0
        s21 += x2[j] * c1
        s30 += x3[j] * c0
        s31 += x3[j] * c1
    return s00, s01, s10, s11, s20, s21, s30, s31


@kernel(fastmath={"reassoc", "contract"})
def _dot_4x1(x0, x1, x2, x3, w0):
    zero = x0.dtype.type(0)
    s0 = s1 = s2 = s3 = zero
    for j in range(len(x0)):
        s0 += x0[j] * w0[j]
        s1 += x1[j] * w0[j]
        s2 += x2[j] * w0[j]
        s3 += x3[j] * w0[j]
    return s0, s1, s2, s3


# Coefficients of a chunk of classes stay in cache while all rows of a block pass by: 2^15 numbers of them.
_CHUNK_NUMBERS = 32768


@kernel
def _chunk_of_classes(n_features):
    """Return how many classes, a multiple of the widest tile, make a chunk."""
    return max(_CHUNK_NUMBERS // max(n_features, 1) // 4 * 4, 4)


@kernel
def score_dense(X, coef, intercept, start, stop, logits):
    """Fill logits with ``X[start:stop] @ coef.T + intercept``.

    The last rows of a block are scored in a full tile too, the last one standing in for those that are missing: a row's
    logits are the same bits wherever in a batch it stands.
    """
    n_logits, n_features = coef.shape
    chunk = _chunk_of_classes(n_features)
    last = stop - start - 1
    for first in range(0, n_logits, chunk):
        end = min(first + chunk, n_logits)
        for i in range(0, stop - start, 4):
            i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
            x0, x1, x2, x3 = X[start + i], X[start + i1], X[start + i2], X[start + i3]
            k = first
            while k + 4 <= end:
                s = _dot_4x4(x0, x1, x2, x3, coef[k], coef[k + 1], coef[k + 2], coef[k + 3])
                for c in range(4):
                    logits[i, k + c] = s[c] + intercept[k + c]
                    logits[i1, k + c] = s[4 + c] + intercept[k + c]
                    logits[i2, k + c] = s[8 + c] + intercept[k + c]
                    logits[i3, k + c] = s[12 + c] + intercept[k + c]
                k += 4
            if k + 2 <= end:
                s00, s01, s10, s11, s20, s21, s30, s31 = _dot_4x2(x0, x1, x2, x3, coef[k], coef[k + 1])
                logits[i, k], logits[i, k + 1] = s00 + intercept[k], s01 + intercept[k + 1]
                logits[i1, k], logits[i1, k + 1] = s10 + intercept[k], s11 + intercept[k + 1]
                logits[i2, k], logits[i2, k + 1] = s20 + intercept[k], s21 + intercept[k + 1]
                logits[i3, k], logits[i3, k + 1] = s30 + intercept[k], s31 + intercept[k + 1]
                k += 2
            if k < end:
                s0, s1, s2, s3 = _dot_4x1(x0, x1, x2, x3, coef[k])
                logits[i, k] = s0 + intercept[k]
                logits[i1, k] = s1 + intercept[k]
                logits[i2, k] = s2 + intercept[k]
                logits[i3, k] = s3 + intercept[k]


@kernel(fastmath={"contract"})
def project_dense(X, gradient, start, stop, coef_gradient, intercept_gradient):
    """Add ``gradient.T @ X[start:stop]`` to coef_gradient and the column sums of gradient to intercept_gradient.

    Eight data rows at a time against two classes: eight products are added in X's dtype, the rest of the sum is float64.
    """
    n_logits, n_features = coef_gradient.shape
    n_rows = stop - start
    n_tiled = n_rows - n_rows % 8
    chunk = _chunk_of_classes(n_features)
    for first in range(0, n_logits, chunk):
        end = min(first + chunk, n_logits)
        for i in range(0, n_tiled, 8):
            x0, x1, x2, x3 = X[start + i], X[start + i + 1], X[start + i + 2], X[start + i + 3]
            x4, x5, x6, x7 = X[start + i + 4], X[start + i + 5], X[start + i + 6], X[start + i + 7]
            k = first
            while k + 2 <= end:
                a0, a1, a2, a3 = gradient[i, k], gradient[i + 1, k], gradient[i + 2, k], gradient[i + 3, k]
                a4, a5, a6, a7 = gradient[i + 4, k], gradient[i + 5, k], gradient[i + 6, k], gradient[i + 7, k]
                k += 1
                b0, b1, b2, b3 = gradient[i, k], gradient[i + 1, k], gradient[i + 2, k], gradient[i + 3, k]
                b4, b5, b6, b7 = gradient[i + 4, k], gradient[i + 5, k], gradient[i + 6, k], gradient[i + 7, k]
                k += 1
                out_a, out_b = coef_gradient[k - 2], coef_gradient[k - 1]
                for j in range(n_features):
                    v0, v1, v2, v3, v4, v5, v6, v7 = x0[j], x1[j], x2[j], x3[j], x4[j], x5[j], x6[j], x7[j]
                    out_a[j] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3 + a4 * v4 + a5 * v5 + a6 * v6 + a7 * v7
                    out_b[j] += b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3 + b4 * v4 + b5 * v5 + b6 * v6 + b7 * v7
            if k < end:
                a0, a1, a2, a3 = gradient[i, k], gradient[i + 1, k], gradient[i + 2, k], gradient[i + 3, k]
                a4, a5, a6, a7 = gradient[i + 4, k], gradient[i + 5, k], gradient[i + 6, k], gradient[i + 7, k]
                out_a = coef_gradient[k]
                for j in range(n_features):
                    v0, v1, v2, v3, v4, v5, v6, v7 = x0[j], x1[j], x2[j], x3[j], x4[j], x5[j], x6[j], x7[j]
                    out_a[j] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3 + a4 * v4 + a5 * v5 + a6 * v6 + a7 * v7
    for i in range(n_tiled, n_rows):
        for k in range(n_logits):
            for j in range(n_features):
                coef_gradient[k, j] += gradient[i, k] * X[start + i, j]
    for i in range(n_rows):
        for k in range(n_logits):
            intercept_gradient[k] += gradient[i, k]


@kernel
def sum_dense(X, loss, labels, proba, class_weight, weight, parameters, coef, intercept, segment, block, out):
    """Add the gradient of the loss over the rows of segment to out and return the loss.

    Rows are scored, their gradient taken and projected back ``len(block.logits)`` at a time, while they are in cache.

    Parameters
    ----------
    X : (n_rows, n_features)
    loss, labels, proba, class_weight, weight, parameters
        As ``_loss_block`` has them.
    coef, intercept : (n_logits, n_features) and (n_logits,), X's dtype
    segment : (start, stop)
    block : (logits, losses)
        Scratch: (block_rows, n_logits) of X's dtype and (block_rows,) float64.
    out : (coef_gradient, intercept_gradient)
        float64.
    """
    logits, losses = block
    value = 0.0
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        value += _loss_block(loss, labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
        project_dense(X, logits, start, stop, out[0], out[1])
    return value


@kernel
def hessian_product_dense(X, loss, labels, parameters, weight, coef, intercept, direction, segment, block, out):
    """Add the Hessian of the loss over the rows of segment times direction to out.

    ``direction`` is (coef, intercept) as those are, ``block`` two scratch arrays like logits; the rest as in ``sum_dense``.
    """
    logits, change = block
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        score_dense(X, direction[0], direction[1], start, stop, change)
        _hessian_product_block(loss, labels, parameters, weight, start, stop, logits, change)
        project_dense(X, change, start, stop, out[0], out[1])


@kernel
def sum_curvature_dense(X, loss, labels, parameters, weight, coef, intercept, segment, block, out):
    """Add the Hessian's diagonal over the rows of segment to out; ``block`` is (logits, squares), these like rows of X."""
    logits, squares = block
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_dense(X, coef, intercept, start, stop, logits)
        _weighted_curvature(loss, labels, parameters, weight, start, stop, logits)
        for i in range(stop - start):
            for j in range(X.shape[1]):
                squares[i, j] = X[start + i, j] * X[start + i, j]
        project_dense(squares, logits, 0, stop - start, out[0], out[1])


# --------------------------------------------------------------------------------------------------------------------
# CSR rows


@kernel(fastmath={"contract"})
def score_csr(data, indices, indptr, coef, intercept, start, stop, logits):
    """Fill logits with ``X[start:stop] @ coef + intercept``, coef being (n_features, n_logits).

    Four stored numbers at a time: their rows of coef are fetched together and the logits are read and written once for all.
    """
    n_logits = coef.shape[1]
    for i in range(stop - start):
        for k in range(n_logits):
            logits[i, k] = intercept[k]
        p, end = indptr[start + i], indptr[start + i + 1]
        while p + 4 <= end:
            v0, v1, v2, v3 = data[p], data[p + 1], data[p + 2], data[p + 3]
            w0, w1, w2, w3 = coef[indices[p]], coef[indices[p + 1]], coef[indices[p + 2]], coef[indices[p + 3]]
            for k in range(n_logits):
                logits[i, k] += v0 * w0[k] + v1 * w1[k] + v2 * w2[k] + v3 * w3[k]
            p += 4
        while p < end:
            v0, w0 = data[p], coef[indices[p]]
            for k in range(n_logits):
                logits[i, k] += v0 * w0[k]
            p += 1


@kernel(fastmath={"contract"})
def project_csr(data, indices, indptr, gradient, start, stop, coef_gradient, intercept_gradient):
    """Add ``X[start:stop].T @ gradient`` to coef_gradient and the column sums of gradient to intercept_gradient."""
    n_logits = gradient.shape[1]
    for i in range(stop - start):
        for p in range(indptr[start + i], indptr[start + i + 1]):
            value, out = data[p], coef_gradient[indices[p]]
            for k in range(n_logits):
                out[k] += value * gradient[i, k]
        for k in range(n_logits):
            intercept_gradient[k] += gradient[i, k]


@kernel
def sum_csr(data, indices, indptr, loss, labels, proba, class_weight, weight, parameters, coef, intercept, segment, block, out):
    """Do as ``sum_dense`` for CSR rows; coef and its gradient are (n_features, n_logits)."""
    logits, losses = block
    value = 0.0
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_csr(data, indices, indptr, coef, intercept, start, stop, logits)
        value += _loss_block(loss, labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
        project_csr(data, indices, indptr, logits, start, stop, out[0], out[1])
    return value


@kernel
def hessian_product_csr(
    data, indices, indptr, loss, labels, parameters, weight, coef, intercept, direction, segment, block, out
):
    """Do as ``hessian_product_dense`` for CSR rows; coefficients are (n_features, n_logits)."""
    logits, change = block
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_csr(data, indices, indptr, coef, intercept, start, stop, logits)
        score_csr(data, indices, indptr, direction[0], direction[1], start, stop, change)
        _hessian_product_block(loss, labels, parameters, weight, start, stop, logits, change)
        project_csr(data, indices, indptr, change, start, stop, out[0], out[1])


@kernel(fastmath={"contract"})
def sum_curvature_csr(data, indices, indptr, loss, labels, parameters, weight, coef, intercept, segment, logits, out):
    """Add the Hessian's diagonal over the rows of segment to out; coefficients are (n_features, n_logits)."""
    n_logits = logits.shape[1]
    for start in range(segment[0], segment[1], len(logits)):
        stop = min(start + len(logits), segment[1])
        score_csr(data, indices, indptr, coef, intercept, start, stop, logits)
        _weighted_curvature(loss, labels, parameters, weight, start, stop, logits)
        for i in range(stop - start):
            for p in range(indptr[start + i], indptr[start + i + 1]):
                square, sums = np.float64(data[p]) * np.float64(data[p]), out[0][indices[p]]
                for k in range(n_logits):
                    sums[k] += square * logits[i, k]
            for k in range(n_logits):
                out[1][k] += logits[i, k]


# --------------------------------------------------------------------------------------------------------------------
# weighted Gram matrices of few columns, where calls of BLAS would cost more than they do


@kernel(fastmath={"reassoc", "contract"})
def add_weighted_gram(X, row_weight, gram):
    """Add the lower triangle of ``X.T @ diag(row_weight) @ X`` to gram, four rows of float64 X at a time."""
    n_rows, n_columns = X.shape
    n_tiled = n_rows - n_rows % 4
    for i in range(0, n_tiled, 4):
        x0, x1, x2, x3 = X[i], X[i + 1], X[i + 2], X[i + 3]
        s0, s1, s2, s3 = row_weight[i], row_weight[i + 1], row_weight[i + 2], row_weight[i + 3]
        for a in range(n_columns):
            t0, t1, t2, t3 = s0 * x0[a], s1 * x1[a], s2 * x2[a], s3 * x3[a]
            out = gram[a]
            for b in range(a + 1):
                out[b] += t0 * x0[b] + t1 * x1[b] + t2 * x2[b] + t3 * x3[b]
    for i in range(n_tiled, n_rows):
        for a in range(n_columns):
            for b in range(a + 1):
                gram[a, b] += row_weight[i] * X[i, a] * X[i, b]


@kernel
def add_hessian_blocks(X, pair_weight, first, last, positions, gram, hessian):
    """Add the blocks first:last of pairs of logits to the Hessian, both triangles.

    Parameters
    ----------
    X : (rows, width), float64
        With a last column of ones if there is an intercept.
    pair_weight : (n_pairs, rows)
        As ``curvatures`` fills it.
    positions : (n_logits, width)
        Where the parameters of each logit sit in the flat vector.
    gram : (width, width), float64
        Scratch.
    hessian : (n_params, n_params), float64
    """
    width = X.shape[1]
    pair = 0
    for k in range(len(positions)):
        for other in range(k + 1):
            if first <= pair < last:
                gram[:] = 0.0
                add_weighted_gram(X, pair_weight[pair], gram)
                for a in range(width):
                    for b in range(a + 1):
                        hessian[positions[k, a], positions[other, b]] += gram[a, b]
                        if a != b:
                            hessian[positions[k, b], positions[other, a]] += gram[a, b]
                        if k != other:
                            hessian[positions[other, b], positions[k, a]] += gram[a, b]
                            if a != b:
                                hessian[positions[other, a], positions[k, b]] += gram[a, b]
            pair += 1


# --------------------------------------------------------------------------------------------------------------------
# minibatches: a step after each, by a rule that is a number here and a branch in _step

SGD = 0
ADAM = 1
ADAGRAD = 2
RMSPROP = 3


@kernel(fastmath={"contract"})
def _step(rule, settings, step, alpha, shrink, gradient, params, first, second, mean, out):
    """Take a step from params against gradient, move mean towards where it ends, and write that into out, X's dtype.

    ``settings`` is (decay of the first moment, of the second, share of the gradient in the step, share of the first moment,
    ...); ``step`` is (rate, epsilon, ..., share of the new point in the mean, ...). ``alpha`` times params is added to the
    gradient, and what is reached is multiplied by ``shrink``. A vector that the rule does not use is empty.
    """
    rate, epsilon, blend = step[0], step[1], step[3]
    keep, keep_square, direct, carried = settings[0], settings[1], settings[2], settings[3]
    if rule == SGD and len(first) == 0:
        for p in range(len(params)):
            params[p] = (params[p] - rate * (gradient[p] + alpha * params[p])) * shrink
    elif rule == SGD:
        for p in range(len(params)):
            slope = gradient[p] + alpha * params[p]
            first[p] = keep * first[p] + slope
            params[p] = (params[p] - rate * (direct * slope + carried * first[p])) * shrink
    elif rule == ADAM:
        for p in range(len(params)):
            slope = gradient[p] + alpha * params[p]
            first[p] = keep * first[p] + (1.0 - keep) * slope
            second[p] = keep_square * second[p] + (1.0 - keep_square) * slope * slope
            params[p] = (params[p] - rate * first[p] / (np.sqrt(second[p]) + epsilon)) * shrink
    else:  # ADAGRAD adds squares up, RMSPROP takes their moving average
        new = 1.0 if rule == ADAGRAD else 1.0 - keep_square
        for p in range(len(params)):
            slope = gradient[p] + alpha * params[p]
            second[p] = keep_square * second[p] + new * slope * slope
            # No slope yet is no step, also where epsilon is zero.
            root = np.sqrt(second[p]) + epsilon
            params[p] = (params[p] - (rate * slope / root if root > 0.0 else 0.0)) * shrink
    for p in range(len(mean)):
        mean[p] += blend * (params[p] - mean[p])
    for p in range(len(params)):
        out[p] = params[p]


@kernel
def _step_all(rule, settings, step, alpha, gradient, vectors, n_coef, out):
    """Step all parameters: coefficients, which the penalty pulls at, and the intercept if there is one."""
    params, first, second, mean = vectors
    coefs = first[:n_coef], second[:n_coef], mean[:n_coef], out[:n_coef]
    _step(rule, settings, step, alpha, step[2], gradient[:n_coef], params[:n_coef], *coefs)
    if len(params) > n_coef:
        rest = first[n_coef:], second[n_coef:], mean[n_coef:], out[n_coef:]
        _step(rule, settings, step, 0.0, 1.0, gradient[n_coef:], params[n_coef:], *rest)


@kernel
def descend_dense(
    X, loss, labels, proba, class_weight, weight, parameters, batch_size, part, rule, settings, steps, vectors, coef, block
):
    """Pass once over the rows of X, a step after each ``batch_size`` of them; return the loss of the rows as they were met.

    Parameters
    ----------
    X, labels, proba, weight : arrays of the same rows
    loss, class_weight, parameters
        As ``_loss_block`` has them.
    batch_size : int
    part : (begins, ends)
        Whether the rows begin and end a minibatch. If not, they are one part of one, whose gradient ``block`` keeps.
    rule, settings : int, (5,)
        As ``_step`` has them; the fifth setting is its alpha.
    steps : (n_minibatches, 5)
        Of each the rate, epsilon, what multiplies the coefficients after it, the new point's share in the mean, and what takes
        its sum of weighted gradients to an estimate of the sum over all rows.
    vectors : (params, first moments, second moments, mean)
        float64, (n_params,) or empty; changed.
    coef : (n_coef + n_logits,), X's dtype
        What rows are scored with: params, changed with them, and zeros if there is no intercept.
    block : (logits, losses, gradient)
        Scratch: (rows, n_logits) of X's dtype, (rows,) float64, (n_coef + n_logits,).
    """
    logits, losses, gradient = block
    n_logits = logits.shape[1]
    n_coef = n_logits * X.shape[1]
    weights, intercept = coef[:n_coef].reshape(n_logits, X.shape[1]), coef[n_coef:]
    coef_gradient, intercept_gradient = gradient[:n_coef].reshape(n_logits, X.shape[1]), gradient[n_coef:]
    value = 0.0
    for number in range(len(steps)):
        end, factor = min((number + 1) * batch_size, len(X)), steps[number, 4]
        if part[0]:
            gradient[:] = 0.0
        for start in range(number * batch_size, end, len(logits)):
            stop = min(start + len(logits), end)
            score_dense(X, weights, intercept, start, stop, logits)
            value += _loss_block(loss, labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
            for i in range(stop - start):
                for k in range(n_logits):
                    logits[i, k] *= factor
            project_dense(X, logits, start, stop, coef_gradient, intercept_gradient)
        if part[1]:
            _step_all(rule, settings, steps[number], settings[4], gradient, vectors, n_coef, coef)
    return value


@kernel
def _gather_target(targets, row, batch, i):
    """Copy the target and the weight of row to place i of a minibatch's own."""
    _, labels, proba, _, weight, _ = targets
    batch_labels, batch_proba, batch_weight = batch
    batch_weight[i] = weight[row]
    if len(labels) > 0:
        batch_labels[i] = labels[row]
    for k in range(proba.shape[1]):
        batch_proba[i, k] = proba[row, k]


@kernel
def _batch_loss(targets, batch, n_rows, logits, losses):
    """Turn logits into their weighted gradient against the gathered targets, and return the weighted loss."""
    loss, _, _, class_weight, _, parameters = targets
    labels, proba, weight = batch
    return _loss_block(loss, labels, proba, class_weight, weight, parameters, 0, n_rows, logits, losses)


@kernel
def _slopes_csr(data, indices, indptr, order, targets, batch, coef, shrunk, intercept, zero, logits, losses):
    """Fill logits with the weighted gradient of the rows in order, scored with ``shrunk * coef``; return their loss."""
    for i in range(len(order)):
        row = order[i]
        score_csr(data, indices, indptr, coef, zero, row, row + 1, logits[i : i + 1])
        for k in range(logits.shape[1]):
            logits[i, k] = shrunk * logits[i, k] + intercept[k]
        _gather_target(targets, row, batch, i)
    return _batch_loss(targets, batch, len(order), logits, losses)


@kernel
def _project_in_order(data, indices, indptr, order, gradient, factor, coef, intercept):
    """Add factor times the rows' gradients to coef and intercept, and multiply the gradients by it."""
    for i in range(len(order)):
        for k in range(gradient.shape[1]):
            gradient[i, k] *= factor
        project_csr(data, indices, indptr, gradient[i : i + 1], order[i], order[i] + 1, coef, intercept)


@kernel
def descend_csr(data, indices, indptr, order, targets, batch, batch_size, rule, settings, steps, vectors, intercept, block):
    """Do as ``descend_dense`` for the rows of ``order``; coefficients are (n_features, n_logits). A step changes them all.

    Parameters
    ----------
    targets : (loss, labels, proba, class_weight, weight, parameters)
        As ``_loss_block`` has them, of all rows.
    batch : (labels, proba, weight)
        Scratch for those of a minibatch.
    intercept : (n_logits,), float64
        The end of params, or zeros.
    block : (logits, losses, gradient, zero)
        Scratch: (batch_size, n_logits) of X's dtype, (batch_size,) and (n_coef + n_logits,) float64; (n_logits,) zeros of X's
        dtype.
    """
    logits, losses, gradient, zero = block
    n_logits = logits.shape[1]
    n_coef = len(gradient) - n_logits
    coef = vectors[0][:n_coef].reshape(n_coef // n_logits, n_logits)
    coef_gradient, intercept_gradient = gradient[:n_coef].reshape(n_coef // n_logits, n_logits), gradient[n_coef:]
    value = 0.0
    for number in range(len(steps)):
        rows = order[number * batch_size : (number + 1) * batch_size]
        value += _slopes_csr(data, indices, indptr, rows, targets, batch, coef, 1.0, intercept, zero, logits, losses)
        gradient[:] = 0.0
        _project_in_order(data, indices, indptr, rows, logits, steps[number, 4], coef_gradient, intercept_gradient)
        _step_all(rule, settings, steps[number], settings[4], gradient, vectors, n_coef, vectors[0])
    return value


# A number that multiplies all coefficients is multiplied out before it underflows.
_SMALLEST_SHRUNK = 1e-6


@kernel(fastmath={"contract"})
def _multiply_out(coef, shrunk, mean, so_far):
    """Write ``shrunk * coef`` to coef; take so_far times the old coef from mean."""
    for j in range(len(coef)):
        for k in range(coef.shape[1]):
            if len(mean) > 0:
                mean[j, k] -= so_far * coef[j, k]
            coef[j, k] *= shrunk


@kernel
def descend_csr_lazily(
    data, indices, indptr, order, targets, batch, batch_size, steps, coef, intercept, fits_intercept, means, block
):
    """Do as ``descend_csr`` by plain SGD, touching the columns only that a minibatch has.

    Coefficients are ``shrunk * coef``, one number for the penalty's pull on all of them. Their weighted mean is
    ``(so_far * coef - mean) / total`` with so_far the weighted sum of all of shrunk: what a step adds to coef has to be taken
    back for the steps before it alone. (Bottou, "Stochastic Gradient Descent Tricks", 2012, section 5.1; Xu, "Towards Optimal
    One Pass Large Scale Learning with Averaged Stochastic Gradient Descent", 2011.)

    Parameters
    ----------
    coef, intercept : (n_features, n_logits), (n_logits,), float64
    means : (coef, intercept)
        As these, or empty.
    block : (logits, losses, change, zero)
        As in ``descend_csr``; change is (n_logits,) float64.
    """
    logits, losses, change, zero = block
    mean, intercept_mean = means
    shrunk, so_far, total = 1.0, 0.0, 1.0
    _multiply_out(mean, -1.0, mean[:0], 0.0)
    value = 0.0
    for number in range(len(steps)):
        rate, shrink, share = steps[number, 0], steps[number, 2], steps[number, 3]
        rows = order[number * batch_size : (number + 1) * batch_size]
        value += _slopes_csr(data, indices, indptr, rows, targets, batch, coef, shrunk, intercept, zero, logits, losses)
        change[:] = 0.0
        factor = -rate * steps[number, 4] / shrunk
        _project_in_order(data, indices, indptr, rows, logits, factor, coef, change)
        if fits_intercept:
            for k in range(len(intercept)):
                intercept[k] += shrunk * change[k]
        if so_far > 0.0 and len(mean) > 0:
            _project_in_order(data, indices, indptr, rows, logits, so_far, mean, change)
        shrunk *= shrink
        weight = total * share / (1.0 - share) if share < 1.0 else 1.0
        so_far += weight * shrunk
        total = total + weight if share < 1.0 else 1.0
        for k in range(len(intercept_mean)):
            intercept_mean[k] += share * (intercept[k] - intercept_mean[k])
        if shrunk < _SMALLEST_SHRUNK:
            _multiply_out(coef, shrunk, mean, so_far)
            shrunk, so_far = 1.0, 0.0
    _multiply_out(coef, shrunk, mean, so_far)
    _multiply_out(mean, -1.0 / total, mean[:0], 0.0)
    return value


# --------------------------------------------------------------------------------------------------------------------
# SAGA: a step after each row, against the mean of every row's latest gradient


@kernel(fastmath={"reassoc", "contract"})
def _dot(x, w):
    total = 0.0
    for j in range(len(x)):
        total += x[j] * w[j]
    return total


@kernel(fastmath={"contract"})
def saga_dense(X, order, targets, batch, rate, alpha, n_seen, table, coef, intercept, fits_intercept, sums, block):
    """Pass once over the rows of X in order by SAGA (Defazio, Bach & Lacoste-Julien 2014), return their loss as met.

    Parameters
    ----------
    order : (n,), int64
        Every row that has weight, once.
    targets, batch
        As in ``descend_csr``, ``batch`` for one row.
    rate, alpha : float
        Step size and strength of the L2 penalty, whose pull is implicit.
    n_seen : int
        Rows whose gradients the table has: none or all.
    table : (n_rows, n_logits), float64
        Latest weighted gradient of each row by its logits.
    coef, intercept : (n_logits, n_features), (n_logits,), float64
    sums : (coef, intercept)
        Of the gradients that the table stands for.
    block : (logits, losses)
        Scratch: (1, n_logits) and (1,) float64.
    """
    logits, losses = block
    coef_sum, intercept_sum = sums
    n_rows, shrink = len(order), 1.0 / (1.0 + rate * alpha)
    value = 0.0
    for row in order:
        x = X[row]
        for k in range(len(intercept)):
            logits[0, k] = _dot(x, coef[k]) + intercept[k]
        _gather_target(targets, row, batch, 0)
        value += _batch_loss(targets, batch, 1, logits, losses)
        n_seen = min(n_seen + 1, n_rows)
        drift = rate * n_rows / n_seen
        for k in range(len(intercept)):
            change = logits[0, k] - table[row, k]
            table[row, k] = logits[0, k]
            push = rate * n_rows * change
            w, s = coef[k], coef_sum[k]
            for j in range(len(x)):
                w[j] = (w[j] - drift * s[j] - push * x[j]) * shrink
                s[j] += change * x[j]
            if fits_intercept:
                intercept[k] -= drift * intercept_sum[k] + push
            intercept_sum[k] += change
    return value


@kernel(fastmath={"contract"})
def _catch_up(coef, shrunk, coef_sum, drifted, since):
    """Take the drift that they have not felt from all of coef, and multiply shrunk out."""
    for j in range(len(coef)):
        lag = drifted - since[j]
        since[j] = 0.0
        for k in range(coef.shape[1]):
            coef[j, k] = shrunk * (coef[j, k] - lag * coef_sum[j, k])


@kernel(fastmath={"contract"})
def saga_csr(
    data,
    indices,
    indptr,
    order,
    targets,
    batch,
    rate,
    alpha,
    n_seen,
    table,
    coef,
    intercept,
    fits_intercept,
    sums,
    since,
    block,
):
    """Do as ``saga_dense`` for CSR rows, touching the columns only that a row has; coefficients are (n_features, n_logits).

    Coefficients are ``shrunk * coef``. Between two rows that have a column the drift against its mean gradient is constant
    but for a number common to all columns: ``drifted`` sums that number up, ``since`` holds how much of it a column has felt.
    """
    logits, losses = block
    coef_sum, intercept_sum = sums
    n_rows, shrink, n_logits = len(order), 1.0 / (1.0 + rate * alpha), len(intercept)
    shrunk, drifted, value = 1.0, 0.0, 0.0
    for row in order:
        logits[0] = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            j, x = indices[p], data[p]
            lag = drifted - since[j]
            since[j] = drifted
            w, s = coef[j], coef_sum[j]
            for k in range(n_logits):
                w[k] -= lag * s[k]
                logits[0, k] += x * w[k]
        for k in range(n_logits):
            logits[0, k] = shrunk * logits[0, k] + intercept[k]
        _gather_target(targets, row, batch, 0)
        value += _batch_loss(targets, batch, 1, logits, losses)
        n_seen = min(n_seen + 1, n_rows)
        drift = rate * n_rows / n_seen
        for k in range(n_logits):
            change = logits[0, k] - table[row, k]
            table[row, k] = logits[0, k]
            logits[0, k] = change
            if fits_intercept:
                intercept[k] -= drift * intercept_sum[k] + rate * n_rows * change
            intercept_sum[k] += change
        push = rate * n_rows / shrunk
        drifted += drift / shrunk
        for p in range(indptr[row], indptr[row + 1]):
            j, x = indices[p], data[p]
            lag = drifted - since[j]  # zero where the row has the column a second time
            since[j] = drifted
            w, s = coef[j], coef_sum[j]
            for k in range(n_logits):
                w[k] -= lag * s[k] + push * x * logits[0, k]
            for k in range(n_logits):
                s[k] += x * logits[0, k]
        shrunk *= shrink
        if shrunk < _SMALLEST_SHRUNK:
            _catch_up(coef, shrunk, coef_sum, drifted, since)
            shrunk, drifted = 1.0, 0.0
    _catch_up(coef, shrunk, coef_sum, drifted, since)
    return value
