"""sksoftmax.calibration: what every calibrator of the table must do, each against its reference."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import reference_calibration as reference
import sklearn
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import get_tags

from sksoftmax.calibration import CALIBRATORS, Calibrator
from sksoftmax.data.arrays import PROBA_TOLERANCE

every = pytest.mark.parametrize("name", sorted(CALIBRATORS))
# What the optimum is known to, in log-probabilities.
TOLERANCE = {"temperature": 1e-10}


def n_classes_of(name):
    return 2 if CALIBRATORS[name].two_classes_only else 3


def make_problem(n_classes, n_rows=120, seed=0):
    """Logits that are too large and biased, and labels; no two logits are equal, and no class is separable."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_rows, n_classes))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return 2.5 * logits + 0.3 * np.arange(n_classes), labels.astype(np.int32), rng.integers(1, 4, size=n_rows).astype(float)


@pytest.fixture
def problem(name):
    return make_problem(n_classes_of(name))


def calibrated(name, logits, y, weight=None, new=None, **options):
    return CALIBRATORS[name]().fit(logits, y, weight, **options).predict_log_proba(logits if new is None else new)


# -- the map -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@every
def test_equals_its_reference(name, problem):
    logits, y, weight = problem
    target, new = np.eye(logits.shape[1])[y], make_problem(logits.shape[1], seed=1)[0]
    expected = log_softmax(reference.CALIBRATORS[name](logits, target, weight, new), axis=1)
    tolerance = TOLERANCE.get(name, 1e-6)
    np.testing.assert_allclose(calibrated(name, logits, y, weight, new), expected, rtol=tolerance, atol=tolerance)


