"""What a solver requires and an objective or a stopping rule lacks: the one place that words the refusal.

What lives here: whether an objective meets a contract, and the error where it does not. What doesn't: the contracts
(``objectives._contracts``), and what a solver requires (``Solver.requires``).
"""

from __future__ import annotations

from functools import cache
from typing import Protocol, TypeGuard, TypeVar

from ..objectives._contracts import Differentiable, FiniteSum, HasDual, HasHessian, HasPreconditioner, HasProx

Contract = TypeVar("Contract")

# What an objective has that meets a contract.
NOUNS: dict[type, str] = {
    HasHessian: "Hessian",
    HasPreconditioner: "preconditioner",
    HasProx: "proximal operator",
    HasDual: "duality gap",
    FiniteSum: "rows to take steps from",
}
# What does with less, by what the objective has: the first that it has.
ALTERNATIVES: dict[type, str] = {
    HasPreconditioner: "solver='block-lbfgs'",
    Differentiable: "solver='lbfgs'",
    HasProx: "a solver that requires HasProx",
}


def meets(objective: object, contract: type[Contract]) -> TypeGuard[Contract]:
    """Return whether an objective has all members of a contract and does not say that it lacks it."""
    return what_lacks(objective, contract) is None


def what_lacks(objective: object, contract: type) -> str | None:
    """Return the clause that says what an objective lacks of a contract, or None."""
    for part in contracts_of(contract):
        # Not by isinstance: that would compute properties, some of which pass over the rows.
        own = vars(objective)
        missing = [name for name in members(part) if name not in own and not hasattr(type(objective), name)]
        if missing:
            return f"{type(objective).__name__} has no {NOUNS.get(part, ', '.join(missing))}"
    reasons = (objective.lacks(part) for part in contracts_of(contract))  # type: ignore[attr-defined]  # it has all members
    return next((reason for reason in reasons if reason is not None), None)


@cache
def contracts_of(contract: type) -> tuple[type, ...]:
    """Return the protocols that a contract extends, and itself at the end."""
    return tuple(part for part in reversed(contract.__mro__) if getattr(part, "_is_protocol", False) and part is not Protocol)


@cache
def members(contract: type) -> tuple[str, ...]:
    """Return the names that a protocol itself asks for."""
    return tuple(name for name in vars(contract) if not name.startswith("_"))


def refuse_lacking(objective: object, requires: tuple[type, ...]) -> None:
    """Do nothing if an objective meets all contracts that a solver requires.

    Raises
    ------
    ValueError
        It does not; the message says what it lacks and which solver does not need it.
    """
    for contract in requires:
        reason = what_lacks(objective, contract)
        if reason is not None:
            advice = (other for contract, other in ALTERNATIVES.items() if meets(objective, contract))
            raise ValueError(reason + next((f"; use {other}" for other in advice), "") + ".")


def refuse_no_tol(tol: float | None, takes_no_tol: bool, solver: object) -> None:
    """Do nothing if there is a tolerance, or the solver needs none.

    Parameters
    ----------
    tol : float or None
    takes_no_tol : bool
        As the solver's class has it.
    solver : object
        As the user gave it.

    Raises
    ------
    ValueError
        There is none and it needs one.
    """
    if tol is None and not takes_no_tol:
        raise ValueError(f"tol=None, no tolerance, needs a stochastic solver or SAGA; got solver={solver!r}.")
