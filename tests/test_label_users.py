"""One encoder of labels: all that takes labels takes the same, and says the same sentence but for its parameters' names."""

import numpy as np
import pandas as pd
import pytest

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier, metrics
from sksoftmax.calibration import CALIBRATORS
from sksoftmax.scorers import make_scorer

N = 30
INDEX = np.arange(N) % 3
X = np.random.default_rng(0).normal(size=(N, 2)) + INDEX[:, None]
LOGITS = np.random.default_rng(1).normal(size=(N, 3))
PROBA = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def fit(y):
    return SoftmaxRegressionClassifier().fit(X, y).classes_


def calibrate(y, **classes):
    return CALIBRATORS["temperature"]().fit(LOGITS, y, **classes).classes_


def calibrate_probabilities(y, **classes):
    return CALIBRATORS["temperature"](input="proba").fit(PROBA, y, **classes).classes_


def calibrated_classifier(y):
    return CalibratedClassifier(SoftmaxRegressionClassifier(), cv=2).fit(X, y).classes_


def score(y):
    metrics.cross_entropy_loss(y, PROBA)


def decisions(y):
    metrics.accuracy_score(y, y)


# What finds the classes, and the name of its parameter.
FINDERS = {
    "fit": (fit, "y"),
    "calibrator": (calibrate, "y"),
    "calibrator of probabilities": (calibrate_probabilities, "y"),
    "CalibratedClassifier": (calibrated_classifier, "y"),
    "metric of probabilities": (score, "y_true"),
    "metric of decisions": (decisions, "y_true"),
}
# What is given the classes.
TAKERS = {
    "partial_fit": (
        lambda y, classes: SoftmaxRegressionClassifier(solver="sgd").partial_fit(X, y, classes=classes),
        "y",
    ),
    "validation set": (
        lambda y, classes: SoftmaxRegressionClassifier().fit(X, np.asarray(classes)[INDEX], X_val=X, y_val=y),
        "y_val",
    ),
    "calibrator": (lambda y, classes: calibrate(y, classes=classes), "y"),
    "metric of probabilities": (lambda y, classes: metrics.brier_score_loss(y, PROBA, labels=classes), "y_true"),
    "metric of decisions": (lambda y, classes: metrics.accuracy_score(y, PROBA, labels=classes), "y_true"),
    "decisions": (
        lambda y, classes: metrics.accuracy_score(np.asarray(classes)[INDEX], y, labels=classes),
        "y_pred",
    ),
}
every_finder = pytest.mark.parametrize(("find", "name"), FINDERS.values(), ids=FINDERS)
every_taker = pytest.mark.parametrize(("take", "name"), TAKERS.values(), ids=TAKERS)


def labels_of(kinds):
    return np.array(kinds)[INDEX]


def objects_of(kinds):
    return np.array(kinds, dtype=object)[INDEX]


GOOD = {
    "integers": labels_of([3, 1, 2]),
    "uint8": labels_of([3, 1, 2]).astype(np.uint8),
    "integers far apart": labels_of([10**12, -5, 0]),
    "floats that are integers": labels_of([3.0, 1.0, 2.0]),
    "strings": labels_of(["c", "a", "b"]),
    "strings as objects": objects_of(["c", "a", "b"]),
    "list": labels_of(["c", "a", "b"]).tolist(),
    "categorical": pd.Series(labels_of(["c", "a", "b"]), dtype="category"),
    "categorical of integers": pd.Series(labels_of([3, 1, 2]), dtype="category"),
    "nullable strings": pd.Series(labels_of(["c", "a", "b"]), dtype="string"),
    "nullable integers": pd.Series(labels_of([3, 1, 2]), dtype="Int64"),
}


@pytest.mark.parametrize("y", GOOD.values(), ids=GOOD)
def test_all_find_the_same_classes(y):
    expected = np.unique(np.asarray(y)).tolist()
    for find, _ in FINDERS.values():
        found = find(y)
        assert found is None or found.tolist() == expected


@every_taker
def test_all_take_what_is_equal_in_python(take, name):
    for y in (INDEX.astype(float), INDEX.astype(object), INDEX > 0, pd.Series(INDEX > 0, dtype="boolean")):
        take(y, [0, 1, 2])
    for kind in ("strings", "strings as objects", "list", "categorical", "nullable strings"):
        take(GOOD[kind], ["a", "b", "c"])


MISSING = {
    "NaN": np.where(INDEX == 1, np.nan, INDEX),
    "NaN as object": objects_of(["a", np.nan, "b"]),
    "nullable integers": pd.Series(INDEX, dtype="Int64").mask(INDEX == 1),
    "nullable strings": pd.Series(labels_of(["a", "b", "c"]), dtype="string").mask(INDEX == 1),
    "nullable booleans": pd.Series(INDEX > 0, dtype="boolean").mask(INDEX == 1),
    "categorical": pd.Series(objects_of(["a", None, "c"]), dtype="category"),
}
BAD = {
    **{kind: (y, "Input {} contains NaN in row 1.") for kind, y in MISSING.items()},
    "infinity": (
        np.where(INDEX == 2, np.inf, INDEX),
        "Input {} contains infinity or a value too large for dtype('float64') in row 2.",
    ),
    "fractions": (
        INDEX + 0.5,
        "Unknown label type: continuous. {} must hold labels in one dimension, or rows of class probabilities in two; got the "
        "fraction 0.5 in row 0.",
    ),
    "mixed": (objects_of(["a", 1, 2.5]), "{} must hold labels of one kind that can be sorted, got 'a' and 1"),
    "None": (objects_of(["a", None, "b"]), "{} must hold labels of one kind that can be sorted, got 'a' and None"),
    "none at all": (None, "This call requires {} to be passed, but the target {} is None."),
    "three dimensions": (np.zeros((N, 1, 1)), f"{{}} should be a 1d array, got an array of shape ({N}, 1, 1) instead."),
}


