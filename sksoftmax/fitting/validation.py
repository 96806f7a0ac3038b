"""Validation sets: the split, the check of one that is given, and its scores.

What lives here: ``split_examples``, which sets rows aside, ``read_validation_examples``, and ``ValidationSet``, which scores
coefficients on held-out rows. What doesn't: early stopping (``loop``), examples (``data.examples``).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state

from .._sklearn import _check_feature_names
from ..data.columns import check_magnitude
from ..data.dataset import as_rows
from ..data.examples import Examples, check_table
from ..data.labels import encode_labels, label_vector
from ..data.rows import Rows, Segment
from ..data.targets import check_proba_targets, is_proba
from ..data.threads import map_in_order
from ..data.weights import check_weight
from ..losses import Loss, Targets
from ..losses._decision import most_probable

# Logits of a block of rows that are only scored: enough rows that calls cost little, few enough for a cache.
BLOCK_BYTES = 2**18
MIN_BLOCK_ROWS, MAX_BLOCK_ROWS = 32, 4096


def split_examples(examples: Examples, fraction: float, random_state: Any) -> tuple[Examples, Examples]:
    """Return the examples to train on and those to validate on, as ``split_rows`` does; soft targets by their largest."""
    strata = np.asarray(examples.labels) if examples.proba is None else most_probable(examples.proba)
    train, held_out = split_rows(examples.classes, strata, fraction, random_state)
    return examples.take(train), examples.take(held_out)


def split_rows(
    classes: NDArray, strata: NDArray, fraction: float, random_state: Any
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to train on and those to validate on, ascending, each class split in the same proportion.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    strata : ndarray of shape (n_rows,)
        The rows' class indices.
    fraction : float
        Share of the rows to validate on, in (0, 1).
    random_state : int, RandomState instance or None

    Raises
    ------
    ValueError
        A class has fewer than two rows, or one of the two parts would have fewer rows than there are classes.
    """
    counts = np.bincount(strata, minlength=len(classes))
    rare = np.flatnonzero(counts == 1)
    if len(rare):
        raise ValueError(
            f"early_stopping=True needs at least two rows of each class, one to train and one to validate on; class "
            f"{classes[rare[0]]} has one. Give a validation set as X_val and y_val, or set early_stopping=False."
        )
    n_present, n_rows = np.count_nonzero(counts), len(strata)
    n_val = int(np.ceil(fraction * n_rows))
    if min(n_val, n_rows - n_val) < n_present:
        raise ValueError(
            f"validation_fraction={fraction!r} of {n_rows} rows leaves {n_rows - n_val} rows to train and {n_val} to validate "
            f"on, which for a stratified split must both be at least the number of classes, {n_present}. Choose another "
            "validation_fraction, give a validation set as X_val and y_val, or set early_stopping=False."
        )
    train, held_out = train_test_split(
        np.arange(n_rows), test_size=n_val, stratify=strata, random_state=check_random_state(random_state)
    )
    return np.sort(train), np.sort(held_out)


def read_validation_examples(
    estimator: Any, examples: Examples, X_val: Any, y_val: Any, sample_weight_val: Any
) -> Examples | None:
    """Return the validation set that was given to fit, or None if there is none.

    Parameters
    ----------
    estimator : estimator
        Whose ``fit`` has noted the names of X's features.
    examples : Examples
        Those to train on.
    X_val, y_val, sample_weight_val
        As given to fit.

    Raises
    ------
    ValueError
        One of the three without the others, other features than X's, classes that y has not, or what is wrong with X, y and
        weights otherwise; the message names the argument.
    """
    classes = examples.classes
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    if X_val is None or y_val is None:
        alone = [name for name, value in given.items() if value is not None]
        if alone:
            missing = "y_val" if y_val is None else "X_val"
            raise ValueError(f"{alone[0]} was given without {missing}: a validation set needs both X_val and y_val.")
        return None
    with _naming("X_val"):
        check_table(X_val, "X_val")
        _check_feature_names(estimator, X_val, reset=False)
        X_val = check_array(X_val, accept_sparse="csr", dtype=examples.X.dtype, order="C", input_name="X_val")
    check_magnitude(X_val, "X_val", getattr(estimator, "feature_names_in_", None))
    if X_val.shape[1] != examples.X.shape[1]:
        raise ValueError(f"X_val must have the {examples.X.shape[1]} features of X; got {X_val.shape[1]}.")
    n_rows = X_val.shape[0]
    weight = check_weight(sample_weight_val, n_rows, name="sample_weight_val", scalar=True, copy=True)
    if is_proba(y_val):
        _, proba = check_proba_targets(y_val, n_rows, classes, name="y_val", rows="X_val")
        return Examples(X_val, classes, weight, proba=proba)
    labels = label_vector(y_val, n_rows, name="y_val", rows="X_val", warn_column=True)
    return Examples(X_val, classes, weight, labels=encode_labels(labels, classes, name="y_val")[1])


@contextmanager
def _naming(argument: str) -> Iterator[None]:
    """Let errors name the argument that is wrong."""
    try:
        yield
    except ValueError as error:
        if argument in str(error):
            raise
        raise ValueError(f"{argument}: {error}") from error


