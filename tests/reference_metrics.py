"""Every metric once more, slowly: plain loops in float64; a truth is always a row of class probabilities.

Nothing here imports sksoftmax. Each is ``metric(target, proba, weight) -> float``, with rows that sum to one.
"""

import math
from itertools import pairwise, permutations

import numpy as np

import reference_calibration_errors


def mean(values, weight):
    return math.fsum(w * v for w, v in zip(weight, values, strict=True) if w > 0) / math.fsum(weight)


def expected(score, target, proba, weight):
    """Mean over rows, and over classes by their share in the row's truth, of score(class, row of probabilities)."""
    return mean(
        [math.fsum(t * score(k, p) for k, t in enumerate(row) if t > 0) for row, p in zip(target, proba, strict=True)], weight
    )


def log(x):
    return math.log(x) if x > 0 else -math.inf


def cross_entropy(target, proba, weight):
    return expected(lambda k, p: -log(p[k]), target, proba, weight)


def brier(target, proba, weight):
    distance = expected(lambda k, p: sum((q - (j == k)) ** 2 for j, q in enumerate(p)), target, proba, weight)
    return distance / 2 if len(proba[0]) == 2 else distance


def spherical(target, proba, weight):
    return expected(lambda k, p: p[k] / math.hypot(*p), target, proba, weight)


def prior(target, weight):
    return [mean([row[k] for row in target], weight) for k in range(len(target[0]))]


def skill(loss):
    def score(target, proba, weight):
        constant = [prior(target, weight)] * len(target)
        return 1 - loss(target, proba, weight) / loss(target, constant, weight)

    return score


def perplexity(target, proba, weight):
    return math.exp(cross_entropy(target, proba, weight))


def code_length(target, proba, weight):
    return expected(lambda k, p: -math.log2(p[k]) if p[k] > 0 else math.inf, target, proba, weight)


def decision(p):
    return max(range(len(p)), key=lambda k: (p[k], -k))


def accuracy(target, proba, weight):
    return expected(lambda k, p: k == decision(p), target, proba, weight)


def joint(target, proba, weight):
    classes = range(len(proba[0]))
    return [[expected(lambda c, p: c == k and decision(p) == d, target, proba, weight) for d in classes] for k in classes]  # noqa: B023


def recall(target, proba, weight):
    rows = joint(target, proba, weight)
    shares = [row[k] / sum(row) for k, row in enumerate(rows) if sum(row) > 0]
    return sum(shares) / len(shares)


def precision(target, proba, weight):
    rows = joint(target, proba, weight)
    columns = list(zip(*rows, strict=True))
    shares = [c[k] / sum(c) if sum(c) else 0 for k, c in enumerate(columns) if sum(c) + sum(rows[k]) > 0]
    return sum(shares) / len(shares)


def mutual_information(target, proba, weight):
    rows = joint(target, proba, weight)
    columns = [sum(column) for column in zip(*rows, strict=True)]
    return sum(c * math.log(c / (sum(row) * columns[d])) for row in rows for d, c in enumerate(row) if c > 0)


def top_k_accuracy(target, proba, weight, k=2):
    """Count the label among the first k over all orders of the classes that keep higher probabilities first."""

    def share(label, p):
        orders = [o for o in permutations(range(len(p))) if all(p[a] >= p[b] for a, b in pairwise(o))]
        return sum(label in order[:k] for order in orders) / len(orders)

    return expected(share, target, proba, weight)


def roc_auc_ovr(target, proba, weight):
    areas = []
    rows = range(len(target))
    for k in range(len(proba[0])):
        won, pairs = 0.0, 0.0
        for i in rows:
            for j in rows:
                mass = weight[i] * target[i][k] * weight[j] * (1 - target[j][k])
                pairs += mass
                won += mass * ((proba[i][k] > proba[j][k]) + (proba[i][k] == proba[j][k]) / 2)
        areas += [won / pairs] if pairs > 0 else []
    return sum(areas) / len(areas)


def expected_cost(target, proba, weight, cost=None):
    classes = range(len(proba[0]))
    cost = cost or [[float(k != d) for d in classes] for k in classes]

    def paid(label, p):
        costs = [math.fsum(p[k] * cost[k][d] for k in classes) for d in range(len(cost[0]))]
        return cost[label][costs.index(min(costs))]

    return expected(paid, target, proba, weight)


def aurc(target, proba, weight, n_steps=20_000):
    """Risk at the middle of each of many small steps of coverage, in the mean."""
    total = math.fsum(weight)
    groups = {}
    for row, p, w in zip(target, proba, weight, strict=True):
        mass, errors = groups.get(max(p), (0.0, 0.0))
        groups[max(p)] = mass + w / total, errors + w / total * (1 - row[decision(p)])
    points = [(0.0, 0.0)]
    for confidence in sorted(groups, reverse=True):
        points.append((points[-1][0] + groups[confidence][0], points[-1][1] + groups[confidence][1]))
    area, segment = 0.0, 1
    for step in range(n_steps):
        c = (step + 0.5) / n_steps
        while segment < len(points) - 1 and points[segment][0] < c:
            segment += 1
        (c0, e0), (c1, e1) = points[segment - 1], points[segment]
        area += (e0 + (c - c0) * (e1 - e0) / (c1 - c0)) / c
    return area / n_steps


def expected_calibration_error(target, proba, weight):
    options = {"kind": "top_label", "strategy": "uniform", "n_bins": 15, "norm": "l1"}
    return reference_calibration_errors.expected_calibration_error(np.array(proba), np.array(target), weight, **options)


def smooth_calibration_error(target, proba, weight):
    return reference_calibration_errors.smooth_calibration_error(np.array(proba), np.array(target), weight, kind="top_label")


METRICS = {
    "cross_entropy_loss": cross_entropy,
    "brier_score_loss": brier,
    "spherical_score": spherical,
    "d2_cross_entropy_score": skill(cross_entropy),
    "d2_brier_score": skill(brier),
    "d2_spherical_score": skill(lambda *given: 1 - spherical(*given)),
    "expected_calibration_error": expected_calibration_error,
    "smooth_calibration_error": smooth_calibration_error,
    "perplexity_loss": perplexity,
    "code_length_loss": code_length,
    "mutual_information_score": mutual_information,
    "accuracy_score": accuracy,
    "balanced_accuracy_score": recall,
    "macro_precision_score": precision,
    "roc_auc_ovr_score": roc_auc_ovr,
    "top_k_accuracy_score": top_k_accuracy,
    "expected_cost_loss": expected_cost,
    "aurc_loss": aurc,
}
"""Reference of each metric in the package's table with its default options."""