@pytest.mark.parametrize("kind", BAD)
@every_finder
def test_all_say_the_same_of_labels_without_classes(find, name, kind):
    y, message = BAD[kind]
    if y is None and find is calibrated_classifier:
        message = "This CalibratedClassifier estimator requires y to be passed, but the target y is None."
    if y is None and find is decisions:
        name = "y_pred"
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        find(y)
    assert str(caught.value).replace("y_pred", name).startswith(message.format(name, name).removesuffix("."))


UNKNOWN = {
    "integers": (INDEX + 1, [0, 1, 2], "3 in row 2"),
    "floats": (INDEX + 0.5, [0, 1, 2], "0.5 in row 0, 1.5 in row 1, 2.5 in row 2"),
    "texts of integers": (labels_of(["0", "1", "2"]), [0, 1, 2], "'0' in row 0, '1' in row 1, '2' in row 2"),
    "integers for texts": (INDEX, ["0", "1", "2"], "0 in row 0, 1 in row 1, 2 in row 2"),
    "strings": (labels_of(["a", "z", "c"]), ["a", "b", "c"], "'z' in row 1"),
    "mixed": (objects_of(["a", 1, None]), ["a", "b", "c"], "1 in row 1, None in row 2"),
    "categorical": (pd.Series(labels_of(["a", "z", "c"]), dtype="category"), ["a", "b", "c"], "'z' in row 1"),
    "nullable integers": (pd.Series(INDEX + 1, dtype="Int64"), [0, 1, 2], "3.0 in row 2"),
    "bytes": (labels_of([b"a", b"b", b"c"]), ["a", "b", "c"], "b'a' in row 0, b'b' in row 1, b'c' in row 2"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
@every_taker
def test_all_say_the_same_of_labels_that_are_not_among_the_classes(take, name, kind):
    y, classes, unknown = UNKNOWN[kind]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        take(y, classes)
    assert str(caught.value) == f"{name} holds labels that are not among the classes {classes}: {unknown}."


@pytest.mark.parametrize("kind", [*MISSING, "infinity"])
@every_taker
def test_all_say_the_same_of_missing_labels(take, name, kind):
    y, message = BAD[kind]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        take(y, [0, 1, 2])
    assert str(caught.value) == message.format(name)


def test_all_say_the_same_of_lengths_and_columns():
    short, wide = INDEX[:5], np.full((N, 4), 0.25)
    for name, rows, call in (
        ("y", "X", fit),
        ("y", "logits", calibrate),
        ("y", "proba", calibrate_probabilities),
        ("y_true", "y_proba", score),
        ("y_val", "X_val", lambda y: TAKERS["validation set"][0](y, [0, 1, 2])),
        ("y", "X", lambda y: TAKERS["partial_fit"][0](y, [0, 1, 2])),
    ):
        with pytest.raises(ValueError, match=f"inconsistent numbers of samples: {N} in {rows}, 5 in {name}.$"):
            call(short)
        with pytest.raises(ValueError, match=f"inconsistent numbers of samples: {N} in {rows}, 5 in {name}.$"):
            call(PROBA[:5])
        if call is not fit:
            with pytest.raises(ValueError, match=f"^{name} must have a column for each of the .* got 4 columns"):
                call(wide)


def test_columns_named_in_another_order_are_refused():
    """A first partial_fit once took them for the sorted classes."""
    table = pd.DataFrame(PROBA, columns=list("cab"))
    message = r"must have a column for each of the classes \['a', 'b', 'c'\], in this order; got \['c', 'a', 'b'\]\.$"
    for take, name in TAKERS.values():
        if name != "y_pred":
            with pytest.raises(ValueError, match=f"^{name} {message}"):
                take(table, list("abc"))
    with pytest.raises(ValueError, match=f"^y {message}"):
        SoftmaxRegressionClassifier(solver="sgd").partial_fit(X, table)
    clf = SoftmaxRegressionClassifier().fit(X, labels_of(["a", "b", "c"]))
    with pytest.raises(ValueError, match=f"^y {message}"):
        clf.score(X, table)


def test_scorers_find_labels_that_the_model_has_not_seen():
    clf = SoftmaxRegressionClassifier().fit(X, INDEX)
    assert make_scorer("accuracy_score")(clf, X, np.where(INDEX == 2, 7.0, INDEX)) <= 2 / 3
    with pytest.raises(ValueError, match=r"^Input y_true contains NaN in row 1\.$"):
        make_scorer("accuracy_score")(clf, X, MISSING["NaN"])