@every
def test_answers_agree_with_each_other(name, problem):
    logits, y, _ = problem
    calibrator = CALIBRATORS[name]().fit(logits, y)
    given = logits.copy()
    transformed = calibrator.transform(logits)
    assert transformed.shape == logits.shape
    assert transformed.dtype == logits.dtype
    np.testing.assert_array_equal(logits, given)
    proba = calibrator.predict_proba(logits)
    np.testing.assert_allclose(proba, np.exp(log_softmax(transformed, axis=1)), rtol=1e-12)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(calibrator.predict_log_proba(logits), np.log(proba), rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(CALIBRATORS[name]().fit_transform(logits, y), transformed)


@pytest.mark.usefixtures("small_blocks")
@every
def test_a_row_does_not_depend_on_its_neighbours(name, problem):
    logits, y, _ = problem
    calibrator = CALIBRATORS[name]().fit(logits, y)
    alone = np.vstack([calibrator.transform(row[None]) for row in logits])
    np.testing.assert_allclose(calibrator.transform(logits), alone, rtol=1e-13, atol=1e-13)


# -- targets -------------------------------------------------------------------------------------------------------------


def label_kinds(y, n_classes):
    """Yield the same labels in every kind."""
    yield "gapped", np.array([3, 10, 700])[y]
    yield "from one", y + 1
    yield "negative", y.astype(np.int64) - 5
    yield "floats", y.astype(float)
    yield "strings", np.array(["ant", "bee", "cow"])[y]
    yield "objects", np.array(["ant", "bee", "cow"], dtype=object)[y]
    yield "a list", y.tolist()
    yield "a series that starts at 7", pd.Series(y + 1, index=np.arange(len(y))[::-1] + 7)
    yield "a series of categories", pd.Series(pd.Categorical(np.array(["ant", "bee", "cow"])[y]))
    yield "a polars series", pl.Series(y)
    if n_classes == 2:
        yield "booleans", y.astype(bool)


@every
def test_labels_of_every_kind_are_the_same(name, problem):
    logits, y, weight = problem
    expected = calibrated(name, logits, y, weight)
    for kind, labels in label_kinds(y, logits.shape[1]):
        calibrator = CALIBRATORS[name]().fit(logits, labels, weight)
        np.testing.assert_array_equal(calibrator.predict_log_proba(logits), expected, err_msg=kind)
        np.testing.assert_array_equal(calibrator.classes_, np.unique(np.asarray(labels)), err_msg=kind)


@every
def test_permuting_classes_permutes(name, problem):
    logits, y, weight = problem
    names = np.array(["ant", "bee", "cow"])[: logits.shape[1]]
    order = np.roll(np.arange(logits.shape[1]), 1)
    calibrator = CALIBRATORS[name]().fit(logits[:, order], names[y], weight, classes=names[order])
    np.testing.assert_array_equal(calibrator.classes_, names[order])
    expected = calibrated(name, logits, y, weight)[:, order]
    np.testing.assert_allclose(calibrator.predict_log_proba(logits[:, order]), expected, rtol=1e-7, atol=1e-7)


@every
def test_a_class_that_no_row_has_is_named(name, problem):
    logits, y, _ = problem
    y = np.minimum(y, logits.shape[1] - 2)
    if logits.shape[1] == 2:  # one class only: separated, whatever the calibrator makes of it
        return
    with pytest.raises(ValueError, match=r"y holds 2 different labels, .*, but there are 3 classes; pass classes="):
        CALIBRATORS[name]().fit(logits, y)
    calibrator = CALIBRATORS[name]().fit(logits, y, classes=[0, 1, 2])
    assert np.isfinite(calibrator.predict_proba(logits)).all()


@pytest.mark.usefixtures("small_blocks")
@every
def test_rows_of_probabilities_are_weighted_labels(name, problem):
    logits, y, weight = problem
    n_classes = logits.shape[1]
    one_hot = np.eye(n_classes)[y]
    expected = calibrated(name, logits, y, weight)
    np.testing.assert_allclose(calibrated(name, logits, one_hot, weight), expected, rtol=1e-9, atol=1e-9)
    soft = 0.9 * one_hot + 0.1 / n_classes
    copies = (
        np.repeat(logits, n_classes, axis=0),
        np.tile(np.arange(n_classes), len(y)),
        np.repeat(weight, n_classes) * soft.ravel(),
    )
    names = list("abc")[:n_classes]
    calibrator = CALIBRATORS[name]().fit(logits, pd.DataFrame(soft, columns=names), weight)
    assert calibrator.classes_.tolist() == names
    np.testing.assert_allclose(
        calibrator.predict_log_proba(logits), calibrated(name, *copies, new=logits), rtol=1e-6, atol=1e-6
    )


@every
def test_rows_of_probabilities_that_hardly_sum_to_one_are_their_normalised_selves(name, problem):
    """Numbers written with four decimals: a row that sums to less says the same, and weighs less, by as little."""
    logits, y, weight = problem
    rng = np.random.default_rng(0)
    soft = 0.7 * np.eye(logits.shape[1])[y] + 0.3 * rng.dirichlet(np.ones(logits.shape[1]), size=len(y))
    mass = 1 + 0.9 * PROBA_TOLERANCE * np.where(np.arange(len(y)) % 3 > 0, -1, 1)
    expected = calibrated(name, logits, soft, weight * mass)
    np.testing.assert_allclose(calibrated(name, logits, soft * mass[:, None], weight), expected, rtol=1e-7, atol=1e-7)


# The automatic choice deals rows out, and a row that stands twice may stand in two folds.
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", sorted(set(CALIBRATORS) - {"auto"}))
def test_weights_are_repetitions(name, problem):
    logits, y, weight = problem
    weight[::7] = 0
    repeats = weight.astype(int)
    expected = calibrated(name, np.repeat(logits, repeats, axis=0), np.repeat(y, repeats), new=logits)
    np.testing.assert_allclose(calibrated(name, logits, y, weight), expected, rtol=1e-6, atol=1e-6)


# -- logits --------------------------------------------------------------------------------------------------------------


@every
def test_a_constant_per_row_changes_nothing(name, problem):
    logits, y, weight = problem
    shifted = logits + np.linspace(-30, 30, len(logits))[:, None]
    expected = calibrated(name, logits, y, weight)
    np.testing.assert_allclose(calibrated(name, shifted, y, weight), expected, rtol=1e-7, atol=1e-7)


@every
def test_float32_stays_float32(name, problem):
    logits, y, weight = problem
    single = logits.astype(np.float32)
    calibrator = CALIBRATORS[name]().fit(single, y, weight)
    double = CALIBRATORS[name]().fit(single.astype(np.float64), y, weight)
    for answer in ("transform", "predict_proba", "predict_log_proba"):
        ours = getattr(calibrator, answer)(single)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, getattr(double, answer)(single.astype(np.float64)), rtol=2e-5, atol=2e-5)


