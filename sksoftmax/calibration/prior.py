"""Prior correction: removal of the effect of class weights from predicted probabilities, in closed form.

What lives here: ``PriorCorrection``. What doesn't: calibrators that are fitted to outcomes.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._sklearn import StrOptions
from ..data.targets import compute_class_weights
from ..losses import Targets
from ._base import Calibrator


class PriorCorrection(Calibrator):
    r"""Correction of a classifier's probabilities for the class weights that it was trained with.

    .. math:: z_k - \log w_k

    A classifier trained with weights :math:`w_k` on the classes (or with rows over- or undersampled by class) estimates
    :math:`w_k \, p(k \mid x) / \sum_j w_j \, p(j \mid x)`: the weights add :math:`\log w_k` to each logit. Only class
    frequencies are estimated from the outcomes, so that few rows are enough. Exact for a correctly specified model; in a
    misspecified one the weights also change the coefficients, which are not corrected.

    Parameters
    ----------
    class_weight : dict or "balanced", default="balanced"
        The classifier's. "balanced" means :math:`w_k = n / (K n_k)` with the weight :math:`n_k` of the class in the rows of
        ``fit``, whose class frequencies must be those of the rows that the classifier was fitted to.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    log_weight_ : ndarray of shape (n_classes,), float64
        log w, subtracted from the logits.
    classes_ : ndarray of shape (n_classes,)
        The class of each column of logits and probabilities.
    n_features_in_ : int
        Columns of the logits: the number of classes, or 1 for two classes with one logit.

    Raises
    ------
    ValueError
        ``fit`` with a weight that is not positive, or with "balanced" on rows without some class.

    References
    ----------
    Saerens, Latinne & Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori probabilities".
    King & Zeng (2001), "Logistic regression in rare events data".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import PriorCorrection
    >>> correction = PriorCorrection(class_weight={"rare": 9.0, "common": 1.0})
    >>> correction.fit([[0.0, 0.0], [1.0, 2.0]], ["common", "rare"]).predict_proba([[0.0, 0.0]])
    array([[0.9, 0.1]])
    """

    _parameter_constraints: ClassVar[dict] = {
        **Calibrator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"})],
    }

    def __init__(
        self,
        class_weight: dict | Literal["balanced"] = "balanced",
        *,
        input: Literal["logits", "proba"] = "logits",
    ) -> None:
        super().__init__(input=input)
        self.class_weight = class_weight

    def fit(
        self, logits: Any, y: Any, sample_weight: ArrayLike | None = None, *, classes: ArrayLike | None = None
    ) -> PriorCorrection:
        before = dict(self.__dict__)
        try:
            super().fit(logits, y, sample_weight, classes=classes)
            self.log_weight_ = self._log_weight(self.__dict__.pop("_class_weight_sums"))
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        if targets.labels is not None:
            return {"_class_weight_sums": np.bincount(targets.labels, targets.weight, minlength=targets.n_classes)}
        return {"_class_weight_sums": targets.weight @ np.asarray(targets.proba)}

    def _log_weight(self, class_weight_sums: NDArray[np.float64]) -> NDArray[np.float64]:
        labels = np.arange(len(class_weight_sums), dtype=np.int32)  # a row a class
        weight = np.asarray(compute_class_weights(self.classes_, class_weight_sums, self.class_weight, labels=labels))
        if not np.all(weight > 0):
            lacking = self.classes_[np.flatnonzero(weight == 0)[0]]
            raise ValueError(f"class_weight={self.class_weight!r} gives class {lacking!r} no weight: it cannot be taken back.")
        return np.log(weight)

    # Saerens et al. estimate unknown class frequencies by EM, each E-step of which multiplies the probabilities by the ratios
    # of new to old frequencies and normalises. Here the ratios 1 / w are known: a single such step, and no iteration.
    def _transform(self, logits: NDArray) -> NDArray:
        return (logits - self.log_weight_).astype(logits.dtype)
