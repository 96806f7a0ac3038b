"""The CORP decomposition of Dimitriadis, Gneiting & Jordan (2021), slowly.

Nothing here imports sksoftmax. Isotonic regression is the max-min formula over all runs of distinct predictions.
"""

import math


def isotonic(values, mass, sums):
    """The greatest over beginnings a <= i of the least over ends b >= i of the mean of the run a..b."""
    n = len(values)

    def mean(a, b):
        return math.fsum(sums[a : b + 1]) / math.fsum(mass[a : b + 1])

    return [max(min(mean(a, b) for b in range(i, n)) for a in range(i + 1)) for i in range(n)]


def brier(p, t):
    return t * (1 - p) ** 2 + (1 - t) * p**2


def cross_entropy(p, t):
    def times_log(share, q):
        if share == 0:
            return 0.0
        return share * math.log(q) if q > 0 else -math.inf

    return -times_log(t, p) - times_log(1 - t, 1 - p)


def parts(p, t, weight, score):
    """Miscalibration, discrimination and uncertainty of one event."""
    values = sorted({q for q, w in zip(p, weight, strict=True) if w > 0})
    place = {q: j for j, q in enumerate(values)}
    mass, sums = [0.0] * len(values), [0.0] * len(values)
    for q, share, w in zip(p, t, weight, strict=True):
        if w > 0:
            mass[place[q]] += w
            sums[place[q]] += w * share
    fitted = isotonic(values, mass, sums)
    frequency = math.fsum(sums) / math.fsum(mass)

    def mean(of):
        total = math.fsum(w * score(of(q), share) for q, share, w in zip(p, t, weight, strict=True) if w > 0)
        return total / math.fsum(mass)

    recalibrated = mean(lambda q: min(max(fitted[place[q]], 0.0), 1.0))
    return mean(lambda q: q) - recalibrated, mean(lambda q: frequency) - recalibrated, mean(lambda q: frequency)
