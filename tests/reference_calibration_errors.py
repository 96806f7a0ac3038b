"""Calibration errors once more, slowly: loops over rows, bins and points of a quadrature. Nothing here imports sksoftmax."""

import math

import numpy as np


def events(proba, target, kind):
    """Columns of probabilities, and of the share in which what they are about happened."""
    if kind == "class_wise":
        return proba.T, target.T
    leaders = [row.argmax() for row in proba]
    confidence = np.array([row[k] for row, k in zip(proba, leaders, strict=True)])
    right = np.array([row[k] for row, k in zip(target, leaders, strict=True)])
    return confidence[None], right[None]


def upper_ends(p, weight, strategy, n_bins):
    """Upper ends of the bins."""
    if strategy == "uniform":
        return [(b + 1) / n_bins for b in range(n_bins)]
    ends = []
    for b in range(1, n_bins):
        for candidate in sorted(set(p)):
            share = math.fsum(w for w, q in zip(weight, p, strict=True) if q <= candidate) / math.fsum(weight)
            if share >= b / n_bins - 1e-9:
                ends.append(candidate)
                break
    return [*ends, math.inf]


def bins(p, weight, strategy, n_bins):
    """Rows of each bin."""
    ends = upper_ends(p, weight, strategy, n_bins)
    rows = [[] for _ in ends]
    for i, q in enumerate(p):
        rows[next(b for b, end in enumerate(ends) if q <= end + 1e-12)].append(i)
    return rows


def expected_calibration_error(proba, target, weight, *, kind, strategy, n_bins, norm, debiased=False):
    columns, happened = events(proba, target, kind)
    total = math.fsum(weight) * len(columns)
    gaps, masses, chances = [], [], []
    for p, t in zip(columns, happened, strict=True):
        for rows in bins(p, weight, strategy, n_bins):
            mass = math.fsum(weight[i] for i in rows)
            if mass == 0:
                continue
            mean_p = math.fsum(weight[i] * p[i] for i in rows) / mass
            mean_t = math.fsum(weight[i] * t[i] for i in rows) / mass
            spread = math.fsum(weight[i] * (t[i] - mean_t) ** 2 for i in rows) / mass
            effective = mass**2 / math.fsum(weight[i] ** 2 for i in rows)
            alone = effective < 1 + 1e-9
            gaps.append(abs(mean_p - mean_t))
            masses.append(mass / total)
            chances.append(gaps[-1] ** 2 if alone else spread / (effective - 1))
    if debiased:
        return math.sqrt(max(0, math.fsum(m * (g**2 - c) for m, g, c in zip(masses, gaps, chances, strict=True))))
    if norm == "max":
        return max(gaps)
    power = {"l1": 1, "l2": 2}[norm]
    return math.fsum(m * g**power for m, g in zip(masses, gaps, strict=True)) ** (1 / power)


def reflected_gaussian(t, p, bandwidth):
    """Density at t of a Gaussian around p, reflected at 0 and 1 as often as it takes."""
    density = np.zeros_like(t)
    for image in range(-4, 5):
        for centre in (2 * image + p, 2 * image - p):
            density += np.exp(-0.5 * ((t - centre) / bandwidth) ** 2)
    return density / (bandwidth * math.sqrt(2 * math.pi))


def smoothed_mass(p, happened, weight, bandwidth, n_points=800):
    t = (np.arange(n_points) + 0.5) / n_points
    residual = np.zeros(n_points)
    for p_i, t_i, w in zip(p, happened, weight, strict=True):
        residual += w * (t_i - p_i) * reflected_gaussian(t, p_i, bandwidth)
    return np.abs(residual).mean() / math.fsum(weight)


def smooth_calibration_error(proba, target, weight, *, kind):
    errors = []
    for p, happened in zip(*events(proba, target, kind), strict=True):
        low, high = 1e-3, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if smoothed_mass(p, happened, weight, middle) > middle else (low, middle)
        errors.append(low)
    return float(np.mean(errors))
