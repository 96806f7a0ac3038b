r"""Softmax, log-softmax, log-sum-exp and cross-entropy of arrays of logits; of probabilities, see ``sksoftmax.metrics``.

Conventions
-----------
``logits`` are (n_rows, n_classes), or (n_classes,) for one row; float32 stays float32, everything else becomes float64.
−inf is allowed (a class of probability zero), NaN and +inf are not. Sums are taken in float64. Units are nats. Results are
numerically stable: the largest logit of a row is subtracted before exponentials are taken.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .data.arrays import as_floats, check_logits, check_proba
from .data.weights import check_weight, scale_weight
from .kernels import rowwise as rowwise_kernels
from .kernels.losses import NO_CLASS_WEIGHT, NO_LABELS, NO_PROBA
from .kernels.losses import cross_entropy as cross_entropy_kernels

Reduction = Literal["mean", "sum", "none"]

__all__ = ["cross_entropy", "cross_entropy_gradient", "log_softmax", "logsumexp", "softmax"]


def softmax(logits: ArrayLike) -> NDArray:
    r"""Return the softmax of each row.

    .. math:: \mathrm{softmax}(z)_k = \frac{e^{z_k}}{\sum_j e^{z_j}}

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes) or (n_classes,)

    Returns
    -------
    proba : ndarray of the same shape, float32 or float64
        Non-negative, each row summing to one; NaN for a row whose logits are all −inf.

    Raises
    ------
    ValueError
        NaN or +inf among the logits, or another number of dimensions.

    References
    ----------
    Bridle (1990), "Probabilistic Interpretation of Feedforward Classification Network Outputs".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.functional import softmax
    >>> softmax([1.0, 2.0, 3.0]).round(4)
    array([0.09  , 0.2447, 0.6652])

    The softmax is invariant to a number added to all logits of a row:

    >>> X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> np.allclose(softmax(X), softmax(X + 1000.0))
    True
    """
    rows, shape = _rows(logits, copy=True)
    rowwise_kernels.softmax(rows, len(rows))
    return rows.reshape(shape)


def log_softmax(logits: ArrayLike) -> NDArray:
    r"""Return the logarithm of the softmax of each row, in nats.

    .. math:: \log \mathrm{softmax}(z)_k = z_k - \log \sum_j e^{z_j}

    Finite where the logits are, also where the probability underflows; values below the lowest finite number of the dtype are
    clipped to it.

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes) or (n_classes,)

    Returns
    -------
    log_proba : ndarray of the same shape, float32 or float64

    Raises
    ------
    ValueError
        NaN or +inf among the logits, or another number of dimensions.

    References
    ----------
    Blanchard, Higham & Higham (2021), "Accurately computing the log-sum-exp and softmax functions".

    Examples
    --------
    >>> from sksoftmax.functional import log_softmax
    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    """
    rows, shape = _rows(logits, copy=True)
    rowwise_kernels.log_softmax(rows, len(rows))
    return rows.reshape(shape)


def logsumexp(logits: ArrayLike) -> NDArray:
    r"""Return the log-sum-exp of each row, :math:`m + \log \sum_k e^{z_k - m}` with :math:`m = \max_k z_k`.

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes) or (n_classes,)

    Returns
    -------
    values : ndarray of shape (n_rows,) or (), float32 or float64
        −inf for a row whose logits are all −inf.

    Raises
    ------
    ValueError
        NaN or +inf among the logits, or another number of dimensions.

    References
    ----------
    Blanchard, Higham & Higham (2021), "Accurately computing the log-sum-exp and softmax functions".

    Examples
    --------
    >>> from sksoftmax.functional import logsumexp
    >>> logsumexp([[1000.0, 1000.0], [0.0, 0.0]]).round(4)
    array([1.0006931e+03, 6.9310000e-01])
    """
    rows, shape = _rows(logits, copy=False)
    values = np.empty(len(rows), dtype=rows.dtype)
    rowwise_kernels.logsumexp(rows, values)
    return values.reshape(shape[:-1])


def cross_entropy(
    logits: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> NDArray | np.floating:
    r"""Return the cross-entropy of logits against labels or class probabilities, in nats.

    .. math:: \ell(y, z) = \log \sum_j e^{z_j} - \sum_k t_k z_k

    where t is one-hot or the given row, smoothed to :math:`1 - \varepsilon` on the class and
    :math:`\varepsilon / (K - 1)` elsewhere.

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes) or (n_classes,)
        Logits, not probabilities: the softmax is applied here.
    y : array-like of shape (n_rows,) or (n_rows, n_classes)
        Class indices in ``0..n_classes - 1``, or rows of class probabilities. For one row of logits, an index or a row.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights of the rows.
    label_smoothing : float, default=0.0
        In [0, 1).
    reduction : {"mean", "sum", "none"}, default="mean"
        The weighted mean over the rows, the weighted sum, or each row's weighted loss.

    Returns
    -------
    loss : float32 or float64, or ndarray of shape (n_rows,) with ``reduction="none"``

    Raises
    ------
    ValueError
        Logits, labels, probabilities, weights or options that are not as above; the message names the first bad row.

    References
    ----------
    Good (1952), "Rational Decisions". Szegedy et al. (2016), "Rethinking the Inception Architecture for Computer Vision".

    Examples
    --------
    Logarithms of probabilities are logits:

    >>> import numpy as np
    >>> from sksoftmax.functional import cross_entropy
    >>> proba = np.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    >>> round(float(cross_entropy(np.log(proba), [0, 2])), 7)
    1.4978661
    >>> cross_entropy(np.log(proba), [0, 2], reduction="none").round(4)
    array([2.3026, 0.6931])
    """
    value, losses, gradient, weight = _cross_entropy(logits, y, sample_weight, label_smoothing, reduction)
    with np.errstate(over="ignore"):  # a sum that exceeds float32 becomes infinite
        return (weight * losses).astype(gradient.dtype) if reduction == "none" else gradient.dtype.type(value)


def cross_entropy_gradient(
    logits: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Literal["mean", "sum"] = "mean",
) -> NDArray:
    r"""Return the gradient of ``cross_entropy`` with respect to the logits.

    .. math:: \frac{\partial \ell}{\partial z_k} = \mathrm{softmax}(z)_k - t_k

    times the row's weight in the mean or sum.

    Parameters
    ----------
    logits, y, sample_weight, label_smoothing
        As for ``cross_entropy``.
    reduction : {"mean", "sum"}, default="mean"
        Reduction of the loss that is differentiated.

    Returns
    -------
    gradient : ndarray of the logits' shape, float32 or float64
        Each row sums to zero.

    Raises
    ------
    ValueError
        As ``cross_entropy``.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 4.4.

    Examples
    --------
    The gradient is the softmax less the one-hot target:

    >>> import numpy as np
    >>> from sksoftmax.functional import cross_entropy_gradient, softmax
    >>> logits = np.array([[2.0, 1.0, 0.0]])
    >>> cross_entropy_gradient(logits, [0]).round(4)
    array([[-0.3348,  0.2447,  0.09  ]])
    >>> np.allclose(cross_entropy_gradient(logits, [0]), softmax(logits) - [[1, 0, 0]])
    True
    """
    if reduction == "none":
        raise ValueError("reduction='none' has no gradient; use 'mean' or 'sum'.")
    _, _, gradient, _ = _cross_entropy(logits, y, sample_weight, label_smoothing, reduction)
    return gradient.reshape(np.shape(logits))


def _cross_entropy(
    logits: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, label_smoothing: float, reduction: str
) -> tuple[float, NDArray[np.float64], NDArray, NDArray[np.float64]]:
    """Return the reduced value, the rows' losses, the gradient in the logits' dtype and the rows' weights."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}.")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing!r}.")
    rows, shape = _rows(logits, copy=True)
    n_rows, n_classes = rows.shape
    if n_classes < 2:
        raise ValueError("logits must have at least two columns, one a class; got one.")
    weight = check_weight(sample_weight, n_rows)
    if reduction == "mean":
        weight, _ = scale_weight(weight)
        weight = weight / weight.sum()
    targets = np.asarray(y)
    targets = targets.reshape(1, *targets.shape) if len(shape) == 1 else targets
    losses, parameters = np.empty(n_rows), np.array([label_smoothing], dtype=np.float64)
    if targets.ndim == 2:
        proba = check_proba(targets, "y", shape=rows.shape)
        ones = np.ones(n_classes)
        value = cross_entropy_kernels.cross_entropy_proba(NO_LABELS, proba, ones, weight, parameters, 0, n_rows, rows, losses)
    else:
        labels = _labels(targets, n_rows, n_classes)
        value = cross_entropy_kernels.cross_entropy_labels(
            labels, NO_PROBA, NO_CLASS_WEIGHT, weight, parameters, 0, n_rows, rows, losses
        )
    return value, losses, rows, weight


