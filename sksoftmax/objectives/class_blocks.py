r"""Second derivatives of the loss within one class at a time, for preconditioners.

.. math:: H_k = \sum_i w_i \, \frac{\partial^2 \ell_i}{\partial z_{ik}^2} \, x_i x_i^\top

What lives here: these blocks and their diagonals in a common basis, as sums over rows. What doesn't: the whole Hessian, the
penalty, the order of the flat vector, and what is done with their inverses (``preconditioner``).

The second derivatives within a class are those of the loss's model, which are not negative: its own, unless it has none.

Blocks are taken over the *block columns*: all of them in dense rows, the heaviest in sparse ones, where the many rare columns
hardly occur together and their diagonal says it all.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import InMemoryDataset
from ..data.rows import Segment
from ..data.threads import map_in_order
from ..losses import BoundLoss
from .hessian import design_matrix

# Numbers per step: products long enough to outweigh adding them up, temporaries small beside X.
STEP_NUMBERS = 2**22
# Features from which one block of it is worth handing to a thread.
THREADED_FEATURES = 32
# Pieces of the rows whose sums along a basis are taken side by side: each is an array of classes by columns.
DIAGONAL_SEGMENTS = 4
# A row whose curvature for a class is less is all but decided about it.
DECIDED = 0.01
# Rows whose least curvature for a class is such a share of the greatest are alike about it.
ALIKE = 0.9
# Sums over many wide rows are first taken from a sample: one row in at most four, but so many rows a column, in runs that are
# short beside any order of the rows.
MAX_STRIDE, SAMPLED_WIDTH, SAMPLED_ROWS, RUN = 4, 128, 16, 64


class CurvatureChunk(NamedTuple):
    """Some rows: their block columns with the ones of the intercept, curvature by each logit, and weights."""

    design: NDArray
    curvature: NDArray
    weight: NDArray[np.float64]


class ClassBlocks:
    """Sums of the rows' second derivatives by one logit; see the module's formula.

    Blocks of many wide rows may be taken from one run of rows in ``stride``, scaled to the weight of all.

    Parameters
    ----------
    data : InMemoryDataset
    loss : BoundLoss
    fit_intercept : bool

    Attributes
    ----------
    columns : ndarray of int
        The block columns, ascending.
    covers_all : bool
        Whether no column is left out of them.
    width : int
        Block columns, and one for the intercept if there is one.
    stride : int
        The largest stride that leaves enough rows: 1, 2 or 4.
    """

    def __init__(self, data: InMemoryDataset, loss: BoundLoss, *, fit_intercept: bool) -> None:
        self._data, self._rows, self._loss, self._fit_intercept = data, data.rows, loss, fit_intercept
        self._pool, self._n_threads = data.pool, data.n_threads
        self.columns, self._column_rows = data.rows.block_columns(loss.n_logits)
        self.covers_all = len(self.columns) == data.n_features
        self.width = len(self.columns) + fit_intercept
        self._made_gram: tuple[NDArray[np.float64], NDArray[np.intp]] | None = None  # when first asked for
        self.stride = 1
        if self._column_rows is data.rows and self.width >= SAMPLED_WIDTH:
            while self.stride < MAX_STRIDE and 2 * self.stride * SAMPLED_ROWS * self.width <= data.n_rows:
                self.stride *= 2

    # H_k = Σ_i w_i c_ik x_i x_iᵀ costs n_rows · width² operations a class. In a fit most rows are soon decided about most
    # classes, with curvatures c_ik = p_k (1 - p_k) near zero. Those with c_ik ≤ DECIDED are not left out, as columns that only
    # they have would be without curvature and steps along these without bound; they enter as (Σ w_i c_ik) G with the Gram
    # matrix G = Σ w_i x_i x_iᵀ, made once: their total curvature is kept, and each is wrong about its own share of what is at
    # most a hundredth. The same serves where all c_ik are alike, as at zero coefficients.
    #
    # The sums may be of a sample: with 16 rows a column random ones would have eigenvalues within (1 ± 1/4)² of the whole
    # (Marchenko & Pastur 1967), close enough for a preconditioner. A sample is runs of 64 rows, one in ``stride``: contiguous
    # in memory, and short enough that rows in an order, as by class or by time, are met in their shares. Rows at random were
    # not taken: they cost a gather, and a random state.
    #
    # A column that is zero in most rows may be missed by a sample, and a step along it would have no bound: of the columns
    # whose diagonal in the sample's Gram matrix is less than half of that of all rows, one pass without products, the diagonal
    # entries are those of all rows.

    def blocks(self, coef: NDArray, intercept: NDArray, *, shared: bool = False, stride: int = 1) -> NDArray[np.float64]:
        """Return (n_logits, width, width) blocks, or the one of the classes' mean curvature, (1, width, width), if shared.

        An approximation in X's own precision: rows that are all but decided about a class enter its block through their
        total curvature times the Gram matrix.
        """
        blocks = np.zeros((1 if shared else self._loss.n_logits, self.width, self.width))
        decided, undecided = np.zeros(len(blocks)), np.zeros(len(blocks))
        # The next step is made while this one's blocks are added up.
        segments = cut(self._rows.n_rows, stride * self._step_rows(len(blocks)))
        for step in map_in_order(self._threads, 1, partial(self._step, coef, intercept, stride), segments):
            curvature = step.curvature.mean(axis=1, keepdims=True) if shared else step.curvature

            def add(k: int, step: CurvatureChunk = step, curvature: NDArray = curvature) -> None:
                own = curvature[:, k].astype(np.float64)
                alike = own.min() >= ALIKE * own.max()
                chosen = np.flatnonzero((own > DECIDED) & (step.weight > 0) & (not alike))
                shares = step.weight[chosen] * own[chosen]
                part = step.design[chosen]
                part *= np.sqrt(shares)[:, None].astype(part.dtype)
                blocks[k] += part.T @ part
                undecided[k] += shares.sum()
                decided[k] += step.weight @ own - shares.sum()

            self._map(add, range(len(blocks)))
        gram = self.gram
        missed = self._missed_columns if stride > 1 else np.empty(0, dtype=np.intp)
        for block, share, rest in zip(blocks, decided, undecided, strict=True):
            block += share * gram
            least = (share + rest) * gram[missed, missed]
            block[missed, missed] = np.maximum(block[missed, missed], least)
        blocks /= self._sampled(stride)
        return blocks

    def diagonals(self, coef: NDArray, intercept: NDArray, basis: NDArray[np.float64]) -> NDArray[np.float64]:
        r"""Return each class's :math:`v_j^\top H_k v_j` for the columns of basis (width, m), as (n_logits, m)."""
        # v_jᵀH_k v_j = Σ_i w_i c_ik (x_iᵀv_j)²: the products X V are those of all classes, and no block is made. The scale of
        # the columns is taken out first: float32 might overflow in the squares.
        scale = np.abs(basis).max(axis=1)
        scale[scale == 0] = 1
        turn, scale = (basis / scale[:, None]).astype(self._rows.dtype), scale.astype(self._rows.dtype)

        def add(segment: Segment) -> NDArray[np.float64]:
            total = np.zeros((self._loss.n_logits, basis.shape[1]))
            for rows in cut(segment[1], self._step_rows(1), segment[0]):
                step = self._step(coef, intercept, 1, rows)
                turned = (step.design * scale) @ turn
                turned *= turned
                total += (step.weight[:, None] * step.curvature).T.astype(turned.dtype) @ turned
            return total

        parts = cut(self._rows.n_rows, -(-self._rows.n_rows // DIAGONAL_SEGMENTS))
        return sum(map_in_order(self._threads, self._n_threads, add, parts))  # type: ignore[return-value]

    @property
    def gram(self) -> NDArray[np.float64]:
        """The weighted Gram matrix of the block columns, (width, width), from a sample of the rows if they are many."""
        return self._sampled_gram()[0]

    @property
    def _missed_columns(self) -> NDArray[np.intp]:
        """The columns that the sample behind ``gram`` misses, or most of."""
        return self._sampled_gram()[1]

    def _sampled_gram(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        # Not a cached_property: see ``LinearObjective._class_blocks``.
        if self._made_gram is None:
            self._made_gram = self._make_gram()
        return self._made_gram

    def _make_gram(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return the Gram matrix and the columns that its sample misses, or most of.

        These keep the diagonal that all rows give: as if they were zero, a step along them would have no bound.
        """
        total, diagonal = np.zeros((self.width, self.width)), np.zeros(self.width)

        def add(segment: Segment) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            part = self._design(segment, self.stride)
            part *= np.sqrt(self._weight(segment, self.stride))[:, None].astype(part.dtype)
            if self.stride == 1:
                return part.T @ part, np.zeros(self.width)
            rest = design_matrix(self._column_rows, *segment, self._fit_intercept)
            rest *= rest
            return part.T @ part, self._data.targets.weight[slice(*segment)].astype(rest.dtype) @ rest

        segments = cut(self._rows.n_rows, self._step_rows(1))
        for part, squares in map_in_order(self._threads, self._n_threads, add, segments):
            total += part
            diagonal += squares
        total /= self._sampled(self.stride)
        missed = np.flatnonzero(total.diagonal() < diagonal / 2)
        total[missed, missed] = diagonal[missed]
        return total, missed

    def _step(self, coef: NDArray, intercept: NDArray, stride: int, segment: Segment) -> CurvatureChunk:
        weight = self._weight(segment, stride)
        logits = np.empty((len(weight), len(intercept)), dtype=self._rows.dtype)
        model = self._loss.model_arguments(self._data.targets)
        filled = 0
        for start, stop in runs(segment, stride):
            self._rows.score(coef, intercept, start, stop, logits[filled:])
            model.fill_curvature(start, stop, logits[filled:])
            filled += stop - start
        # Column by column: the classes are taken one at a time.
        return CurvatureChunk(self._design(segment, stride), np.asfortranarray(logits), weight)

    def _design(self, segment: Segment, stride: int) -> NDArray:
        parts = [design_matrix(self._column_rows, start, stop, self._fit_intercept) for start, stop in runs(segment, stride)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _weight(self, segment: Segment, stride: int) -> NDArray[np.float64]:
        parts = [self._data.targets.weight[start:stop] for start, stop in runs(segment, stride)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _sampled(self, stride: int) -> float:
        """Return the share of the rows' weight that a sample holds; all if it holds none."""
        return float(self._weight((0, self._rows.n_rows), stride).sum()) or 1.0

    def _step_rows(self, n_blocks: int) -> int:
        """Return the rows per step: temporaries stay small beside X, or beside the blocks where these are many."""
        per_row = max(self.width, 16 * self._loss.n_logits)
        n_rows = max(STEP_NUMBERS, n_blocks * self.width**2 // 4) // per_row
        whole = RUN * MAX_STRIDE  # so that steps cut no sample short
        return int(np.clip(n_rows // whole * whole, whole, 16384))

    @property
    def _threads(self) -> ThreadPoolExecutor | None:
        return self._pool if self.width >= THREADED_FEATURES else None

    def _map(self, function, items) -> None:  # type: ignore[no-untyped-def]
        for _ in map_in_order(self._threads, 2 * self._n_threads, function, items):
            pass


def cut(stop: int, n_rows: int, start: int = 0) -> Iterator[Segment]:
    """Yield the segments of n_rows rows, the last one shorter, that make up the rows start:stop."""
    return ((i, min(i + n_rows, stop)) for i in range(start, stop, n_rows))


def runs(segment: Segment, stride: int) -> list[Segment]:
    """Return the runs of the rows of segment that a sample of one in stride holds."""
    if stride == 1:
        return [segment]
    return [(i, min(i + RUN, segment[1])) for i in range(segment[0], segment[1], RUN * stride)]
