"""Selection of a calibrator by cross-validated cross-entropy.

What lives here: folds, out-of-fold losses, and the one-standard-error rule. What doesn't: the candidates (``_scaling`` for
strengths of a ridge, ``automatic`` for methods).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ..kernels.losses import NO_CLASS_WEIGHT, NO_LABELS, NO_PROBA
from ..kernels.losses import cross_entropy as kernels
from ..kernels.losses.cross_entropy import NO_SMOOTHING
from ..losses import Targets
from ._base import Calibrator

N_FOLDS = 5
LARGEST = 1e300  # losses are clipped to this, so that their sums do not overflow
MAX_DIFFERENCE = 1.0
"""Bound, in nats, to which the absolute differences of rows' losses are clipped in the standard error."""


def subset(targets: Targets, rows: NDArray) -> tuple[Targets, float]:
    """Return the targets of some rows, with weights normalised to sum to one, and the sum of these weights before."""
    weight = targets.weight[rows]
    share = float(weight.sum())
    labels = None if targets.labels is None else targets.labels[rows]
    proba = None if targets.proba is None else targets.proba[rows]
    return replace(targets, weight=weight / share, labels=labels, proba=proba), share


def row_losses(logits: NDArray, targets: Targets) -> NDArray[np.float64]:
    """Return each row's cross-entropy in nats, float64."""
    scratch, losses = logits.astype(np.float64), np.empty(len(logits))
    weight, end = targets.weight, len(logits)
    if targets.labels is not None:
        kernels.cross_entropy_labels(targets.labels, NO_PROBA, NO_CLASS_WEIGHT, weight, NO_SMOOTHING, 0, end, scratch, losses)
    else:
        kernels.cross_entropy_proba(
            NO_LABELS, targets.proba, targets.class_weight, weight, NO_SMOOTHING, 0, end, scratch, losses
        )
    return losses


def folds(weight: NDArray[np.float64], n_folds: int = N_FOLDS) -> NDArray[np.intp]:
    """Return the number of each row's fold, assigned at random with a fixed seed; −1 for rows of weight zero.

    Not stratified: with equal class frequencies in all folds, a calibrator that has fitted the sample's frequencies would have
    a lower loss on the test folds than on new rows. With few rows of a class the difference is large.
    """
    fold = np.full(len(weight), -1)
    counted = np.flatnonzero(weight > 0)
    fold[counted] = np.random.default_rng(0).permutation(len(counted)) % min(n_folds, len(counted))
    return fold


def out_of_fold_losses(
    candidates: Sequence[Calibrator], logits: NDArray, targets: Targets, total_weight: float
) -> NDArray[np.float64]:
    """Return the cross-entropy of every row under each candidate fitted to the other folds, (n_candidates, n_rows), in nats.

    Zero for rows of weight zero, and for all rows if only one has weight.
    """
    losses = np.zeros((len(candidates), len(logits)))
    fold = folds(targets.weight)
    for held_out in range(fold.max() + 1) if fold.max() > 0 else ():
        train, test = np.flatnonzero((fold >= 0) & (fold != held_out)), np.flatnonzero(fold == held_out)
        train_targets, share = subset(targets, train)
        test_targets, _ = subset(targets, test)
        train_logits, test_logits = logits[train], logits[test]
        for k, candidate in enumerate(candidates):
            with warnings.catch_warnings():  # the final fit to all rows warns
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = candidate._fit(train_logits, train_targets, share * total_weight)
            candidate.__dict__.update(fitted)
            losses[k, test] = row_losses(candidate._transform(test_logits), test_targets)
    return losses


def standard_error(differences: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Return the standard error of the weighted mean of rows' differences clipped to ±``MAX_DIFFERENCE``; weights sum to one.

    Losses are unbounded: a single row of a million nats has a standard error as large as its mean, so that no difference would
    be significant. Clipped, such a row counts in full in the mean and as one nat in the error.
    """
    clipped = np.clip(differences, -MAX_DIFFERENCE, MAX_DIFFERENCE)
    return float(np.sqrt(np.square(weight) @ np.square(clipped - weight @ clipped)))


def one_standard_error_rule(
    losses: NDArray[np.float64], weight: NDArray[np.float64], default: int, allowed: Sequence[float] | None = None
) -> int:
    """Return the candidate nearest to the default whose mean loss exceeds the least by no more than its standard error.

    Candidates are ordered by complexity, and those from the default to the best are tried in turn. The standard error is that
    of the rows' clipped differences from the best candidate (paired), which is smaller than that of the losses.

    Parameters
    ----------
    losses : ndarray of shape (n_candidates, n_rows)
    weight : ndarray of shape (n_rows,)
        Summing to one.
    default : int
    allowed : sequence of float, default=None
        Largest excess of each candidate in standard errors; None for one.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), "Classification and Regression Trees", section 3.4.3.
    """
    losses = np.minimum(losses, LARGEST)
    best = int(np.argmin(losses @ weight))
    for candidate in range(default, best, 1 if best > default else -1):
        excess = losses[candidate] - losses[best]
        errors = 1.0 if allowed is None else allowed[candidate]
        if weight @ excess <= errors * standard_error(excess, weight):
            return candidate
    return best
