"""The contract of every loss.

What lives here: ``Loss``. What doesn't: the loss that ``bind`` returns (``_bound``), targets (``_targets``), any
particular loss, compiled code (``kernels``), the sum over rows and the penalty (``objectives``), encoding of labels
(``data.targets``).

Conventions
-----------
A ``Loss`` holds hyperparameters only. ``bind`` joins it to the classes of one data set; the ``BoundLoss`` says which kernel
sums it and with what. Units are nats.
"""

from __future__ import annotations

from abc import ABC
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._params import ParamsMixin
from ..kernels import rowwise as rowwise_kernels
from ..kernels.losses import LossKernels
from ..kernels.losses.cross_entropy import CROSS_ENTROPY
from ._bound import BoundLoss, Model, two_logits
from ._decision import decide
from ._targets import Targets


class Loss(ParamsMixin, ABC):
    """Contract of every loss: hyperparameters, ``bind`` for fitting, ``proba`` and ``log_proba`` for predicting.

    What a subclass does not say of itself is not relied upon, but for a gradient: by default a loss is neither convex nor
    invariant to shifts, has no Hessian, and no bound on its second derivatives. A subclass of a loss with a kernel that defines
    ``value_and_gradient`` is fitted by that, and only the kernel's curvature is left, for preconditioners.

    Attributes
    ----------
    convex : bool
        Whether it is a convex function of the logits.
    strictly_convex : bool
        Whether, besides, its second derivatives vanish nowhere but along shifts of all logits.
    shift_invariant : bool
        Whether adding one number to all logits of a row changes nothing.
    has_hessian : bool
        Whether it has second derivatives that solvers may use; one in plain array code has none.
    smooth : bool
        Whether it has a gradient everywhere. This is taken for granted unless a loss says that it has kinks.
    unit_norm : bool
        Whether its logits are cosines: rows and weights of unit length, without intercept and penalty.
    has_proba : bool
        Whether its logits stand for class probabilities.
    takes_proba : bool
        Whether it can be fitted to rows of class probabilities.
    """

    convex: ClassVar[bool] = False
    strictly_convex: ClassVar[bool] = False
    shift_invariant: ClassVar[bool] = False
    unit_norm: ClassVar[bool] = False
    has_proba: ClassVar[bool] = True
    takes_proba: ClassVar[bool] = True

    @property
    def has_hessian(self) -> bool:
        """Whether it has second derivatives that solvers may use; one in plain array code has none."""
        return False

    @property
    def smooth(self) -> bool:
        """Whether it has a gradient everywhere; where it has kinks, a predicted decrease is no evidence of the minimum."""
        return True

    def bind(self, targets: Targets) -> BoundLoss:
        """Return the loss for these targets, of which it takes the number of classes and their shares.

        Parameters
        ----------
        targets : Targets
            Of which ``n_classes``, ``prior`` and whether there are labels are read, no single row.

        Raises
        ------
        ValueError
            A hyperparameter is out of its range, or the targets are rows of class probabilities and it takes none.
        """
        if not self.takes_proba:
            self._require_labels(targets)
        return self._bound(targets, None, [], has_no_minimum_when_separable=False)

    def value_and_gradient(self, logits: NDArray, labels: NDArray[np.int32]) -> tuple[NDArray, NDArray]:
        """Return the losses of rows and their derivatives by the logits, in plain array code.

        All that a loss of one's own has to define; those of the table have kernels instead. Weights, rows of class
        probabilities and the single logit of two classes are seen to elsewhere.

        Parameters
        ----------
        logits : ndarray of shape (n_rows, n_classes), float32 or float64
            With two classes, too, a column for each.
        labels : ndarray of shape (n_rows,), int32
            Class indices.

        Returns
        -------
        losses : ndarray of shape (n_rows,)
            In nats.
        gradient : ndarray of shape (n_rows, n_classes)
        """
        raise NotImplementedError(f"{type(self).__name__} has neither a kernel nor value_and_gradient.")

    def _bound(
        self,
        targets: Targets,
        kernels: LossKernels | None,
        parameters: ArrayLike,
        *,
        has_no_minimum_when_separable: bool,
        model: tuple[LossKernels, ArrayLike] | None = None,
    ) -> BoundLoss:
        """Return the loss with these kernel parameters; ``model`` is its own curvature, or cross-entropy's if it has none."""
        binary = targets.n_classes == 2
        own_model = None if kernels is None else (kernels, parameters)
        if type(self).value_and_gradient is not Loss.value_and_gradient:
            kernels = None  # of the class that this one inherits from
        parameters = np.array(parameters, dtype=np.float64)
        model = model or own_model or (CROSS_ENTROPY, [0.0])
        return BoundLoss(
            loss=self,
            n_classes=targets.n_classes,
            n_logits=1 if binary else targets.n_classes,
            shift_invariant=self.shift_invariant and not binary,
            kernels=kernels,
            parameters=parameters,
            model=Model(model[0], np.array(model[1], dtype=np.float64)),
            has_no_minimum_when_separable=has_no_minimum_when_separable,
        )

    def prepare(self, X: Any) -> Any:
        """Return rows as the loss wants them: dense or CSR X itself, or a copy."""
        return X

    def lipschitz_constant(self, n_classes: int) -> float:
        """Return what no second derivative of a row's loss along a direction of length one on its logits exceeds, if known."""
        return np.inf

    def proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) probabilities of (n_rows, n_logits) logits, which may be overwritten."""
        logits = two_logits(logits)
        rowwise_kernels.softmax(logits, len(logits))
        return logits

    def log_proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) log-probabilities of logits, which may be overwritten."""
        logits = two_logits(logits)
        rowwise_kernels.log_softmax(logits, len(logits))
        return logits

    def decide(self, logits: NDArray) -> NDArray[np.intp]:
        """Return the (n_rows,) indices of the decided classes of (n_rows, n_logits) or, for two classes, (n_rows,) logits.

        The class of greatest logit, the first of equal ones: the most probable one of a loss that has probabilities.
        """
        return decide(logits)

    @classmethod
    def require_proba(cls) -> None:
        """Do nothing if the loss's logits stand for probabilities.

        Raises
        ------
        AttributeError
            They do not.
        """
        if not cls.has_proba:
            raise AttributeError(f"{cls.__name__} has no probabilities: use predict or decision_function, or another loss.")

    def _require_labels(self, targets: Targets) -> None:
        if targets.labels is None:
            raise ValueError(f"{type(self).__name__} takes class labels; y holds rows of class probabilities.")


class SoftmaxLoss(Loss):
    """Base of cross-entropies of softmaxes, of logits as they are or shifted."""

    convex: ClassVar[bool] = True
    strictly_convex: ClassVar[bool] = True
    shift_invariant: ClassVar[bool] = True

    @property
    def has_hessian(self) -> bool:
        """Whether it has second derivatives that solvers may use: it has."""
        return True

    def lipschitz_constant(self, n_classes: int) -> float:
        """Return the largest curvature of cross-entropy: of p (1 - p), or of diag(p) - p pᵀ (Böhning 1992)."""
        return 0.25 if n_classes == 2 else 0.5


def check_number(name: str, value: Any, low: float, *, closed: bool) -> float:
    """Return value as a float.

    Raises
    ------
    ValueError
        It is not a finite number above low, or at low if closed.
    """
    number = float(value) if isinstance(value, Real) else np.nan
    if not (low <= number < np.inf and (closed or number > low)):
        raise ValueError(f"{name} must be in {'[' if closed else '('}{low:g}, inf), got {value!r}.")
    return number
