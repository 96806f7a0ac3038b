"""Which iteration the fit loop takes for the best one, and when it stops a fit, by validation scores that are made up."""

from types import SimpleNamespace

import numpy as np
import pytest

from sksoftmax.data.dataset import in_memory
from sksoftmax.fitting.loop import FitLoop
from sksoftmax.fitting.validation import ValidationScores
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2
from sksoftmax.solvers import LBFGS, Status, StoppingRule


class Scripted(LBFGS):
    """A solver whose iterations end at the numbers 1, 2, …"""

    def minimise(self, objective, start, *, stop, history):
        for n_iter in range(1, stop.max_iter + 1):
            params = np.full(len(start), float(n_iter))
            if history.record(params, 0.0, None):
                break
        return history.solution(params, 0.0, np.zeros(len(start)), status=Status.MAX_ITER, message="ended")


@pytest.mark.parametrize(
    ("course", "best", "made"),
    [
        ([3, 2, 1, 2, 2, 2, 0], 2, 5),
        ([3, 1, 1, 1, 1, 0], 1, 4),  # the first of equal ones
        ([1, 2, 2, 2, 0], 0, 3),  # the start
        ([np.nan, 2, 1, 2, 2, 2, 0], 2, 5),
        ([np.nan, np.nan, 2, 1, 0], 4, 4),
        ([3, np.nan, 1, np.nan, np.nan, np.nan, 0], 2, 5),
        ([np.nan, np.nan, np.nan, np.nan, np.nan, 0], 0, 3),
    ],
    ids=str,
)
def test_the_best_iteration_is_the_first_of_the_lowest_criterion(course, best, made, make_problem):
    """NaN, the criterion of parameters that diverged, is higher than any other."""
    X, labels, weight = make_problem(9, 2, 2)
    targets = Targets(2, weight / weight.sum(), labels=labels.astype(np.int32))
    objective = LinearObjective(in_memory(X, targets), CrossEntropy().bind(targets), L2(), 0.1, fit_intercept=True)
    scores = iter([ValidationScores(float(each), 0.5) for each in course])
    validation = SimpleNamespace(evaluate=lambda coef, intercept: next(scores))
    progress = SimpleNamespace(on_iteration_end=lambda *_: False)
    loop = FitLoop(objective, validation, progress, early_stopping=True, stop=StoppingRule(0.0, len(course) - 1, 3))
    solution = loop.solve(Scripted(), np.zeros(objective.n_params))
    assert (loop.best.n_iter, solution.n_iter) == (best, made)
    np.testing.assert_array_equal(solution.params, best)
