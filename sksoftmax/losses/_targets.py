"""What rows should be predicted as, and how much each counts.

What lives here: ``Targets``, which a data set holds beside its rows. What doesn't: how users' labels become them
(``data.targets``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.losses import NO_CLASS_WEIGHT, NO_LABELS, NO_PROBA

Arrays = tuple[NDArray[np.int32], NDArray, NDArray[np.float64], NDArray[np.float64]]
"""Labels, class probabilities, class weights and row weights as kernels take them; what there is not is empty."""


@dataclass(frozen=True)
class Targets:
    """What the rows should be predicted as, and how much each counts.

    Exactly one of ``labels`` and ``proba`` is given. A row of class probabilities q counts as n_classes copies of itself,
    copy k with label k and weight ``q_k * class_weight_k``.

    Attributes
    ----------
    n_classes : int
    weight : ndarray of shape (n_rows,), float64
        Non-negative, summing to one over a whole data set; holds sample weights and class weights.
    labels : ndarray of shape (n_rows,), int32, or None
        Class indices in ``0..n_classes - 1``.
    proba : ndarray of shape (n_rows, n_classes), float32 or float64, or None
    class_weight : ndarray of shape (n_classes,), float64, or None
        What ``weight`` holds of it; ones if None, which rows of class probabilities may not have.
    """

    n_classes: int
    weight: NDArray[np.float64]
    labels: NDArray[np.int32] | None = None
    proba: NDArray | None = None
    class_weight: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, rows: Any) -> Targets:
        """Return the targets of some rows, views where rows is a slice; their weights as they are here."""
        labels = None if self.labels is None else self.labels[rows]
        proba = None if self.proba is None else self.proba[rows]
        return Targets(self.n_classes, self.weight[rows], labels, proba, self.class_weight)

    @property
    def arrays(self) -> Arrays:
        """Labels, class probabilities, class weights and row weights as kernels take them."""
        return (
            NO_LABELS if self.labels is None else self.labels,
            NO_PROBA if self.proba is None else self.proba,
            NO_CLASS_WEIGHT if self.class_weight is None else self.class_weight,
            self.weight,
        )

    @property
    def prior(self) -> NDArray[np.float64]:
        """The classes' shares of the sample weights, class weights taken out again: (n_classes,), summing to one."""
        if self.labels is not None:
            sums = np.bincount(self.labels, self.weight, minlength=self.n_classes)
            per_class = np.ones(self.n_classes) if self.class_weight is None else self.class_weight
            sums = np.divide(sums, per_class, out=np.zeros(self.n_classes), where=per_class > 0)
        else:
            assert self.proba is not None
            of_row = np.einsum("ik,k->i", self.proba, np.asarray(self.class_weight))
            row_weight = np.divide(self.weight, of_row, out=np.zeros(len(of_row)), where=of_row > 0)
            sums = np.einsum("i,ik->k", row_weight, self.proba)
        return sums / sums.sum()

    def by_label(self) -> Iterator[tuple[NDArray[np.int32], NDArray]]:
        """Yield labels of the rows, (n_rows,), with what share of each row has them: copies of the rows of one label each."""
        if self.labels is not None:
            yield self.labels, np.ones(len(self))
            return
        assert self.proba is not None
        share = self.proba * np.asarray(self.class_weight)
        total = share.sum(axis=1, keepdims=True)
        share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
        for k in range(self.n_classes):
            yield np.full(len(self), k, dtype=np.int32), share[:, k]
