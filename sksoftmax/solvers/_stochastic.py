"""The contract of solvers that step after each minibatch, and the loop of epochs that they share.

What lives here: ``StochasticSolver``, its ``State`` between passes, when epochs end. What doesn't: the optimizers
(``stochastic``), schedules, the passes themselves (``data``).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np

from ..data.epochs import MinibatchPlan
from ..kernels import minibatch as kernels
from ..objectives._contracts import FiniteSum, Vector
from ._base import COLUMNS, Solver
from ._optimality import Distance, distance
from ._solution import History, Solution, Status, StoppingRule
from .schedules import SCHEDULES, Schedule

# The t-th point is added to the mean by mean ← mean + ω (point - mean) with ω = (1 + a) / (t + a), polynomial-decay averaging
# of degree a (Shamir & Zhang 2013): it then weighs about t^a, where ω = 1 / t would weigh all points alike and keep the start,
# which is far away, for as long as the fit takes. As 1 - ω = (t - 1) / (t + a), its weight among T points, ω_t Π_{s>t} (1-ω_s),
# is proportional to Γ(t + a) / Γ(t): for a = 3 to t (t + 1)(t + 2), and at t = 1 ω is 1, so that the start has none. The mean
# over the last half of the points does about as well and needs the number of steps beforehand. An exponential moving average,
# with constant ω, has noise that does not vanish with the number of steps.
AVERAGING = 3


def _empty() -> Vector:
    return np.empty(0)


@dataclass
class State:
    """What a solver keeps between passes; its vectors are flat, as the objective has them, and empty where not used.

    Attributes
    ----------
    params : ndarray of shape (n_params,), float64
    first_moment, second_moment : ndarray of shape (n_params,) or (0,), float64
        Moving averages or sums of the gradients and of their squares.
    mean : ndarray of shape (n_params,) or (0,), float64
        Of the points that steps ended at.
    n_steps, n_epochs : int
        Made so far.
    learning_rate : float
        Of the last step.
    """

    params: Vector
    first_moment: Vector = field(default_factory=_empty)
    second_moment: Vector = field(default_factory=_empty)
    mean: Vector = field(default_factory=_empty)
    n_steps: int = 0
    n_epochs: int = 0
    learning_rate: float = 0.0

    @property
    def vectors(self) -> tuple[Vector, Vector, Vector, Vector]:
        """Parameters, first and second moments, mean."""
        return self.params, self.first_moment, self.second_moment, self.mean

    @property
    def averaged_params(self) -> Vector:
        """The parameters to predict with: the mean if there is one."""
        return self.mean if len(self.mean) else self.params

    def map(self, function) -> State:  # type: ignore[no-untyped-def]
        """Return a state whose vectors are function of these, none of them shared; function is not called with an empty one."""
        params, first, second, mean = (function(vector) if len(vector) else vector for vector in self.vectors)
        return replace(self, params=params, first_moment=first, second_moment=second, mean=mean)


@dataclass
class StochasticSolver(Solver[FiniteSum]):
    """Steps after each minibatch of shuffled rows; see the subclasses for the optimizers and ``SGD`` for the parameters."""

    learning_rate: float = 0.1
    batch_size: int = 256
    schedule: str | Schedule = "constant"
    average: bool = False
    decoupled: bool = False
    init_scale: float = 0.0

    requires: ClassVar[tuple[type, ...]] = (FiniteSum,)
    takes_no_tol: ClassVar[bool] = True
    has_partial_fit: ClassVar[bool] = True
    benefits_from_rotation: ClassVar[bool] = False
    tables: ClassVar = {"schedule": SCHEDULES}
    name: ClassVar[str]
    optimizer: ClassVar[int]
    n_moments: ClassVar[tuple[bool, bool]] = (False, False)

    @property
    @abstractmethod
    def _hyperparameters(self) -> dict[str, float]:
        """Those fields of ``kernels.minibatch.HYPERPARAMETERS`` that the optimizer uses."""

    @property
    def _moments(self) -> tuple[bool, bool]:
        """Whether the optimizer keeps first and second moments."""
        return self.n_moments

    def _rates(self, rates: Vector, n_before: int) -> tuple[Vector, Vector]:
        """Return rates and epsilons of steps after n_before of them."""
        return rates, np.full(len(rates), getattr(self, "epsilon", 0.0))

    def check(self, objective: FiniteSum) -> None:
        super().check(objective)
        self.check_hyperparameters()

    def check_hyperparameters(self) -> None:
        """Raise a ValueError that names the first one out of its range."""
        allowed = {
            "learning_rate": (Real, lambda value: 0 < value < np.inf, "a positive number"),
            "batch_size": (Integral, lambda value: value >= 1, "a positive integer"),
            "init_scale": (Real, lambda value: 0 <= value < np.inf, "a non-negative number"),
            "epsilon": (Real, lambda value: 0 <= value < np.inf, "a non-negative number"),
        } | {
            name: (Real, lambda value: 0 <= value < 1, "a number in [0, 1)") for name in ("momentum", "beta_1", "beta_2", "rho")
        }
        for name in (each.name for each in fields(self)):
            value = getattr(self, name)
            if name in allowed:
                kind, holds, what = allowed[name]
                if isinstance(value, bool) or not isinstance(value, kind) or not holds(value):
                    raise ValueError(f"{type(self).__name__}: {name} must be {what}, got {value!r}.")
        if not (isinstance(self.schedule, Schedule) or self.schedule in SCHEDULES):
            names = ", ".join(map(repr, sorted(SCHEDULES)))
            raise ValueError(f"{type(self).__name__}: schedule must be one of {names} or an object, got {self.schedule!r}.")

    # -- passes ----------------------------------------------------------------------------------------------------

    def start(self, objective: FiniteSum) -> Vector:
        self.check_hyperparameters()
        return objective.random_start(self.init_scale) if self.init_scale > 0 else np.zeros(objective.n_params)

    def begin(self, params: Vector) -> State:
        """Return the state before the first pass from params, which are not modified."""
        self.check_hyperparameters()
        first, second = (np.zeros(len(params) if kept else 0) for kept in self._moments)
        return State(params.copy(), first, second, np.zeros(len(params) if self.average else 0))

    def resume(self, state: State) -> State:
        """Return state with the vectors that this solver keeps, as its parameters may have changed since."""
        self.check_hyperparameters()
        n_params = len(state.params)
        kept = [vector if len(vector) else np.zeros(n_params) for vector in (state.first_moment, state.second_moment)]
        first, second = (vector if wanted else _empty() for vector, wanted in zip(kept, self._moments, strict=True))
        mean = (state.mean if len(state.mean) else state.params.copy()) if self.average else _empty()
        return replace(state, first_moment=first, second_moment=second, mean=mean)

    def advance(self, objective: FiniteSum, state: State, *, n_epochs: int | None = None, loss_scale: float = 1.0) -> float:
        """Run one epoch over the objective's rows, changing state; return the mean loss, each row's before its step.

        Parameters
        ----------
        objective : FiniteSum
        state : State
        n_epochs : int or None
            Of the whole fit, if known.
        loss_scale : float
            Factor of the loss, and not of the penalty: rows of a part of the data may weigh more or less than the others.

        Raises
        ------
        ValueError
            Steps so long that they ended at numbers that are not finite.
        """
        # A minibatch of m of n rows estimates the gradient of the sum by n / m times its own: without bias where m is the same
        # for all, and for the last and shorter one of an epoch too, as each is scaled by its own size. Rows come in a new
        # permutation each epoch, which converges faster than drawing with replacement (Gürbüzbalaban, Ozdaglar & Parrilo 2021)
        # and reads every row.
        order = objective.shuffled_rows()
        batch_size = min(self.batch_size, len(order))
        sizes = np.full(-(-len(order) // batch_size), float(batch_size))
        sizes[-1] = len(order) - batch_size * (len(sizes) - 1)
        schedule = SCHEDULES[self.schedule]() if isinstance(self.schedule, str) else self.schedule
        epochs = state.n_epochs + np.arange(len(sizes)) / len(sizes)
        rates = self.learning_rate * schedule.factors(state.n_steps, epochs, n_epochs)
        # The penalty's step is implicit: from θ, after the loss's step, to the minimiser of ½ |w - θ|² + η λ / 2 |w|², which is
        # θ / (1 + η λ), a factor in (0, 1] for any rate η. The explicit one, the factor 1 - η λ of a gradient step, diverges
        # beyond η λ = 2, as where C is small. With moments the penalty is a part of the gradient unless it is decoupled.
        implicit = self.decoupled or not any(self._moments)
        steps = np.empty(len(rates), dtype=kernels.STEP)
        steps["lr"], steps["eps"] = self._rates(rates, state.n_steps)
        steps["decay_factor"] = 1 / (1 + rates * objective.l2_strength) if implicit else 1.0
        steps["averaging"] = (1 + AVERAGING) / (state.n_steps + 1 + np.arange(len(rates)) + AVERAGING)
        steps["gradient_scale"] = loss_scale * len(order) / sizes
        hyperparameters = np.zeros(1, dtype=kernels.HYPERPARAMETERS)[0]
        for name, value in self._hyperparameters.items():
            hyperparameters[name] = value
        hyperparameters["l2_strength"] = 0.0 if implicit else objective.l2_strength
        plan = MinibatchPlan(objective.n_logits, batch_size, self.optimizer, hyperparameters, steps, state.vectors)
        loss = objective.sgd_epoch(order, plan)
        state.n_steps += len(steps)
        state.n_epochs += 1
        state.learning_rate = float(rates[-1])
        if not (np.isfinite(loss) and np.all(np.isfinite(state.params))):
            raise ValueError(
                f"{self.name} diverged in epoch {state.n_epochs}: parameters are no longer finite. Lower learning_rate="
                f"{self.learning_rate!r} or scale the columns of X (sklearn.preprocessing.StandardScaler)."
            )
        return loss

    def minimise(self, objective: FiniteSum, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        # An epoch's loss, each row's before its step, is free: a pass at the epoch's end would double its cost. It is of points
        # on the way, above the end's by about what the epoch has gained, which is why it is compared with the lowest before and
        # several epochs have to fail in a row. A validation set (``early_stopping``) is the estimator's matter.
        tol, max_iter, n_iter_no_change = stop.tol, stop.max_iter, stop.n_iter_no_change
        state = self.begin(start)
        lowest, n_stalled, stalled = np.inf, 0, False
        for _ in range(max_iter):
            loss = self.advance(objective, state, n_epochs=max_iter)
            value = loss + objective.penalty_value(state.params)
            n_stalled = n_stalled + 1 if tol is not None and value > lowest - tol else 0
            lowest = min(lowest, value)
            stalled = n_stalled >= n_iter_no_change
            if history.record(state.averaged_params.copy(), value, None, learning_rate=state.learning_rate) or stalled:
                break
        value, gradient = objective.value_and_gradient(state.averaged_params)
        n_iter = len(history.iterations)
        if tol is None or history.stopped:
            message = f"{self.name} made {n_iter} iterations, as many as asked for"
            return history.solution(state.averaged_params, value, gradient, status=Status.EPOCHS_MADE, message=message)
        # That the loss has stopped falling is when to stop, as SGDClassifier has it, and no sign of the optimum: steps may be
        # too long to come nearer, or too short to be seen. The Newton step from the end decides.
        left = distance(objective, state.averaged_params, gradient)
        converged = left is not None and left.near
        reason = f", as the loss of none of the last {n_iter_no_change} epochs was lower by {tol:.3g} than the lowest before"
        ended = f"{self.name} {'converged' if converged else 'failed to converge'} after {n_iter} iterations"
        message = ended + (reason if stalled else "") + ("" if converged else self._far(objective, start, value, left))
        status = Status.CONVERGED if converged else Status.NO_IMPROVEMENT if stalled else Status.MAX_ITER
        return history.solution(state.averaged_params, value, gradient, status=status, message=message)

    def explain(self, solution: Solution, stop: StoppingRule) -> str:
        return (
            f"{solution.message}. Scale {COLUMNS}, or use solver='auto', "
            "which needs no scaling; a stochastic solver comes nearer with a smaller tol, more epochs "
            f"(max_iter={stop.max_iter}) and a learning rate that falls, as of SGD(schedule='invscaling', average=True). "
            "Set max_iter to the epochs that you want and tol=None to have so many without this warning."
        )

    def _far(self, objective: FiniteSum, start: Vector, value: float, left: Distance | None) -> str:
        """Return what a message says of a point that is not the optimum."""
        at_start = objective.value_and_gradient(start)[0]
        if value > at_start:
            return f", at {value:.3g} nats a row where the start has {at_start:.3g}"
        if left is None:
            return ", and nothing bounds how far it is from the optimum"
        return f", {left}" if left.predicted_decrease < value else ", far from the optimum"  # losses are not negative
