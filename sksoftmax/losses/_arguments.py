"""What compiled code asks for to sum a loss over rows.

What lives here: ``KernelArguments``, the one place that says what passes over rows are given of a loss and its targets, and in
which order. What doesn't: the kernels (``kernels.losses``), the passes over rows (``data``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.losses import CURVATURE, HESSIAN_PRODUCT, VALUE_AND_GRADIENT, BlockKernels

Address = int | Callable[..., Any]
"""Of a compiled kernel; the Python function itself where kernels are not compiled."""

SumArguments = tuple[Address, NDArray, NDArray, NDArray, NDArray, NDArray]
"""A kernel's address, labels, probabilities, class weights, row weights and hyperparameters."""

CurvatureArguments = tuple[Address, NDArray, NDArray, NDArray]
"""A kernel's address, labels, hyperparameters and row weights."""


class KernelArguments(NamedTuple):
    """The kernels of a loss, and what they read of the rows' targets.

    A pass over rows is compiled once for all losses and is given the address of a kernel, which is compiled on its first use.

    Attributes
    ----------
    kernels : BlockKernels
    labels, proba, class_weight, weight : ndarray
        As ``Targets.arrays`` has them.
    parameters : ndarray, float64
        Hyperparameters as the kernels take them.
    """

    kernels: BlockKernels
    labels: NDArray[np.int32]
    proba: NDArray
    class_weight: NDArray[np.float64]
    weight: NDArray[np.float64]
    parameters: NDArray[np.float64]

    def value_and_gradient(self, dtype: np.dtype) -> SumArguments:
        """Return what passes that sum value and gradient take: the kernel's address for logits of a dtype, and all else."""
        _, labels, proba, class_weight, weight, parameters = self
        address = VALUE_AND_GRADIENT.address(self._value_and_gradient, proba.dtype, dtype)
        return address, labels, proba, class_weight, weight, parameters

    def hessian_product(self, dtype: np.dtype) -> CurvatureArguments:
        """Return what passes that sum Hessian products take: the kernel's address, labels, parameters, weights."""
        address = HESSIAN_PRODUCT.address(self.kernels.hessian_product, dtype)
        return address, self.labels, self.parameters, self.weight

    def curvature(self, dtype: np.dtype) -> CurvatureArguments:
        """Return what passes that sum second derivatives by each logit take: as ``hessian_product``."""
        return CURVATURE.address(self.kernels.curvature, dtype), self.labels, self.parameters, self.weight

    def fill_value_and_gradient(self, start: int, stop: int, logits: NDArray) -> float:
        """Replace logits, of rows start:stop, by the weighted gradient by them; return the weighted loss."""
        return self._value_and_gradient(*self[1:], start, stop, logits, np.empty(stop - start))

    def fill_curvature(self, start: int, stop: int, logits: NDArray) -> None:
        """Replace logits, of rows start:stop, by the second derivatives of their losses by each, without weights."""
        self.kernels.curvature(self.labels, self.parameters, start, stop, logits)

    def fill_pairs(self, start: int, stop: int, logits: NDArray, out: NDArray[np.float64]) -> None:
        """Fill out, (n_pairs, rows), with the weighted second derivatives by pairs of logits; these are scratch afterwards."""
        self.kernels.pairs(self.labels, self.parameters, self.weight, start, stop, logits, out)

    @property
    def _value_and_gradient(self) -> Any:
        if len(self.labels) > 0:
            return self.kernels.value_and_gradient_of_labels
        return self.kernels.value_and_gradient_of_proba
