"""The scikit-learn face: ``SoftmaxRegressionClassifier``.

What lives here: its parameters, and the path of a fit: data, problem, solver, loop, fitted attributes; over 300 lines, since
half of them document what is public. What doesn't: every step's own work, which the lower floors do, and predictions
(``_estimator.prediction``).
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ._estimator.availability import available_if, check_partial_fit
from ._estimator.constraints import NameOrObject, SortedStrOptions
from ._estimator.prediction import LinearPrediction
from ._estimator.unknown_parameters import checked_params, explain_unknown
from ._sklearn import CallbackSupportMixin, Interval, _fit_context
from .data.arrays import as_numpy
from .data.examples import read_examples, read_part
from .data.threads import run_fit
from .fitting.callbacks import FitProgress
from .fitting.fitted_attributes import restore_on_error, set_fitted_attributes
from .fitting.loop import FitLoop, Outcome
from .fitting.partial_fit import PartialFitState
from .fitting.problem import Problem, check_l1_ratio, make_penalty
from .fitting.validation import ValidationSet, read_validation_examples, split_examples
from .losses import LOSSES, Loss
from .objectives.linear import LinearObjective
from .solvers import (
    SOLVERS,
    Solver,
    Status,
    StoppingRule,
    as_solver,
    choose_solver,
    solver_class,
)
from .solvers._requirements import refuse_no_tol


class SoftmaxRegressionClassifier(CallbackSupportMixin, LinearPrediction, BaseEstimator):
    r"""Softmax regression (multinomial logistic regression) with an L2 penalty.

    .. math:: \min_{W, b} \; C \sum_i w_i \, \ell(y_i, W x_i + b) + \tfrac{1}{2} \lVert W \rVert_2^2

    with the softmax cross-entropy :math:`\ell`. The optimum, ``C``, and the shapes of the attributes are those of
    :class:`sklearn.linear_model.LogisticRegression`. X is read in row blocks, on as many threads as scikit-learn would use
    (``OMP_NUM_THREADS``, threadpoolctl and joblib limits are honoured), and is not copied if it is C-contiguous float32 or
    float64 or a CSR matrix; the result does not depend on the number of threads.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, in (0, inf]; ``np.inf`` means none, and so does what makes 1e100 or more when it is
        multiplied with the sum of all weights (the number of rows). Less than 1e-100 there is an error.
    l1_ratio : float, default=0.0
        Share of L1 in the penalty. Only 0.0 is implemented yet.
    loss : {"cosine", "cross_entropy", "focal", "hinge", "logit_adjusted", "margin"} or loss object, default="cross_entropy"
        What is minimised; ``sksoftmax.losses.CrossEntropy(label_smoothing=0.1)`` has its parameters searched as
        ``loss__label_smoothing``. See ``sksoftmax.losses``.
    solver : {"auto", "adagrad", "adam", "block-lbfgs", "lbfgs", "newton-cg", "newton-cholesky", "rmsprop", "saga", "sgd"} or \
            solver object, default="auto"
        How; ``"auto"`` takes the one that should cost the fewest operations: ``"newton-cholesky"`` for few coefficients,
        ``"block-lbfgs"`` for all else. The stochastic ones learn from minibatches and
        offer ``partial_fit``; ``SGD(learning_rate=0.1)`` has its parameters searched as ``solver__learning_rate``. See
        ``sksoftmax.solvers``.
    fit_intercept : bool, default=True
        Whether to add an intercept, which is never penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of classes, multiplied with ``sample_weight``. "balanced" gives each class the same total weight.
    tol : float or None, default=1e-4
        The fit has converged when no component of the gradient of the mean loss plus penalty exceeds it. For stochastic
        solvers it is the least by which the loss of an epoch has to fall: see ``sksoftmax.solvers.SGD``, also for when
        they have converged; None makes ``max_iter`` epochs without a test of convergence or a warning.
    max_iter : int, default=1000
        Most iterations of the solver; epochs of a stochastic one.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.
    early_stopping : bool, default=False
        Whether to stop when the validation cross-entropy no longer falls, and to keep the parameters of the iteration where it
        is lowest (the start counts as one). It is the plain cross-entropy of predicted probabilities, whatever the loss, with
        the rows weighted by their sample weight and their class weight ("balanced" counts X and y before the split, and not a
        validation set that is given). The validation set is the one given to ``fit``, or else a part of X and y.
    validation_fraction : float, default=0.1
        Share of X and y to set aside for early stopping, in (0, 1), stratified by class (of rows of class probabilities, the
        largest), unless a validation set is given to ``fit``. Both parts are copies.
    n_iter_no_change : int, default=5
        Early stopping ends the fit if the lowest validation cross-entropy of so many iterations is not lower by ``tol``, in
        nats, than the lowest before them. Stochastic solvers end, too, after so many epochs in a row whose training loss is
        not lower by ``tol`` than the lowest before.
    random_state : int, RandomState instance or None, default=None
        Draws the rows that are set aside for early stopping, shuffles those of stochastic solvers and SAGA, and draws the
        start that a solver asks for. An int gives the same model in every fit.
    verbose : int, default=0
        Prints one line an iteration if positive.
    n_jobs : int, default=None
        Without effect, as LogisticRegression's since scikit-learn 1.8, but without its warning. A fit takes as many threads as
        ``OMP_NUM_THREADS``, threadpoolctl and joblib allow.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted; ``0..n_classes - 1`` after a fit to class probabilities, or their data frame's columns.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), of X's dtype
        Coefficients; one row for two classes. CSR after ``sparsify``.
    intercept_ : ndarray of shape (1,) or (n_classes,), of X's dtype
    n_iter_ : ndarray of shape (1,), int32
        Iterations made.
    best_iteration_ : int or None
        With early stopping, the iteration that the coefficients are of, 0 being the start; otherwise None.
    converged_ : bool
        Whether the coefficients are at the optimum. Not so, and no failure, where early stopping kept others.
    solution_ : sksoftmax.solvers.Solution
        Value, gradient norm, message, history of every iteration, with cross-entropy and accuracy on the validation set.
    loss_ : Loss
        The loss object that turns logits into probabilities.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only if X has feature names that are all strings.

    Raises
    ------
    ValueError
        When fitted to bad input; the message names it, what was got and what is allowed.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same model, without soft targets and label smoothing.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 4.4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier().fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    >>> clf.predict_proba(X[:2]).round(2)
    array([[0.98, 0.02, 0.  ],
           [0.97, 0.03, 0.  ]])
    >>> round(clf.score(X, y), 2)
    0.97
    """

    _parameter_constraints: ClassVar[dict] = {
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "loss": [NameOrObject(LOSSES, Loss)],
        "solver": [NameOrObject(SOLVERS, Solver, "auto")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, SortedStrOptions({"balanced"}), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "n_jobs": [Integral, None],
    }

    @explain_unknown
    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 0.0,
        loss: str | Loss = "cross_entropy",
        solver: str | Solver[Any] = "auto",
        fit_intercept: bool = True,
        class_weight: dict | Literal["balanced"] | None = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.loss = loss
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.verbose = verbose
        self.n_jobs = n_jobs

    def set_params(self, **params: Any) -> SoftmaxRegressionClassifier:
        """Set parameters by name, those of loss and solver as ``solver__schedule__power``.

        Where the loss or the solver is a name, the object that it stands for takes its place.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            There is no such parameter; the message says where the thing is set.
        """
        return super().set_params(**checked_params(self, params, {"loss": LOSSES, "solver": SOLVERS}))

    # -- fitting -------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> SoftmaxRegressionClassifier:
        """Fit the model.

        Interrupted by Ctrl-C after an iteration, a fit sets the attributes as of the best iteration so far, that of the lowest
        objective or with early stopping of the lowest validation cross-entropy, ``converged_`` being False, and raises the
        KeyboardInterrupt. Interrupted before, it leaves the estimator as it was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels of any kind, or rows of class probabilities: a row q counts as K rows, the k-th with label k and weight
            ``q[k]``.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; 2 counts as the row twice, 0 as the row left out.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation set: for early stopping, and in any case for the history. In a pipeline,
            ``Pipeline(..., transform_input=["X_val"])`` transforms it as X.
        y_val : array-like of shape (n_val,) or (n_val, n_classes), default=None
            Labels that occur in y, or rows of class probabilities.
        sample_weight_val : array-like of shape (n_val,), default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad input; the message names it, what was got and what is allowed.
        KeyboardInterrupt
            The fit was interrupted; its note says which iteration was kept.
        """
        with restore_on_error(self):
            own = as_numpy(X=X, y=y, sample_weight=sample_weight)
            return self._fit(*own, *as_numpy(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val))

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> SoftmaxRegressionClassifier:
        self._check_parameters()
        examples = read_examples(self, X, y, sample_weight)
        held_out = read_validation_examples(self, examples, X_val, y_val, sample_weight_val)
        class_weights = examples.class_weights(self.class_weight)
        if held_out is None and self.early_stopping:
            examples, held_out = split_examples(examples, self.validation_fraction, self.random_state)
        problem = Problem.of(examples, class_weights, self._loss())
        stop = StoppingRule(self.tol, self.max_iter, self.n_iter_no_change)
        n_threads = problem.n_threads()

        def solve(pool: ThreadPoolExecutor | None) -> tuple[FitProgress, Solver[Any], Outcome]:
            """Solve and set the fitted attributes; return what is left to report."""
            objective = self._objective(problem, problem.total_weight, check_random_state(self.random_state), pool, n_threads)
            solver = self._solver(objective)
            solver.check(objective)
            validation = None
            if held_out is not None:
                validation = ValidationSet.of(held_out, class_weights, problem.loss, pool=pool, n_threads=n_threads)

            def attributes(params: NDArray[np.float64]) -> dict[str, Any]:
                coef, intercept = objective.unpack(params)
                return {"classes_": examples.classes, "loss_": problem.loss, "coef_": coef, "intercept_": intercept}

            progress = FitProgress(
                self, X, y, sample_weight, max_iter=self.max_iter, verbose=self.verbose, attributes=attributes
            )
            loop = FitLoop(objective, validation, progress, stop=stop, early_stopping=self.early_stopping)
            outcome = loop.run(solver, self._start(objective, examples.classes, solver))
            state = PartialFitState(n_rows=problem.n_weighted_rows, weight=problem.total_weight)
            set_fitted_attributes(self, attributes(outcome.solution.params), outcome, state)
            return progress, solver, outcome

        progress, solver, outcome = run_fit(n_threads, solve)
        solution = outcome.solution
        if outcome.interrupt is not None:
            outcome.interrupt.add_note(f"{type(self).__name__} is fitted: {solution.message}.")
            raise outcome.interrupt
        if not solution.status.as_intended:
            is_separable = solution.status is Status.SEPARABLE
            text = self._explain_separable(solution.gradient_norm) if is_separable else solver.explain(solution, stop)
            warnings.warn(text, ConvergenceWarning, stacklevel=4)
        progress.on_fit_end()
        return self

    @available_if(check_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> SoftmaxRegressionClassifier:
        """Learn from a part of the data: one pass over its rows, in minibatches, with a stochastic ``solver``.

        The solver's state (moments, numbers of steps and of passes, the mean) goes on from call to call and is pickled with
        the estimator. After ``fit`` the first call begins at the coefficients fitted. ``max_iter``, ``tol`` and
        ``warm_start`` play no part.

        The penalty is that of ``C`` and all rows met so far, 1 / (C · their total weight) beside the mean loss: after all of
        the data it is as strong as in ``fit``. Rows met twice count twice: in P passes over the same data, divide C by P to
        end there.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, not all of which need occur, or rows of class probabilities.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur. Needed in the first call, unless y holds class probabilities; the same later.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad input, no ``classes`` in the first call, or others later; labels that are not among them.
        AttributeError
            The solver is none of the stochastic ones.
        """
        with restore_on_error(self):
            X, y, classes, sample_weight = as_numpy(X=X, y=y, classes=classes, sample_weight=sample_weight)
            return self._partial_fit(X, y, classes, sample_weight)

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> SoftmaxRegressionClassifier:
        self._check_parameters()
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, where the frequencies of the classes are unknown: "
                "pass a dict, e.g. of sklearn.utils.class_weight.compute_class_weight over a large enough sample."
            )
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: a part holds no validation rows.")
        first = not hasattr(self, "coef_")
        examples = read_part(self, X, y, classes, sample_weight, known=None if first else self.classes_)
        problem = Problem.of(examples, examples.class_weights(self.class_weight), self._loss())
        state = getattr(self, "_partial_fit_state", PartialFitState()).with_batch(
            problem.n_weighted_rows, problem.total_weight, check_random_state(self.random_state)
        )
        n_threads = problem.n_threads()

        def update(pool: ThreadPoolExecutor | None) -> None:
            objective = self._objective(problem, state.weight, state.random_state, pool, n_threads)
            solver: Any = self._solver(objective)
            solver.check(objective)

            def start() -> NDArray[np.float64]:
                return solver.start(objective) if first else objective.pack(self._dense_coef(), self.intercept_)

            updated, solution = state.update(objective, solver, start, loss_scale=state.loss_scale(problem))
            coef, intercept = objective.unpack(solution.params)
            attributes = {"classes_": examples.classes, "loss_": problem.loss, "coef_": coef, "intercept_": intercept}
            set_fitted_attributes(self, attributes, Outcome(solution), updated)

        run_fit(n_threads, update)
        return self

    def _check_parameters(self) -> None:
        """Raise a ValueError for parameters that do not go together."""
        check_l1_ratio(self.l1_ratio)
        refuse_no_tol(self.tol, solver_class(self.solver).takes_no_tol, self.solver)

    def _loss(self) -> Loss:
        return LOSSES[self.loss]() if isinstance(self.loss, str) else self.loss

    def _objective(
        self, problem: Problem, total_weight: float, random_state: Any, pool: ThreadPoolExecutor | None, n_threads: int
    ) -> LinearObjective:
        return problem.objective(
            *make_penalty(self.C, total_weight),
            fit_intercept=self.fit_intercept,
            random_state=random_state,
            may_rotate=solver_class(self.solver).benefits_from_rotation,
            pool=pool,
            n_threads=n_threads,
        )

    def _solver(self, objective: LinearObjective) -> Solver[Any]:
        if self.solver == "auto":
            data = objective.data
            return choose_solver(
                data.n_stored,
                data.n_rows,
                data.n_features,
                objective.n_logits,
                has_hessian=objective.has_hessian,
                strictly_convex=objective.strictly_convex,
            )
        return as_solver(self.solver)

    def _start(self, objective: LinearObjective, classes: NDArray, solver: Solver[Any]) -> NDArray[np.float64]:
        coef = getattr(self, "coef_", None) if self.warm_start else None
        if coef is None:
            return solver.start(objective)
        if not np.array_equal(self.classes_, classes):
            raise ValueError(f"warm_start=True needs the classes of the last fit, {self.classes_}; got {classes}.")
        if coef.shape[1] != self.n_features_in_:
            raise ValueError(f"warm_start=True needs the {coef.shape[1]} features of the last fit; got {self.n_features_in_}.")
        return objective.pack(self._dense_coef(), self.intercept_)

    def _explain_separable(self, gradient_norm: float) -> str:
        """Return the warning of a fit that has no optimum."""
        return (
            f"The classes are perfectly separable: without a penalty (C={self.C:g}) the loss has no minimum and the "
            f"coefficients grow without bound; they were left where the gradient norm is {gradient_norm:.3g}. "
            f"Set a {'finite' if np.isinf(self.C) else 'smaller'} C."
        )
