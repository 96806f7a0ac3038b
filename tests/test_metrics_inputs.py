"""What a metric takes: labels of any kind, rows of probabilities, any column order; and what it refuses, in clear words."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sksoftmax.metrics._inputs import check_predictions

PROBA = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.5, 0.25, 0.25]])


@pytest.mark.parametrize(
    "y_true",
    [
        [0, 1, 2, 0],
        [-5, 3, 100, -5],
        np.array([-5, 3, 2**40, -5]),
        np.array([-128, 0, 127, -128], dtype=np.int8),
        np.array([1, 7, 200, 1], dtype=np.uint8),
        [-1.0, 1.0, 7.0, -1.0],
        np.array([2**63 + 3, 2**63 + 5, 2**64 - 1, 2**63 + 3], dtype=np.uint64),
        np.array([0, 1, 2, 0], dtype=np.uint64),
        np.array([0, 2**63, 2**64 - 1, 0], dtype=np.uint64),
        np.array([-(2**63), 0, 2**63 - 1, -(2**63)]),
        ["a", "b", "c", "a"],
        np.array(["a", "b", "c", "a"], dtype=object),
        pd.Series(["a", "b", "c", "a"], index=[9, 3, 3, 0]),
        pd.Series(["a", "b", "c", "a"], dtype="category"),
        pl.Series(["a", "b", "c", "a"]),
        np.array([[1], [2], [3], [1]]),
    ],
    ids=str,
)
def test_labels_of_any_kind_stand_for_the_sorted_columns(y_true):
    given = check_predictions(y_true, PROBA)
    assert given.labels.tolist() == [0, 1, 2, 0]
    assert given.labels.dtype == np.int32
    assert given.classes.tolist() == np.unique(y_true).tolist()
    assert given.target is None


@pytest.mark.parametrize(
    ("y_true", "labels", "expected"),
    [
        (["b", "b", "a", "b"], ["c", "b", "a"], [1, 1, 2, 1]),
        ([3, 3, 3, 3], [1, 2, 3], [2, 2, 2, 2]),
        ([10**12, 0, 0, 0], [0, 5, 10**12], [2, 0, 0, 0]),
        ([0, 1, 0, 1], [0.0, 1.0, 2.5], [0, 1, 0, 1]),
        ([True, False, True, True], [False, True, 2], [1, 0, 1, 1]),
        (np.array([200, 1, 1, 1], dtype=np.uint8), [-1, 1, 200], [2, 1, 1, 1]),
    ],
)
def test_labels_give_the_columns_their_order_also_where_classes_are_missing(y_true, labels, expected):
    given = check_predictions(y_true, PROBA, labels=labels)
    assert given.labels.tolist() == expected
    assert given.classes.tolist() == labels


@pytest.mark.parametrize("y_true", [[0, 1, 1, 0], [False, True, True, False], ["no", "yes", "yes", "no"], [-1, 1, 1, -1]])
def test_one_column_is_the_probability_of_the_greater_class(y_true):
    second = np.array([0.1, 0.9, 0.6, 0.5])
    for column in (second, second[:, None], pd.Series(second, index=[4, 1, 1, 0])):
        given = check_predictions(y_true, column)
        assert given.labels.tolist() == [0, 1, 1, 0]
        np.testing.assert_array_equal(given.proba, np.column_stack([1 - second, second]))
    logits = check_predictions(y_true, np.log(second / (1 - second)), from_logits=True).proba
    np.testing.assert_allclose(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])), second)


def test_rows_of_class_probabilities_keep_their_order_and_names():
    target = pd.DataFrame(PROBA, columns=["x", "z", "y"])
    given = check_predictions(target, PROBA)
    assert given.labels is None
    assert given.classes.tolist() == ["x", "z", "y"]
    np.testing.assert_array_equal(given.target, PROBA)
    assert check_predictions(PROBA, PROBA, labels=["x", "z", "y"]).classes.tolist() == ["x", "z", "y"]
    with pytest.raises(
        ValueError, match=r"y_true .*each of the classes \['x', 'y', 'z'\], in this order; got \['x', 'z', 'y'\]"
    ):
        check_predictions(target, PROBA, labels=["x", "y", "z"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_and_memory_laid_out_in_rows(dtype):
    given = check_predictions([0, 1, 2, 0], np.asfortranarray(PROBA.astype(dtype)))
    assert given.proba.dtype == dtype
    assert given.proba.flags.c_contiguous
    assert check_predictions([1, 0], np.array([[0, 1], [1, 0]])).proba.dtype == np.float64
    original = PROBA.astype(dtype)
    assert check_predictions([0, 1, 2, 0], original).proba is original


def test_weights_sum_to_one_and_rows_of_zero_weight_are_left_out():
    given = check_predictions([0, 1, 2, 0], PROBA, sample_weight=[2, 0, 5, 1])
    np.testing.assert_allclose(given.weight, [0.25, 0.625, 0.125])
    assert given.labels.tolist() == [0, 2, 0]
    np.testing.assert_array_equal(given.proba, PROBA[[0, 2, 3]])
    np.testing.assert_array_equal(check_predictions(PROBA, PROBA, sample_weight=[2, 0, 5, 1]).target, PROBA[[0, 2, 3]])
    np.testing.assert_allclose(check_predictions([0, 1, 2, 0], PROBA).weight, 0.25)


def changed(row, column, value):
    proba = PROBA.copy()
    proba[row, column] = value
    return proba


@pytest.mark.parametrize(
    ("y_true", "y_proba", "options", "message"),
    [
        ([0, 1, 1, 0], PROBA, {}, r"2 different labels, \[0, 1\], but there are 3 classes; pass labels="),
        ([1, 1, 1, 1], PROBA[:, 0], {}, r"1 different labels, \[1\], but there are 2 classes; pass labels="),
        (["a", "b", "c", "d"], PROBA, {}, "4 different labels"),
        (
            [0, 1, 7, 0],
            PROBA,
            {"labels": [0, 1, 2]},
            r"y_true holds labels that are not among the classes \[0, 1, 2\]: 7 in row 2\.",
        ),
        (["a", "b", "c", "x"], PROBA, {"labels": list("abc")}, r"not among the classes \['a', 'b', 'c'\]: 'x' in row 3"),
        ([0, 1, 2, 0], PROBA, {"labels": [0, 1]}, "labels must name the 3 columns"),
        ([0, 1, 2, 0], PROBA, {"labels": [0, 1, 1]}, "labels must differ"),
        ([0, 1, 2], PROBA, {}, "inconsistent numbers of samples: 4 in y_proba, 3 in y_true"),
        ([0.0, np.nan, 2.0, 0.0], PROBA, {}, "NaN in row 1"),
        ([1.0, 0.5, 1.5, 2.5], PROBA, {}, "y_true must hold labels .* got the fraction 0.5 in row 1"),
        (np.array(["a", 1, "c", None], dtype=object), PROBA, {}, "labels of one kind"),
        (
            [0, 1, 2, 0],
            changed(1, 0, 0.2),
            {},
            "y_proba must hold class probabilities, .*summing to 1 within 0.0001; row 1 sums to 1.1",
        ),
        ([0, 1, 2, 0], changed(2, 1, np.nan), {}, r"y_proba must hold class probabilities, .*; row 2 holds \[0.3, nan, 0.4\]"),
        ([0, 1, 2, 0], changed(2, 1, np.inf), {}, "row 2 sums to inf"),
        ([0, 1, 2, 0], np.array([[1.5, -0.5, 0.0]] * 4), {}, "row 0 holds"),
        ([0, 1, 1, 0], [0.1, 0.2, 1.2, 0.0], {}, r"y_proba must be in \[0, 1\], got 1.2 in row 2"),
        ([0, 1, 2, 0], PROBA.astype(str), {}, "y_proba must be real numbers, got dtype <U"),
        ([0, 1, 2, 0], PROBA[None], {}, "y_proba must be numbers, a column a class"),
        ([], np.empty((0, 3)), {}, "no rows"),
        (
            [0, 1, 2, 0],
            changed(3, 0, np.inf),
            {"from_logits": True},
            "y_proba must be finite or -inf, got inf in row 3, column 0",
        ),
        (
            [0, 1, 2, 0],
            changed(3, slice(None), -np.inf),
            {"from_logits": True},
            "y_proba must not be -inf for every class, as they are in row 3",
        ),
        (changed(1, 0, 0.2), PROBA, {}, "y_true.*row 1 sums to 1.1"),
        (
            PROBA[:, :2] / PROBA[:, :2].sum(axis=1, keepdims=True),
            PROBA,
            {},
            "y_true must have a column for each of the 3 classes, got 2 columns",
        ),
        ([0, 1, 2, 0], PROBA, {"sample_weight": [1, 2]}, r"sample_weight must have shape \(4,\)"),
        ([0, 1, 2, 0], PROBA, {"sample_weight": [1, 2, -1, 0]}, "non-negative, got -1.0 in row 2"),
        ([0, 1, 2, 0], PROBA, {"sample_weight": [0, 0, 0, 0]}, "zero throughout"),
    ],
)
def test_bad_input_is_named(y_true, y_proba, options, message):
    with pytest.raises(ValueError, match=message):
        check_predictions(y_true, y_proba, **options)


def test_a_logit_of_minus_infinity_is_a_class_that_cannot_be():
    assert check_predictions([0, 1, 2, 0], changed(3, 0, -np.inf), from_logits=True).proba[3, 0] == -np.inf
