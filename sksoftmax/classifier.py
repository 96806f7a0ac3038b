"""The scikit-learn face: ``SoftmaxRegressionClassifier``.

What lives here: the path of a fit (validate, make the objective, solve, warn, keep) and of a prediction (validate, score row
blocks, turn logits into what was asked). What doesn't: every step's own work, which the lower floors do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import LinearClassifierMixin, SparseCoefMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted, validate_data

from ._estimator.availability import available_if
from ._estimator.constraints import NameOrObject, SortedStrOptions
from ._estimator.unknown_parameters import explain_unknown, refuse_unknown
from ._params import objects_for_names
from .data.arrays import as_numpy
from .data.columns import check_columns, check_magnitude
from .data.dataset import InMemoryDataset, as_rows
from .data.rotated_rows import RotatedRows
from .data.rows import Rows, score_rows
from .data.sparse_indices import check_indices
from .data.targets import (
    check_known_labels,
    check_labels,
    check_proba_targets,
    check_sample_weight,
    compute_class_weights,
    is_proba,
    make_targets,
)
from .data.threads import run_fit
from .data.weights import check_weight, scale_weight
from .fitting.callbacks import CallbackSupportMixin, FitProgress
from .fitting.loop import FitLoop
from .fitting.partial_fit import PartialFitState
from .fitting.validation import Sample, ValidationSet, check_validation_data
from .losses import LOSSES, BoundLoss, Loss, Targets
from .objectives.cosine import CosineObjective
from .objectives.linear import LinearObjective
from .penalties import PENALTIES
from .solvers import SOLVERS, STOCHASTIC_SOLVERS, Solution, Solver, StoppingRule, choose_solver, solver_class
from .solvers._requirements import refuse_no_tol

# The weakest penalty, against the mean loss, that counts; its inverse is the strongest that there is.
NO_PENALTY = 1e-100
# Of a part of the data; the inverse is the most of all of them together.
LEAST_WEIGHT = 1e-300


def _check_proba(estimator: SoftmaxRegressionClassifier) -> None:
    """Raise an AttributeError that says why the estimator's loss has no probabilities."""
    loss = getattr(estimator, "loss_", estimator.loss)
    (LOSSES.get(loss, Loss) if isinstance(loss, str) else loss).require_proba()


def _check_learns_from_parts(estimator: SoftmaxRegressionClassifier) -> None:
    """Raise an AttributeError that names the stochastic solvers if the solver is none of them."""
    solver = estimator.solver
    if solver_class(solver).has_partial_fit:
        return
    names = ", ".join(map(repr, sorted(STOCHASTIC_SOLVERS)))
    raise AttributeError(
        f"{type(estimator).__name__} has partial_fit with a solver that learns from minibatches: set solver to one of {names}, "
        f"or to an object, as sksoftmax.solvers.SGD(learning_rate=0.1); got solver={solver!r}."
    )


