"""Who takes part in the benchmark of solvers: our solvers, scikit-learn's, its extension by Intel, PyTorch's L-BFGS.

What lives here: ``COMPETITORS``, name → ``Competitor``, and how the curve of a run is had from each. What doesn't: problems,
repetitions, tables.

A curve is the objective over the seconds since the fit began, one point an evaluation: what a solver evaluates is watched as
it returns, which costs nothing that counts. All start from zeros. Values are those that the library itself reports, rounded
where X is float32: the run's last point is evaluated again in float64, and the difference is told where it could matter.
"""

from __future__ import annotations

import gc
import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from _optima import MAX_HESSIAN_COEFFICIENTS, exact_objective, n_coefficients
from _problems import Problem
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.solvers import BATCH_SOLVERS

# Only the target and the limit end a run. (scikit-learn's and Intel's lbfgs also end after SciPy's 15,000 evaluations.)
UNLIMITED = {"tol": 1e-14, "max_iter": 1_000_000}


class Terms(NamedTuple):
    """When a run ends: at the target value, when limit, in seconds, has passed, or after so many points."""

    target: float
    limit: float
    n_threads: int
    max_points: float = np.inf


class Point(NamedTuple):
    seconds: float
    value: float


Params = tuple[NDArray, NDArray]
"""Coefficients (n_logits, n_features) and intercept (n_logits,); for two classes also without their first axis."""


class Enough(Exception):  # noqa: N818  # nothing has gone wrong
    """The target is reached, or the time is up."""


class Run:
    """The points of one fit, noted as its evaluations return; the clock starts with the ``with`` block, which Enough ends."""

    def __init__(self, terms: Terms) -> None:
        self.points: list[Point] = []
        self.params: Params | None = None  # of the last point
        self.ended = "itself"  # or "target", or "limit"
        self._terms = terms
        self._where: Callable[[], Params] | None = None

    def __enter__(self) -> Run:
        gc.collect()
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type | None, *_: object) -> bool:
        if self._where is not None:
            self.params, self._where = self._where(), None  # which may hold on to a whole fit
        return kind is Enough

    def note(self, value: float, where: Callable[[], Params], *, seconds: float | None = None) -> None:
        """Add a point, at the present unless seconds are given; ``where()`` is to return its parameters."""
        point = Point(time.perf_counter() - self._began if seconds is None else seconds, float(value))
        self.points.append(point)
        self._where = where
        if point.value <= self._terms.target:
            self.ended = "target"
        elif point.seconds > self._terms.limit or len(self.points) >= self._terms.max_points:
            self.ended = "limit"
        if self.ended != "itself":
            raise Enough

    def deviation(self, problem: Problem) -> float:
        """Return by how much the last point's value is off from that in float64, as a part of it."""
        assert self.params is not None
        exact = exact_objective(problem, *self.params).value
        return self.points[-1].value / exact - 1


