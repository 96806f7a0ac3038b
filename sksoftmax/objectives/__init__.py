"""Objectives: functions of one flat vector that solvers minimise.

What lives here: one objective a file, what is made of its second derivatives, and the contracts between objectives and solvers.
What doesn't: losses, penalties, solvers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._contracts import FiniteSum, HasDual, HasHessian, HasPreconditioner
    from .cosine import CosineObjective
    from .linear import LinearObjective
    from .logit_scaling import LogitScalingObjective

    def _contracts_met(
        linear: LinearObjective, cosine: CosineObjective, scaling: LogitScalingObjective
    ) -> tuple[list[HasHessian], list[HasPreconditioner], list[HasDual], list[FiniteSum]]:
        """Hold each objective to the contracts that it has the members of: a type checker reads this, nobody runs it."""
        return [linear, scaling], [linear, cosine, scaling], [linear, scaling], [linear]
