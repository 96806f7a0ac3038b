r"""Information measures: entropy, divergences, perplexity, code length and mutual information.

What lives here: metrics in nats or bits, except cross-entropy itself (``scoring_rules``).

Identities, with the mean over rows, truth q and prediction p: cross-entropy(q, p) = entropy(q) + KL(q ‖ p); perplexity =
exp(cross-entropy in nats); mutual information = entropy of the labels − their entropy given the decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels import metrics as kernels
from ._decisions import check_decisions
from ._inputs import Unit, check_predictions, check_rows, in_unit
from .scoring_rules import cross_entropy_loss


def entropy(proba: ArrayLike, *, unit: Unit = "nats") -> NDArray[np.float64]:
    r"""Return the entropy of each row, :math:`-\sum_k p_k \log p_k`.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes), float32 or float64
        Rows of class probabilities.
    unit : {"nats", "bits"}, default="nats"

    Returns
    -------
    entropies : ndarray of shape (n_rows,), float64
        In ``unit``, in [0, log(n_classes)]: 0 for one-hot rows, log(n_classes) for uniform rows.

    Raises
    ------
    ValueError
        Rows that are no distributions, or another unit.

    References
    ----------
    Shannon (1948), "A Mathematical Theory of Communication".

    Examples
    --------
    >>> from sksoftmax.metrics import entropy
    >>> entropy([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]], unit="bits").round(3)
    array([1.   , 0.   , 0.811])
    """
    rows = check_rows(proba, "proba")
    entropies = np.empty(len(rows))
    kernels.cross_entropies(rows, rows, 0.0, entropies)
    return in_unit(entropies, unit)


def kl_divergence(proba: ArrayLike, other: ArrayLike, *, unit: Unit = "nats") -> NDArray[np.float64]:
    r"""Return the Kullback–Leibler divergence of each row from that of ``other``, :math:`\sum_k p_k \log (p_k / q_k)`.

    The expected excess of the cross-entropy of q over that of p, where p is true; not symmetric.

    Parameters
    ----------
    proba, other : array-like of shape (n_rows, n_classes), float32 or float64
        Rows of class probabilities: the true p and the predicted q.
    unit : {"nats", "bits"}, default="nats"

    Returns
    -------
    divergences : ndarray of shape (n_rows,), float64
        In ``unit``, in [0, ∞]: 0 for equal rows, infinite where q is 0 and p is not.

    Raises
    ------
    ValueError
        Rows that are no distributions, shapes that differ, or another unit.

    References
    ----------
    Kullback & Leibler (1951), "On Information and Sufficiency".

    Examples
    --------
    >>> from sksoftmax.metrics import kl_divergence
    >>> kl_divergence([[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]], unit="bits")
    array([1., 0.])
    """
    rows, others = _pair(proba, other)
    return in_unit(_divergence(rows, others), unit)


def jensen_shannon_divergence(proba: ArrayLike, other: ArrayLike, *, unit: Unit = "nats") -> NDArray[np.float64]:
    r"""Return the Jensen–Shannon divergence of each row and that of ``other``: the mean divergence from their midpoint.

    .. math:: \tfrac12 \mathrm{KL}(p \Vert m) + \tfrac12 \mathrm{KL}(q \Vert m), \quad m = (p + q) / 2

    Parameters
    ----------
    proba, other : array-like of shape (n_rows, n_classes), float32 or float64
        Rows of class probabilities.
    unit : {"nats", "bits"}, default="nats"

    Returns
    -------
    divergences : ndarray of shape (n_rows,), float64
        In ``unit``, in [0, log 2]: 0 for equal rows, one bit for rows with disjoint supports. Its square root is a metric.

    Raises
    ------
    ValueError
        Rows that are no distributions, shapes that differ, or another unit.

    References
    ----------
    Lin (1991), "Divergence Measures Based on the Shannon Entropy".

    Examples
    --------
    >>> from sksoftmax.metrics import jensen_shannon_divergence
    >>> jensen_shannon_divergence([[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]], unit="bits")
    array([1., 0.])
    """
    rows, others = _pair(proba, other)
    total = rows + others
    # Half of the smallest subnormal number would be zero.
    middle = np.maximum(total / 2, np.minimum(total, np.finfo(total.dtype).smallest_subnormal))
    return in_unit((_divergence(rows, middle) + _divergence(others, middle)) / 2, unit)


def _pair(proba: ArrayLike, other: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return two tables of distributions of one shape and dtype; raise a ValueError if their shapes differ."""
    rows, others = check_rows(proba, "proba"), check_rows(other, "other")
    if rows.shape != others.shape:
        raise ValueError(f"other must be rows of class probabilities of shape {rows.shape}, got {others.shape}.")
    dtype = np.result_type(rows, others)
    return rows.astype(dtype, copy=False), others.astype(dtype, copy=False)


def _divergence(rows: NDArray, others: NDArray) -> NDArray[np.float64]:
    """Return the Kullback–Leibler divergence of each row from that of ``others``, in nats."""
    divergences = np.empty(len(rows))
    kernels.divergences(rows, others, divergences)
    return divergences