class ValidationScores(NamedTuple):
    """Weighted means over a validation set.

    Attributes
    ----------
    cross_entropy : float
        In nats.
    accuracy : float
        In [0, 1].
    """

    cross_entropy: float
    accuracy: float


class ValidationSet:
    r"""Held-out rows with their targets.

    .. math:: -\sum_i v_i \sum_k t_{ik} \log p_k(x_i), \qquad \sum_i v_i = 1

    with the probabilities p that would be predicted, whatever loss is trained, and the targets t as they were given, not
    smoothed. Rows are scored block by block: no array of (n_rows, n_classes) exists.

    Parameters
    ----------
    rows : Rows
    targets : Targets
        Of the same rows; their weights hold the class weights of the training rows.
    loss : Loss
        Turns logits into log-probabilities.
    pool : executor or None
        Threads to map over segments of the rows; the scores are the same bits for any number.
    n_threads : int

    Raises
    ------
    ValueError
        The loss has no probabilities.
    """

    def __init__(
        self,
        rows: Rows,
        targets: Targets,
        loss: Loss,
        *,
        pool: ThreadPoolExecutor | None = None,
        n_threads: int = 1,
    ) -> None:
        if not loss.has_proba:
            raise ValueError(f"{type(loss).__name__} has no probabilities; a validation set is judged by their cross-entropy.")
        self._rows = rows
        self._targets = targets
        self._loss = loss
        self._pool = pool
        self._n_threads = n_threads

    @classmethod
    def of(
        cls,
        held_out: Examples,
        class_weights: NDArray[np.float64] | None,
        loss: Loss,
        *,
        pool: ThreadPoolExecutor | None,
        n_threads: int,
    ) -> ValidationSet:
        """Return the held-out examples, their classes weighted as those of the training rows.

        Raises
        ------
        ValueError
            No row is left that has weight, or the loss has no probabilities.
        """
        try:
            targets, _ = held_out.targets(class_weights)
        except ValueError as error:  # all else is checked
            weights = (
                "sample weights" if class_weights is None else f"sample weights and class weights of {class_weights.tolist()}"
            )
            raise ValueError(f"{weights} leave no weight on any row of the validation set.") from error
        return cls(as_rows(loss.prepare(held_out.X)), targets, loss, pool=pool, n_threads=n_threads)

    def evaluate(self, coef: NDArray, intercept: NDArray) -> ValidationScores:
        """Return cross-entropy and accuracy of coef (n_logits, n_features) and intercept (n_logits,)."""
        rows = self._rows
        kernel_coef = np.ascontiguousarray(coef if rows.class_major else coef.T, dtype=rows.dtype)
        kernel_intercept = intercept.astype(rows.dtype, copy=False)
        segments = rows.segments(len(intercept))

        def add(segment: Segment) -> NDArray[np.float64]:
            return self._segment(kernel_coef, kernel_intercept, segment)

        total = np.zeros(2)
        for part in map_in_order(self._pool if len(segments) > 1 else None, self._n_threads, add, segments):
            total += part
        return ValidationScores(float(total[0]), float(total[1]))

    def _segment(self, coef: NDArray, intercept: NDArray, segment: Segment) -> NDArray[np.float64]:
        start, stop = segment
        row_bytes = self._rows.dtype.itemsize * max(len(intercept), 2)
        n_rows = min(max(BLOCK_BYTES // row_bytes, MIN_BLOCK_ROWS), MAX_BLOCK_ROWS, stop - start)
        block = np.empty((n_rows, len(intercept)), dtype=self._rows.dtype)
        total = np.zeros(2)
        # Parameters that diverged have logits that are not finite; their scores are NaN and are never the best.
        with np.errstate(invalid="ignore", over="ignore"):
            for begin in range(start, stop, n_rows):
                end = min(begin + n_rows, stop)
                logits = block[: end - begin]
                self._rows.score(coef, intercept, begin, end, logits)
                total += self._block(logits, begin, end)
        return total

    def _block(self, logits: NDArray, start: int, stop: int) -> tuple[float, float]:
        """Return the weighted sums of the rows' cross-entropy and of what is predicted correctly."""
        targets, weight = self._targets, self._targets.weight[start:stop]
        predicted = self._loss.decide(logits)
        log_proba = self._loss.log_proba(logits)
        row = np.arange(stop - start)
        if targets.labels is not None:
            labels = targets.labels[start:stop]
            return -float(weight @ log_proba[row, labels]), float(weight @ (predicted == labels))
        # A row counts as one for each class, which the class weights weigh; the row's weight has their sum already.
        share = targets.proba[start:stop] * targets.class_weight  # type: ignore[index]
        total = share.sum(axis=1)
        share = np.divide(share, total[:, None], out=np.zeros_like(share), where=total[:, None] > 0)
        losses = -np.where(share > 0, share * log_proba, 0.0).sum(axis=1, dtype=np.float64)
        return float(weight @ losses), float(weight @ share[row, predicted])
