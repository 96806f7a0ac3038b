"""Binary events with predicted probabilities and outcomes, the input of calibration errors.

What lives here: predictions of K classes as one event a row (the predicted class is correct) or K events (one for each class),
and labels drawn from the probabilities. What doesn't: calibration errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..kernels import calibration_errors as kernels
from ..losses._decision import most_probable
from ._options import check_option

KINDS = ("top_label", "class_wise")


@dataclass(frozen=True)
class Events:
    """Probabilities of events, one a column, and their outcomes.

    Attributes
    ----------
    proba : ndarray of shape (n_rows, n_events), float32 or float64
    weight : ndarray of shape (n_rows,), float64
        Sums to one.
    labels : ndarray of shape (n_rows,), int32, or None
        Column of the event that occurred, -1 for none.
    target : ndarray of shape (n_rows, n_events) or None
        Fraction with which each event occurred, where ``labels`` is None.
    """

    proba: NDArray
    weight: NDArray[np.float64]
    labels: NDArray[np.int32] | None = None
    target: NDArray | None = None

    def with_labels(self, labels: NDArray[np.int32]) -> Events:
        """Return the same events with other outcomes."""
        return replace(self, labels=labels, target=None)

    def sampler(self) -> Callable[[np.random.Generator], NDArray[np.int32]]:
        """Return a function that draws a label for each row from its predicted probabilities."""
        n_rows, n_events = self.proba.shape
        if n_events == 1:
            confidence = self.proba[:, 0].astype(np.float64)
            return lambda rng: (rng.random(n_rows) < confidence).astype(np.int32) - np.int32(1)
        cumulative = np.cumsum(self.proba, axis=1, dtype=np.float64)

        def draw(rng: np.random.Generator) -> NDArray[np.int32]:
            labels = np.empty(n_rows, dtype=np.int32)
            kernels.draw_labels(cumulative, rng.random(n_rows), labels)
            return labels

        return draw


def make_events(
    kind: str, proba: NDArray, weight: NDArray[np.float64], labels: NDArray | None, target: NDArray | None
) -> Events:
    """Return the events of top-label or class-wise calibration.

    Parameters
    ----------
    kind : {"top_label", "class_wise"}
        One event a row, that the class of largest probability (the first of equal ones) is correct; or one a class.
    proba : ndarray of shape (n_rows, n_classes)
    weight : ndarray of shape (n_rows,)
    labels, target : ndarray or None
        Class indices, or rows of class probabilities: one of the two.

    Raises
    ------
    ValueError
        Another kind.
    """
    check_option("kind", kind, KINDS)
    proba = np.ascontiguousarray(proba)
    if kind == "class_wise":
        return Events(proba, weight, labels, target)
    if labels is None:
        assert target is not None
        top = most_probable(proba)[:, None]
        return Events(np.take_along_axis(proba, top, axis=1), weight, target=np.take_along_axis(target, top, axis=1))
    confidence, outcomes = np.empty((len(proba), 1), dtype=proba.dtype), np.empty(len(proba), dtype=np.int32)
    kernels.top_labels(proba, labels, confidence, outcomes)
    return Events(confidence, weight, labels=outcomes)