@every
def test_one_logit_stands_for_two_classes(name):
    logits, y, weight = make_problem(2)
    difference = logits[:, 1] - logits[:, 0]
    two = CALIBRATORS[name]().fit(np.column_stack([np.zeros(len(y)), difference]), y, weight)
    expected = two.predict_log_proba(logits - logits[:, :1])
    for one in (difference, difference[:, None], pd.Series(difference)):
        calibrator = CALIBRATORS[name]().fit(one, y, weight)
        assert calibrator.n_features_in_ == 1
        np.testing.assert_allclose(calibrator.predict_log_proba(one), expected, rtol=1e-12, atol=1e-12)
        transformed = calibrator.transform(one)
        assert transformed.shape == one.shape
        with np.errstate(invalid="ignore"):
            odds = expected[:, 1] - expected[:, 0]
        np.testing.assert_allclose(np.ravel(transformed), odds, rtol=1e-9, atol=1e-9)


@every
def test_containers_of_logits_are_the_same(name, problem, tmp_path):
    logits, y, weight = problem
    expected = calibrated(name, logits, y, weight)
    read_only = logits.copy()
    read_only.flags.writeable = False
    np.save(tmp_path / "logits.npy", logits)
    mapped = np.load(tmp_path / "logits.npy", mmap_mode="r")
    columns = [f"column {k}" for k in range(logits.shape[1])]
    frames = pd.DataFrame(logits), pl.DataFrame(logits, schema=columns)
    for given in (read_only, mapped, np.asfortranarray(logits), logits[::-1][::-1], logits.tolist(), *frames):
        np.testing.assert_array_equal(calibrated(name, given, y, weight), expected)