class SoftmaxRegressionClassifier(CallbackSupportMixin, LinearClassifierMixin, SparseCoefMixin, BaseEstimator):
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
        they have converged; None makes ``max_iter`` epochs, for which nobody looks, and does not warn.
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
        refuse_unknown(self, params)
        return super().set_params(**{**params, **objects_for_names(self, params, {"loss": LOSSES, "solver": SOLVERS})})

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
        with _restore_on_error(self):
            own = as_numpy(X=X, y=y, sample_weight=sample_weight)
            return self._fit(*own, *as_numpy(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val))

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> SoftmaxRegressionClassifier:
        self._check_parameters()
        classes, sample = self._validate_training_data(X, y, sample_weight)
        held_out = check_validation_data(self, sample.X, classes, X_val, y_val, sample_weight_val)
        class_weight = compute_class_weights(classes, sample.weight, self.class_weight, **sample.encoded)
        if held_out is None and self.early_stopping:
            sample, held_out = sample.split(classes, self.validation_fraction, self.random_state)
        targets, total_weight = make_targets(classes, sample.weight, class_weight, **sample.encoded)
        loss = LOSSES[self.loss]() if isinstance(self.loss, str) else self.loss
        bound = loss.bind(targets)
        sample = sample._replace(X=loss.prepare(sample.X))
        rows = as_rows(sample.X)
        n_threads = _openmp_effective_n_threads() if rows.is_worth_threads(bound.n_logits) else 1

        stop = StoppingRule(self.tol, self.max_iter, self.n_iter_no_change)

        def solve(
            pool: ThreadPoolExecutor | None,
        ) -> tuple[FitProgress, Solver[Any], Solution, bool, KeyboardInterrupt | None]:
            """Solve and keep; return what is left to tell: the solver, how it ended, whether it is separated, an interrupt."""
            rotates = RotatedRows.is_worth_it(rows) and solver_class(self.solver).benefits_from_rotation
            solved_rows = RotatedRows(sample.X) if rotates else rows
            threads: dict[str, Any] = {"pool": pool, "n_threads": n_threads}
            objective = self._objective(
                solved_rows, targets, bound, total_weight, check_random_state(self.random_state), **threads
            )
            solver = self._solver(solved_rows, objective)
            solver.check(objective)

            def attributes(params: NDArray[np.float64]) -> dict[str, Any]:
                coef, intercept = objective.unpack(params)
                return {"classes_": classes, "loss_": loss, "coef_": coef, "intercept_": intercept}

            progress = FitProgress(
                self, X, y, sample_weight, max_iter=self.max_iter, verbose=self.verbose, attributes=attributes
            )
            loop = FitLoop(
                objective,
                None if held_out is None else self._validation_set(held_out, classes, class_weight, loss, **threads),
                progress.on_iteration_end,
                stop=stop,
                early_stopping=self.early_stopping,
            )
            start = self._start(objective, classes, solver)
            progress.on_iteration_begin(start)
            separated, interrupt = False, None
            try:
                solution = loop.solve(solver, start)
                separated = (
                    self._alpha(total_weight) == 0 and not self.early_stopping and objective.separates_classes(solution.params)
                )
            except KeyboardInterrupt as raised:
                if not loop.history or loop.best is None:
                    raise
                interrupt, solution = raised, loop.interrupted()
            progress.close()
            self._set_fitted_attributes(
                attributes(solution.params),
                solution,
                converged=solution.converged and not separated,
                best_iteration=loop.best.n_iter if self.early_stopping and loop.best else None,
                partial_fit_state=PartialFitState(n_rows=int(np.count_nonzero(targets.weight)), weight=total_weight),
            )
            return progress, solver, solution, separated, interrupt

        progress, solver, solution, separated, interrupt = run_fit(n_threads, solve)
        if interrupt is not None:
            interrupt.add_note(f"{type(self).__name__} is fitted: {solution.message}.")
            raise interrupt
        if separated:
            self._warn_separated(solution)
        elif not solution.status.as_intended:
            warnings.warn(solver.explain(solution, stop), ConvergenceWarning, stacklevel=4)
        progress.on_fit_end()
        return self

    def _check_parameters(self) -> None:
        """Raise a ValueError for parameters that do not go together."""
        if self.l1_ratio != 0:
            raise ValueError(f"l1_ratio={self.l1_ratio!r} is not implemented yet: only l1_ratio=0.0, the L2 penalty.")
        refuse_no_tol(self.tol, solver_class(self.solver).takes_no_tol, self.solver)

    def _objective(
        self, rows: Rows, targets: Targets, bound: BoundLoss, total_weight: float, random_state: Any, **threads: Any
    ) -> LinearObjective:
        alpha = self._alpha(total_weight)
        data = InMemoryDataset(rows, targets, **threads)
        given = {"fit_intercept": self.fit_intercept, "random_state": random_state}
        if not bound.unit_norm:
            return LinearObjective(data, bound, PENALTIES["l2"](), alpha, **given)
        return CosineObjective(data, bound, PENALTIES["l2"](), alpha, **given)

    def _alpha(self, total_weight: float) -> float:
        """Return the strength of the penalty against the mean loss, 1 / (C · total weight); 0 for none.

        Below ``NO_PENALTY`` it is lost beside the loss, and its inverse, which solvers would step by, is beyond all scales.
        """
        if np.isinf(self.C):
            return 0.0
        # A sum beyond float64 is infinite: the largest number in its place tells whether there is a penalty at all.
        total = min(total_weight, float(np.finfo(np.float64).max))
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            alpha = float(1 / (np.float64(self.C) * total))
        if not alpha <= 1 / NO_PENALTY or (total < total_weight and alpha >= NO_PENALTY):
            raise ValueError(
                f"C={self.C!r} times the sum of all weights, {total_weight:.3g}, must be at least {NO_PENALTY:g} and the sum "
                "finite: beside a stronger penalty the loss is nothing. Multiply C or the weights by a constant."
            )
        return alpha if alpha >= NO_PENALTY else 0.0

    @available_if(_check_learns_from_parts)
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
        with _restore_on_error(self):
            X, y, classes, sample_weight = as_numpy(X=X, y=y, classes=classes, sample_weight=sample_weight)
            return self._partial_fit(X, y, classes, sample_weight)

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> SoftmaxRegressionClassifier:
        self._check_parameters()
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not know how often classes will occur: "
                "pass a dict, e.g. of sklearn.utils.class_weight.compute_class_weight over a large enough sample."
            )
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: a part holds no validation rows.")
        first = not hasattr(self, "coef_")
        X, classes, encoded = self._validate_part(X, y, classes, first)
        weight = check_sample_weight(sample_weight, X)
        class_weight = compute_class_weights(classes, weight, self.class_weight, **encoded)
        targets, total_weight = make_targets(classes, weight, class_weight, **encoded)
        loss = LOSSES[self.loss]() if isinstance(self.loss, str) else self.loss
        rows, bound = as_rows(X), loss.bind(targets)
        n_rows = int(np.count_nonzero(targets.weight))
        so_far = getattr(self, "_partial_fit_state", PartialFitState()).with_batch(
            n_rows, total_weight, check_random_state(self.random_state)
        )
        if not (total_weight >= LEAST_WEIGHT and so_far.weight <= 1 / LEAST_WEIGHT):
            raise ValueError(
                f"sample_weight must sum to at least {LEAST_WEIGHT:g} in each part of the data and at most "
                f"{1 / LEAST_WEIGHT:g} in all of them; got {total_weight:.3g} in this one and {so_far.weight:.3g} in all."
            )
        solver: Any = SOLVERS[self.solver]() if isinstance(self.solver, str) else self.solver
        n_threads = _openmp_effective_n_threads() if rows.is_worth_threads(bound.n_logits) else 1

        def learn(pool: ThreadPoolExecutor | None) -> None:
            threads: dict[str, Any] = {"pool": pool, "n_threads": n_threads}
            objective = self._objective(rows, targets, bound, so_far.weight, so_far.random_state, **threads)
            solver.check(objective)

            def start() -> NDArray[np.float64]:
                return solver.start(objective) if first else objective.pack(self._dense_coef(), self.intercept_)

            # A row counts as much as its weight, whatever the others of its part weigh.
            loss_scale = (total_weight / n_rows) / (so_far.weight / so_far.n_rows)
            learnt, solution = so_far.update(objective, solver, start, class_major=rows.class_major, loss_scale=loss_scale)
            coef, intercept = objective.unpack(solution.params)
            attributes = {"classes_": classes, "loss_": loss, "coef_": coef, "intercept_": intercept}
            self._set_fitted_attributes(attributes, solution, converged=False, best_iteration=None, partial_fit_state=learnt)

        run_fit(n_threads, learn)
        return self

    def _validate_part(self, X: Any, y: Any, classes: Any, first: bool) -> tuple[Any, NDArray, dict[str, NDArray]]:
        """Return X, the classes and the encoded targets of a part of the data."""
        checks: dict = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "order": "C", "reset": first}
        check_indices(X)
        check_columns(X)
        soft = y is not None and is_proba(y)
        known: Any = _Classes(None if first else self.classes_)
        if soft:
            X = validate_data(self, X, **checks)
            own, proba = check_proba_targets(y, X.shape[0])
            _check_partial_fit_first_call(known, own if classes is None and first else classes)
            if proba.shape[1] != len(known.classes_):
                raise ValueError(f"y must have a column for each of the {len(known.classes_)} classes, got {proba.shape[1]}.")
            encoded = {"proba": proba}
        else:
            X, y = validate_data(self, X, y, **checks)
            _check_partial_fit_first_call(known, classes)
            encoded = {"labels": check_known_labels(y, known.classes_)}
        if len(known.classes_) < 2:
            raise ValueError(f"classes must hold at least two classes, got only one class: {known.classes_.tolist()[0]!r}.")
        check_magnitude(X, columns=getattr(self, "feature_names_in_", None))
        return X, known.classes_, encoded

    def _validation_set(
        self, held_out: Sample, classes: NDArray, class_weight: NDArray | None, loss: Loss, **threads: Any
    ) -> ValidationSet:
        """Return the held-out rows, their classes weighted as those of the training rows."""
        try:
            held_out_targets, _ = make_targets(classes, held_out.weight, class_weight, **held_out.encoded)
        except ValueError as error:  # all else is checked
            message = f"sample weights and class_weight={self.class_weight!r} leave no weight on any row of the validation set."
            raise ValueError(message) from error
        return ValidationSet(as_rows(loss.prepare(held_out.X)), held_out_targets, loss, **threads)

    def _validate_training_data(self, X: Any, y: Any, sample_weight: Any) -> tuple[NDArray, Sample]:
        checks: dict = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "order": "C"}
        check_indices(X)
        check_columns(X)
        if y is not None and is_proba(y):
            X = validate_data(self, X, **checks)
            classes, proba = check_proba_targets(y, X.shape[0])
            encoded = {"proba": proba}
        else:
            X, y = validate_data(self, X, y, **checks)
            classes, labels = check_labels(y)
            encoded = {"labels": labels}
        check_magnitude(X, columns=getattr(self, "feature_names_in_", None))
        return classes, Sample(X, encoded, check_sample_weight(sample_weight, X))

    def _start(self, objective: LinearObjective, classes: NDArray, solver: Solver[Any]) -> NDArray[np.float64]:
        coef = getattr(self, "coef_", None) if self.warm_start else None
        if coef is None:
            return solver.start(objective)
        if not np.array_equal(self.classes_, classes):
            raise ValueError(f"warm_start=True needs the classes of the last fit, {self.classes_}; got {classes}.")
        if coef.shape[1] != self.n_features_in_:
            raise ValueError(f"warm_start=True needs the {coef.shape[1]} features of the last fit; got {self.n_features_in_}.")
        return objective.pack(self._dense_coef(), self.intercept_)

    def _solver(self, rows: Rows, objective: LinearObjective) -> Solver[Any]:
        if isinstance(self.solver, Solver):
            return self.solver
        if self.solver == "auto":
            shape = rows.n_stored, rows.n_rows, rows.n_features, objective.n_logits
            return choose_solver(*shape, has_hessian=objective.has_hessian, strictly_convex=objective.strictly_convex)
        return SOLVERS[self.solver]()

    def _set_fitted_attributes(
        self,
        attributes: dict[str, Any],
        solution: Solution,
        *,
        converged: bool,
        best_iteration: int | None,
        partial_fit_state: PartialFitState,
    ) -> None:
        """Set the fitted attributes, all at once: no interrupt can come between two of them."""
        fitted = {
            **attributes,
            "solution_": solution,
            "converged_": converged,
            "n_iter_": np.array([solution.n_iter], dtype=np.int32),
            "best_iteration_": best_iteration,
            "_partial_fit_state": partial_fit_state,
        }
        self.__dict__.update(fitted)

    def _warn_separated(self, solution: Solution) -> None:
        """Warn that there is no optimum."""
        warnings.warn(
            f"The classes are perfectly separable: without a penalty (C={self.C:g}) the loss has no minimum and the "
            f"coefficients grow without bound; they were left where the gradient norm is {solution.gradient_norm:.3g}. "
            f"Set a {'finite' if np.isinf(self.C) else 'smaller'} C.",
            ConvergenceWarning,
            stacklevel=5,
        )

    # -- predicting ----------------------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> NDArray:
        """Return the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the one of ``classes_[1]``, against 0 for ``classes_[0]``. The same for a row whatever the others.
        """
        logits = self._logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict(self, X: Any) -> NDArray:
        """Return the label decided for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Of ``classes_``.
        """
        (X,) = as_numpy(X=X)
        return super().predict(X)

    @available_if(_check_proba)
    def predict_proba(self, X: Any) -> NDArray:
        """Return class probabilities; not there with a loss that has none.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Rows sum to one; columns in the order of ``classes_``.
        """
        logits = self._logits(X)
        return self.loss_.proba(logits)

    @available_if(_check_proba)
    def predict_log_proba(self, X: Any) -> NDArray:
        """Return logarithms of class probabilities, in nats, computed from the logits: finite where these are.

        Not there with a loss that has no probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        logits = self._logits(X)
        return self.loss_.log_proba(logits)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or rows of class probabilities, whose share on the predicted class counts.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
            Between 0 and 1; greater is better.
        """
        X, y, sample_weight = as_numpy(X=X, y=y, sample_weight=sample_weight)
        if not is_proba(y):
            predicted = self.predict(X)
            weight = None if sample_weight is None else scale_weight(check_weight(sample_weight, len(predicted)))[0]
            return float(accuracy_score(y, predicted, sample_weight=weight))
        logits = self._logits(X)
        predicted = logits.argmax(axis=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).astype(int)
        _, proba = check_proba_targets(y, len(predicted))
        weight, _ = scale_weight(check_weight(sample_weight, len(predicted)))
        return float(np.average(proba[np.arange(len(predicted)), predicted], weights=weight))

    def _logits(self, X: Any) -> NDArray:
        check_is_fitted(self)
        (X,) = as_numpy(X=X)
        check_indices(X)
        check_columns(X)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C", reset=False)
        dtype = np.result_type(X.dtype, self.coef_.dtype)
        rows = as_rows(self.loss_.prepare(X.astype(dtype, copy=False)))
        coef, intercept = self._kernel_coef(rows), self.intercept_.astype(dtype, copy=False)
        # Not asked where one thread will do: counting cores runs a program the first time.
        n_threads = _openmp_effective_n_threads() if rows.is_worth_threads(len(intercept)) else 1
        return score_rows(rows, coef, intercept, n_threads)

    def _kernel_coef(self, rows: Rows) -> NDArray:
        """Return coef_ as the kernels of rows take it."""
        coef = self._dense_coef()
        return np.ascontiguousarray(coef if rows.class_major else coef.T, dtype=rows.dtype)

    def _dense_coef(self) -> NDArray:
        return self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Classes:
    """What scikit-learn's check of ``classes`` reads and writes, so that a call that fails leaves the estimator as it was."""

    def __init__(self, classes: NDArray | None) -> None:
        if classes is not None:
            self.classes_ = classes


@contextmanager
def _restore_on_error(estimator: Any) -> Iterator[None]:
    """Take back what validation notes of X on the estimator if nothing of the fit is kept: the last fit stays whole."""
    noted = ("n_features_in_", "feature_names_in_")
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        if vars(estimator).get("solution_") is before.get("solution_"):
            for name in noted:
                vars(estimator).pop(name, None)
            vars(estimator).update({name: before[name] for name in noted if name in before})
        raise