def perplexity_loss(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    from_logits: bool = False,
    floor: float = 0.0,
) -> float:
    r"""Return the perplexity, :math:`e^{\text{cross-entropy}}`: the effective number of classes; smaller is better.

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, from_logits, floor
        As for ``cross_entropy_loss``.

    Returns
    -------
    loss : float
        In [1, ∞], a number of classes: 1 for correct one-hot predictions, n_classes for uniform probabilities.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``.

    References
    ----------
    Jelinek, Mercer, Bahl & Baker (1977), "Perplexity: a measure of the difficulty of speech recognition tasks".

    Examples
    --------
    >>> from sksoftmax.metrics import perplexity_loss
    >>> round(perplexity_loss([0, 1], [[0.5, 0.5], [0.5, 0.5]]), 6)
    2.0
    """
    nats = cross_entropy_loss(y_true, y_proba, labels=labels, sample_weight=sample_weight, from_logits=from_logits, floor=floor)
    with np.errstate(over="ignore"):
        return float(np.exp(nats))


def code_length_loss(
    y_true: Any,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    floor: float = 0.0,
    whole_bits: bool = False,
) -> float:
    r"""Return the mean code length of the labels under the predictions, in bits; smaller is better.

    .. math:: -\sum_i w_i \log_2 p_{i y_i} \Big/ \sum_i w_i

    Parameters
    ----------
    y_true, y_proba, labels, sample_weight, floor
        As for ``cross_entropy_loss``.
    whole_bits : bool, default=False
        Whether each label has its own code word, of :math:`\lceil -\log_2 p_{i y_i} \rceil` bits (Shannon's code). By default
        lengths are not rounded up, as in arithmetic coding of many labels: the mean is the cross-entropy in bits, and less than
        one bit below the mean of whole bits.

    Returns
    -------
    loss : float
        In [0, ∞], bits per label: 0 for correct one-hot predictions, log2(n_classes) for uniform probabilities.

    Raises
    ------
    ValueError
        As ``cross_entropy_loss``.

    References
    ----------
    Cover & Thomas (2006), "Elements of Information Theory", theorem 5.4.3.

    Examples
    --------
    >>> from sksoftmax.metrics import code_length_loss
    >>> proba = [[0.25, 0.75], [0.75, 0.25]]
    >>> code_length_loss([0, 1], proba), round(code_length_loss([1, 0], proba), 3)
    (2.0, 0.415)
    >>> code_length_loss([1, 0], proba, whole_bits=True)
    1.0
    """
    if not whole_bits:
        return cross_entropy_loss(y_true, y_proba, labels=labels, sample_weight=sample_weight, floor=floor, unit="bits")
    given = check_predictions(y_true, y_proba, labels=labels, sample_weight=sample_weight)
    with np.errstate(divide="ignore"):
        if given.target is None:
            return float(given.weight @ np.ceil(0.0 - np.log2(np.maximum(given.at_target(given.proba), floor))))
        lengths = np.ceil(0.0 - np.log2(np.maximum(given.proba, floor, dtype=np.float64)))
    # 0 times infinity is 0 here: classes of target probability 0 do not count.
    lengths[given.target == 0] = 0.0
    return float(given.weight @ given.at_target(lengths))


def mutual_information_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    unit: Unit = "nats",
) -> float:
    r"""Return the mutual information of labels and decided classes; greater is better.

    .. math:: \sum_{k,l} c_{kl} \log \frac{c_{kl}}{c_{k\cdot} \, c_{\cdot l}}

    where c is the confusion matrix, normalised to sum to one. The estimate is biased upwards by about
    :math:`(n_\text{classes} - 1)^2 / 2 n_\text{rows}` nats.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or rows of class probabilities.
    y_pred : array-like of shape (n_rows,) or (n_rows, n_classes)
        Decided labels, or rows of class probabilities, of which the most probable class is decided.
    labels : array-like of shape (n_classes,), default=None
        The labels, in the order of columns if there are any.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights of the rows.
    unit : {"nats", "bits"}, default="nats"

    Returns
    -------
    score : float
        In ``unit``, in [0, entropy of the labels]: 0 for decisions independent of the label, such as constant ones; the entropy
        of the labels for decisions that determine the label, consistently wrong ones included.

    Raises
    ------
    ValueError
        Input that is not as above; the message names the parameter and the first bad row.

    References
    ----------
    Shannon (1948), "A Mathematical Theory of Communication".

    Examples
    --------
    >>> from sksoftmax.metrics import mutual_information_score
    >>> mutual_information_score([0, 0, 1, 1], [0, 0, 1, 1], unit="bits")
    1.0
    >>> mutual_information_score([0, 0, 1, 1], [0, 1, 0, 1], unit="bits")
    0.0
    """
    joint = check_decisions(y_true, y_pred, labels=labels, sample_weight=sample_weight).confusion_matrix()
    rows, columns = np.nonzero(joint)
    cells = joint[rows, columns]
    # Divided one after the other: the product of two small marginals may underflow.
    ratio = cells / joint.sum(axis=1)[rows] / joint.sum(axis=0)[columns]
    return in_unit(max(float(cells @ np.log(ratio)), 0.0), unit)