@contextmanager
def watched(owner: Any, names: tuple[str, ...], run: Run, where: Callable[..., Params], scale: float = 1) -> Iterator[None]:
    """Let the functions of owner, which return the objective or a tuple that begins with it, report it times scale.

    ``where`` makes parameters of the arguments that such a function got.
    """
    originals = {name: getattr(owner, name) for name in names}

    def watching(original: Callable) -> Callable:
        def function(*args, **kwargs):
            result = original(*args, **kwargs)
            run.note(scale * (result[0] if isinstance(result, tuple) else result), lambda: where(*args, **kwargs))
            return result

        return function

    for name, original in originals.items():
        setattr(owner, name, watching(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(owner, name, original)


def warm_up(run: Callable[[Problem, Terms], Run], problem: Problem, n_threads: int) -> None:
    """Let a competitor load, compile and fill what it does only once, without the time of a whole run.

    A few rows for some iterations, as what is needed after the first may compile too; then the whole problem for a moment.
    """
    rows = np.arange(0, problem.X.shape[0], max(1, problem.X.shape[0] // 500))
    run(problem._replace(X=problem.X[rows], y=problem.y[rows]), Terms(-np.inf, 60, n_threads, max_points=6))
    run(problem, Terms(-np.inf, 0.5, n_threads, max_points=6))


def quietly(model, problem: Problem):
    """Fit the model; neither tolerances of zero nor iterations that run out are to be told here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(problem.X, problem.y)


# --------------------------------------------------------------------------------------------------------------------
# one run of each kind


def ours(solver: str, problem: Problem, terms: Terms) -> Run:
    model = SoftmaxRegressionClassifier(solver=solver, C=problem.C, **UNLIMITED)
    with Run(terms) as run, watched(LinearObjective, ("value_and_gradient",), run, LinearObjective.unpack):
        quietly(model, problem)
    return run


def scikit_learn(solver: str, problem: Problem, terms: Terms) -> Run:
    model = LogisticRegression(solver=solver, C=problem.C, **UNLIMITED)

    def where(loss: LinearModelLoss, coef: NDArray, *_, **__) -> Params:
        return loss.weight_intercept(coef)

    with Run(terms) as run, watched(LinearModelLoss, ("loss", "loss_gradient"), run, where):
        quietly(model, problem)
    return run


def scikit_learn_saga(problem: Problem, terms: Terms) -> Run:
    """Return a ladder of whole fits, as saga never evaluates the objective: max_iter doubles from one to the next.

    A rung is the seconds of that fit and the exact objective where it ended, so a time to a level may be up to twice of
    what the best max_iter would give.
    """
    max_iter, seconds = 1, 0.0
    with Run(terms) as run:
        while 2 * seconds <= terms.limit:
            model = LogisticRegression(solver="saga", C=problem.C, tol=1e-14, max_iter=max_iter, random_state=0)
            began = time.perf_counter()
            quietly(model, problem)
            seconds = time.perf_counter() - began
            params = model.coef_, model.intercept_
            run.note(exact_objective(problem, *params).value, lambda params=params: params, seconds=seconds)
            if model.n_iter_[0] < max_iter:
                return run
            max_iter *= 2
        run.ended = "limit"  # the next rung would pass it
    return run


def intelex_lbfgs(problem: Problem, terms: Terms) -> Run:
    """Watch the one function through which SciPy's L-BFGS gets oneDAL's objective, a sum over rows.

    That this function is called shows that the extension runs code of its own: where it falls back to scikit-learn's, nothing
    reaches it. ``SKLEARNEX_VERBOSE=INFO`` says the same ("running accelerated version on CPU"), for float32 too.
    """
    from daal4py.sklearn.linear_model import logistic_path
    from sklearnex.linear_model import LogisticRegression as ExtendedLogisticRegression

    n_rows, n_features = problem.X.shape
    model = ExtendedLogisticRegression(solver="lbfgs", C=problem.C, **UNLIMITED)

    def where(params: NDArray, *_) -> Params:
        rows = params.reshape(-1, n_features + 1)
        return rows[:, 1:], rows[:, 0]

    with Run(terms) as run, watched(logistic_path, ("_daal4py_loss_and_grad",), run, where, scale=1 / n_rows):
        quietly(model, problem)
    if not run.points:
        raise RuntimeError("scikit-learn-intelex fell back to scikit-learn, or evaluates by another function than it did.")
    return run


def torch_lbfgs(problem: Problem, terms: Terms) -> Run:
    """Run torch.optim.LBFGS with a strong Wolfe line search on the same objective, X's dtype, one logit for two classes."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(terms.n_threads)
    with Run(terms) as run:
        classes, labels = np.unique(problem.y, return_inverse=True)
        X, y = torch.from_numpy(problem.X), torch.from_numpy(labels)
        alpha, n_logits, cross_entropy = 1 / (problem.C * len(y)), len(classes), functional.cross_entropy
        if len(classes) == 2:
            # Two penalised logits would be another objective than scikit-learn's and ours.
            n_logits, cross_entropy = 1, functional.binary_cross_entropy_with_logits
            y = y.to(X.dtype)[:, None]
        coef = torch.zeros((n_logits, X.shape[1]), dtype=X.dtype, requires_grad=True)
        intercept = torch.zeros(n_logits, dtype=X.dtype, requires_grad=True)
        # A tolerance of zero would go on for ever where float32 no longer tells one value from the next.
        tolerances = {"tolerance_grad": 0, "tolerance_change": 1e-14, "max_iter": UNLIMITED["max_iter"]}
        optimizer = torch.optim.LBFGS([coef, intercept], history_size=10, line_search_fn="strong_wolfe", **tolerances)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            value = cross_entropy(functional.linear(X, coef, intercept), y) + alpha / 2 * coef.square().sum()
            value.backward()
            params = coef.detach().clone().numpy(), intercept.detach().clone().numpy()  # the next step changes them in place
            run.note(value.item(), lambda: params)
            return value

        optimizer.step(closure)
    return run


# --------------------------------------------------------------------------------------------------------------------
# the table


def any_problem(problem: Problem) -> bool:
    return True


def dense(problem: Problem) -> bool:
    return not sparse.issparse(problem.X)


def few_coefficients(problem: Problem) -> bool:
    return n_coefficients(problem) <= MAX_HESSIAN_COEFFICIENTS


class Competitor(NamedTuple):
    """``run(problem, terms)`` where ``takes(problem)``; ``needs`` is an optional module."""

    run: Callable[[Problem, Terms], Run]
    takes: Callable[[Problem], bool]
    needs: str | None = None


# What a solver of this name, ours or scikit-learn's, has no place for is left out.
TAKES = {"block-lbfgs": dense, "newton-cholesky": few_coefficients}

COMPETITORS: dict[str, Competitor] = (
    {
        f"sksoftmax {solver}": Competitor(
            lambda problem, terms, solver=solver: ours(solver, problem, terms), TAKES.get(solver, any_problem)
        )
        for solver in ("auto", *BATCH_SOLVERS)
    }
    | {
        f"scikit-learn {solver}": Competitor(
            lambda problem, terms, solver=solver: scikit_learn(solver, problem, terms), TAKES.get(solver, any_problem)
        )
        for solver in ("lbfgs", "newton-cg", "newton-cholesky")
    }
    | {
        "scikit-learn saga": Competitor(scikit_learn_saga, lambda problem: not dense(problem)),
        "scikit-learn-intelex lbfgs": Competitor(intelex_lbfgs, dense, "sklearnex"),
        "torch lbfgs": Competitor(torch_lbfgs, dense, "torch"),
    }
)


def installed(only: str | None = None) -> dict[str, Competitor]:
    """Return those of ``COMPETITORS`` with only in their names whose libraries are here; say which are not."""
    return {name: each for name, each in COMPETITORS.items() if (only is None or only in name) and _is_here(name, each.needs)}


def _is_here(name: str, module: str | None) -> bool:
    if module is None:
        return True
    try:
        # Imported before the first run: what a library does to the process as it loads meets all runs alike.
        importlib.import_module(module)
    except ImportError:
        print(f'{name} is left out, as {module} is not installed: pip install "sksoftmax[bench]"')
        return False
    return True
