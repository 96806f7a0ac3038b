"""Parameters inside parameters: set, searched and cloned at any depth, by objects and by names."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier
from sksoftmax.losses import CrossEntropy, FocalLoss
from sksoftmax.solvers import LBFGS, SGD, Adam
from sksoftmax.solvers.schedules import Cosine, InverseScaling

DEEP = "solver__schedule__power"


def test_parameters_of_every_depth_are_listed():
    params = SoftmaxRegressionClassifier(solver=SGD(schedule=InverseScaling(power=0.7))).get_params()
    assert params[DEEP] == 0.7
    assert params["solver__schedule"] == InverseScaling(power=0.7)
    assert "schedule__power" not in SGD(schedule=InverseScaling()).get_params(deep=False)


@pytest.mark.parametrize("solver", [SGD(schedule=InverseScaling()), SGD(schedule="invscaling"), Adam(schedule="invscaling")])
def test_a_schedule_is_set_by_name_and_clones_share_nothing(solver):
    clf = SoftmaxRegressionClassifier(solver=solver)
    copy = clone(clf).set_params(solver__schedule__power=0.9, solver__schedule__delay=7.0, solver__batch_size=32)
    assert copy.solver == type(solver)(schedule=InverseScaling(0.9, 7.0), batch_size=32)
    assert clf.get_params().get(DEEP, 0.5) == 0.5


def test_names_become_objects_where_their_parameters_are_set():
    clf = SoftmaxRegressionClassifier(loss="focal", solver="sgd")
    clf.set_params(loss__gamma=1.0, solver__momentum=0.9)
    assert (clf.loss, clf.solver) == (FocalLoss(gamma=1.0), SGD(momentum=0.9))
    clf.set_params(solver="lbfgs", solver__memory=3, loss="cross_entropy", loss__label_smoothing=0.1)
    assert (clf.loss, clf.solver) == (CrossEntropy(label_smoothing=0.1), LBFGS(memory=3))
    clf.set_params(solver__memory=4, solver="lbfgs")  # in whichever order
    assert clf.solver == LBFGS(memory=4)
    clf.set_params(solver=SGD(), solver__schedule="cosine", solver__schedule__final=0.5)
    assert clf.solver == SGD(schedule=Cosine(final=0.5))


INVALID = [
    ({"solver__power": 1.0}, r"Invalid parameter 'power' for estimator SGD\(.*Valid parameters are: \['average', "),
    ({"solver__schedule__steps": 1.0}, r"Invalid parameter 'steps' for estimator Constant\(\). Valid parameters are: \[\]"),
    ({"solver__momentum__power": 1.0}, r"Invalid parameter 'power' for momentum=0.0, which has none"),
    ({"solver": "auto", "solver__memory": 5}, "solver='auto' has no parameter 'solver__memory': set solver to one of 'adag"),
    ({"solver": "sag", "solver__memory": 5}, "solver='sag' has no parameter"),
    ({"loss__gamma": 5}, r"Invalid parameter 'gamma' for estimator CrossEntropy\("),
]


@pytest.mark.parametrize(("params", "message"), INVALID)
def test_wrong_names_get_the_usual_error(params, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxRegressionClassifier(solver="sgd").set_params(**params)


def test_a_solver_whose_names_are_wrong_stays_as_it_is():
    solver = SGD()
    with pytest.raises(ValueError, match="Invalid parameter 'rate'"):
        solver.set_params(batch_size=3, rate=1.0)
    assert solver == SGD()


def test_a_name_without_parameters_as_a_calibrator():
    with pytest.raises(ValueError, match="calibrator='sigmoid' has no parameter 'calibrator__strength'"):
        CalibratedClassifier("sigmoid").set_params(calibrator="sigmoid", calibrator__strength=1.0)


@pytest.mark.parametrize("solver", ["sgd", SGD(), SGD(schedule="invscaling")], ids=repr)
def test_search_over_the_power_of_a_schedule(solver):
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    clf = SoftmaxRegressionClassifier(solver=solver, max_iter=10, tol=None, random_state=0)
    grid = {"solver__schedule": ["invscaling"], DEEP: [0.0, 50.0], "solver__batch_size": [32]}
    search = GridSearchCV(clf, grid, cv=2, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert search.best_params_[DEEP] == 0.0
    assert search.best_estimator_.solver.schedule.power == 0.0
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0.1
    assert clf.solver is solver