def _rows(logits: ArrayLike, *, copy: bool) -> tuple[NDArray, tuple[int, ...]]:
    """Return logits as C-contiguous rows of float32 or float64, and the shape that was given."""
    given = as_floats(logits, "logits")
    if given.ndim not in (1, 2) or given.shape[-1] == 0:
        raise ValueError(f"logits must be (n_rows, n_classes) or (n_classes,), got an array of shape {given.shape}.")
    rows = (np.array(given, order="C") if copy else np.ascontiguousarray(given)).reshape(-1, given.shape[-1])
    check_logits(rows, "logits")
    return rows, given.shape


def _labels(y: NDArray, n_rows: int, n_classes: int) -> NDArray[np.int32]:
    """Return class indices; raise a ValueError unless they are integers in 0..n_classes - 1, one a row."""
    if y.shape != (n_rows,):
        raise ValueError(f"y must be labels of shape ({n_rows},) or rows of shape ({n_rows}, {n_classes}), got {y.shape}.")
    labels = y.astype(np.int32) if y.dtype.kind in "iub" else None
    if labels is None or not np.array_equal(labels, y):
        raise ValueError(f"y must hold integer class indices or rows of class probabilities, got dtype {y.dtype}.")
    bad = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if len(bad):
        raise ValueError(f"y must be in 0..{n_classes - 1} for {n_classes} columns of logits, got {y[bad[0]]} in row {bad[0]}.")
    return labels