@every
def test_probabilities_are_logits_once_they_are_said_to_be(name, problem):
    logits, y, weight = problem
    proba = np.exp(log_softmax(logits, axis=1))
    calibrator = CALIBRATORS[name](input="proba").fit(proba, y, weight)
    np.testing.assert_allclose(calibrator.predict_log_proba(proba), calibrated(name, logits, y, weight), rtol=1e-6, atol=1e-6)
    zeros = np.where(proba < 0.02, 0, proba)
    zeros /= zeros.sum(axis=1, keepdims=True)
    assert ((zeros == 0) & (np.eye(logits.shape[1])[y] > 0)).any()
    calibrator = CALIBRATORS[name](input="proba").fit(zeros, y, weight)
    assert np.isfinite(calibrator.predict_proba(zeros)).all()
    if logits.shape[1] == 2:
        second = CALIBRATORS[name](input="proba").fit(proba[:, 1], y, weight)
        np.testing.assert_allclose(second.predict_proba(proba[:, 1]), second.predict_proba(proba), rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("small_blocks")
@every
def test_impossible_classes_are_no_numbers_to_fear(name, problem):
    logits, y, weight = problem
    logits = logits.copy()
    others = (y + 1) % logits.shape[1]
    logits[::9][np.arange(len(y[::9])), others[::9]] = -np.inf
    weight[1] = 0
    logits[1, y[1]] = -np.inf  # of no weight
    proba = CALIBRATORS[name]().fit(logits, y, weight).predict_proba(logits)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


@every
@pytest.mark.parametrize("size", [1e155, 1e300, 1.7e308])
def test_finite_logits_give_finite_probabilities_without_a_warning(name, size):
    """But for the ones that say what the data are: which way the logits point is all that such logits tell."""
    n_classes, rng = n_classes_of(name), np.random.default_rng(0)
    labels = rng.integers(n_classes, size=40)
    signs = rng.choice([-1.0, 1.0], size=(40, n_classes))
    few = np.where(rng.uniform(size=signs.shape) < 0.5, signs * size, signs)
    usual, y, _ = make_problem(n_classes)
    kinds = {"random": signs * size, "few": few, "right": size * np.eye(n_classes)[labels]}
    kinds |= {"contrary": -kinds["right"], "beside others": -kinds["right"] + rng.normal(size=signs.shape)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        on_usual = CALIBRATORS[name]().fit(usual, y)
        for kind, logits in kinds.items():
            for calibrator in (CALIBRATORS[name]().fit(logits, labels, classes=np.arange(n_classes)), on_usual):
                proba = calibrator.predict_proba(logits)
                np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12, err_msg=kind)
        single = (signs * 3e38).astype(np.float32)
        for calibrator in (CALIBRATORS[name]().fit(single, labels, classes=np.arange(n_classes)), on_usual):
            assert np.isfinite(calibrator.predict_proba(single)).all()


@pytest.mark.parametrize("size", [1e-20, 1.0, 30.0, 1e6, 1e300])
@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_beta_of_logits_that_say_the_contrary_is_a_constant(size, noise):
    """No map that rises is better than the share of the second class, as a sum over all faces of the constraints shows."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=60)
    logits = -size * (2 * labels - 1) * rng.uniform(1, 2, size=60) + size * noise * rng.normal(size=60)
    calibrator = CALIBRATORS["beta"]().fit(logits, labels)
    assert calibrator.a_ == calibrator.b_ == 0
    np.testing.assert_allclose(calibrator.predict_proba(logits)[:, 1], labels.mean(), rtol=1e-9)


def test_isotonic_regression_rules_nothing_out():
    """The least rows have one class only: by itself the regression gives others zero, and new rows an infinite loss."""
    logits, y, weight = make_problem(3)
    expected = 1 / (weight.sum() + 1) / 3
    proba = calibrated("isotonic", logits, y, weight, 100 * logits)
    assert np.exp(proba).min() == pytest.approx(expected, rel=1e-12)
    half = calibrated("isotonic", logits, y, weight / 2, 100 * logits)
    assert np.exp(half).min() == pytest.approx(1 / (weight.sum() / 2 + 1) / 3, rel=1e-12)


# -- bad input -----------------------------------------------------------------------------------------------------------


def bad_fits(logits, y):
    """Yield what is passed and what the error must say."""
    n_classes = logits.shape[1]

    def with_number(number, row, column):
        bad = logits.copy()
        bad[row, column] = number
        return bad

    yield (with_number(np.nan, 5, 1), y), r"logits must be finite or -inf, got nan in row 5, column 1"
    yield (with_number(np.inf, 7, 0), y), r"got inf in row 7, column 0"
    yield (with_number(-np.inf, 9, y[9]), y), r"finite for the true class, got -inf in row 9"
    yield (with_number(-np.inf, 9, y[9]), np.full(logits.shape, 1 / n_classes)), r"got -inf in row 9"
    yield (logits, np.zeros_like(y)), rf"y holds 1 different labels, \[0\], but there are {n_classes} classes; pass classes="
    yield (logits, y[:-1]), "inconsistent numbers of samples: 120 in logits, 119 in y"
    yield (logits, y, np.ones(3)), "sample_weight"
    yield (logits, y, -np.ones(len(y))), "sample_weight must be finite and non-negative, got -1.0 in row 0"
    yield (logits, y, np.zeros(len(y))), "zero"
    yield (logits, np.full(logits.shape, 0.7)), "sums to"
    yield (
        (logits, np.full((len(y), n_classes + 1), 1 / (n_classes + 1))),
        rf"y must have a column for each of the {n_classes} classes, got {n_classes + 1} columns",
    )
    yield (logits, None), "requires y to be passed"
    yield (logits[:, 0], np.arange(len(y)) % 3), r"y holds 3 different labels, \[0, 1, 2\], but there are 2 classes"
    yield (logits[None], y), r"got shape \(1, 120"
    yield (logits[:0], y[:0]), "got shape"
    yield (logits.astype(str), y), "must be real numbers, got dtype <U"


@every
def test_bad_input_is_named_and_nothing_is_half_fitted(name, problem):
    logits, y, _ = problem
    fitted = CALIBRATORS[name]().fit(logits, y)
    before = pickle.dumps(fitted)
    for arguments, message in bad_fits(logits, y):
        new = CALIBRATORS[name]()
        with pytest.raises((ValueError, TypeError), match=message):
            new.fit(*arguments)
        assert not [attribute for attribute in vars(new) if attribute.endswith("_")]
        with pytest.raises((ValueError, TypeError)):
            fitted.fit(*arguments)
    assert pickle.dumps(fitted) == before


@every
def test_bad_classes_are_named(name, problem):
    logits, y, _ = problem
    n_classes = logits.shape[1]
    for classes, message in (
        (np.arange(n_classes + 1), f"classes must name the {n_classes} columns of logits, got"),
        (np.zeros(n_classes), "differ from each other"),
        (np.arange(n_classes) + 1, r"y holds labels that are not among the classes .*: 0 in row \d"),
        (list("abc")[:n_classes], "not among the classes"),
    ):
        with pytest.raises(ValueError, match=message):
            CALIBRATORS[name]().fit(logits, y, classes=classes)
    frame = pd.DataFrame(np.full(logits.shape, 1 / n_classes), columns=list("abc")[:n_classes])
    with pytest.raises(ValueError, match=r"y must have a column for each of the classes .*, in this order; got"):
        CALIBRATORS[name]().fit(logits, frame, classes=list("cba")[:n_classes])


@every
def test_new_logits_must_be_as_those_of_the_fit(name, problem):
    logits, y, _ = problem
    with pytest.raises(NotFittedError):
        CALIBRATORS[name]().transform(logits)
    calibrator = CALIBRATORS[name]().fit(logits, y)
    with pytest.raises(ValueError, match=rf"must have {logits.shape[1]} columns.*got {logits.shape[1] + 1}"):
        calibrator.transform(np.ones((4, logits.shape[1] + 1)))
    bad = logits.copy()
    bad[3] = -np.inf
    with pytest.raises(ValueError, match="every class, as they are in row 3"):
        calibrator.predict_proba(bad)
    proba = CALIBRATORS[name](input="proba").fit(np.exp(log_softmax(logits, axis=1)), y)
    with pytest.raises(ValueError, match="row 0 sums to"):
        proba.transform(np.full(logits.shape, 0.7))


def test_one_probability_must_be_one():
    y = make_problem(2)[1]
    with pytest.raises(ValueError, match=r"proba must be in \[0, 1\], got 1.5 in row 2"):
        CALIBRATORS["temperature"](input="proba").fit(np.array([0.1, 0.2, 1.5]), [0, 1, 1])
    with pytest.raises(ValueError, match="for two classes, got 3 columns"):
        CALIBRATORS["beta"]().fit(make_problem(3)[0], y)


# -- scikit-learn --------------------------------------------------------------------------------------------------------


@every
def test_is_an_estimator(name, problem):
    logits, y, weight = problem
    calibrator = CALIBRATORS[name]()
    assert isinstance(calibrator, Calibrator)
    assert CALIBRATORS[name].__name__ in repr(calibrator)
    assert calibrator.get_params()["input"] == "logits"
    assert clone(calibrator).set_params(input="proba").input == "proba"
    with pytest.raises(ValueError, match="'input' parameter"):
        CALIBRATORS[name](input="guess").fit(logits, y)
    tags = get_tags(calibrator)
    assert tags.target_tags.required
    assert calibrator.fit(logits, y, sample_weight=weight) is calibrator
    assert calibrator.n_features_in_ == logits.shape[1]
    copy = pickle.loads(pickle.dumps(calibrator))
    np.testing.assert_array_equal(copy.transform(logits), calibrator.transform(logits))
    assert not [attribute for attribute in vars(clone(calibrator)) if attribute.endswith("_")]
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(calibrator.transform(logits), np.ndarray)
    assert isinstance(calibrator.set_output(transform="pandas").transform(logits), np.ndarray)


@every
def test_fitting_again_is_fitting_anew(name, problem):
    logits, y, weight = problem
    calibrator = CALIBRATORS[name]().fit(logits[:60], y[:60])
    again = calibrator.fit(logits, y, weight).predict_log_proba(logits)
    np.testing.assert_array_equal(again, calibrated(name, logits, y, weight))


@every
def test_warnings_that_are_errors_leave_nothing(name, problem):
    logits = problem[0]
    calibrator = CALIBRATORS[name]()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calibrator.fit(logits, logits.argmax(axis=1))
    if caught:
        new = CALIBRATORS[name]()
        with pytest.raises(type(caught[0].message)):
            new.fit(logits, logits.argmax(axis=1))
        assert not hasattr(new, "classes_")
    assert np.isfinite(calibrator.predict_proba(logits)).all()
