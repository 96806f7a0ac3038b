"""sksoftmax.data.labels: labels of every type are found as np.unique finds them, and looked up as Python compares them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets

from sksoftmax.data.labels import MAX_EXTRA_RANGE, check_classes, check_labels, encode_labels, label_vector

FOUND = [
    np.array([-128, 127, -128, 5] * 100, dtype=np.int8),
    np.array([2**64 - 1, 2**64 - 5] * 4, dtype=np.uint64),
    np.array([2**63 + 3, 0, 2**64 - 1, 0], dtype=np.uint64),
    np.array([-(2**63), 2**63 - 1, 0, 0]),
    np.array([255, 0, 7] * 100, dtype=np.uint8),
    np.arange(10)[::-2],
    np.array([7, 7, 3], dtype=np.int32),
    np.array([0, 2 * MAX_EXTRA_RANGE, 5, 5]),
    np.array([], dtype=np.int64),
    np.array([True, False, True]),
    np.array([True, True]),
    np.array([1.0, -2.0, 1.0]),
    np.array([3.0, 1e300, -1e300, 3.0]),
    np.array([-65504, 65504, 1, 2], dtype=np.float16),
    np.array([2.0**60, 2.0**60 + 2**10, 2.0**60], dtype=np.float64),
    np.array([2.0**30, 2.0**30 + 2**7], dtype=np.float32),
    np.array(["bee", "ant", "bee"]),
    np.array(["bee", "ant", "bee"], dtype=object),
    np.array([b"bee", b"ant"]),
    np.array([2, 1, 2], dtype=object),
    np.array(["2021-03-01", "2020-01-01", "2021-03-01"], dtype="M8[D]"),
]


@pytest.mark.parametrize("y", FOUND, ids=lambda y: f"{y.dtype}-{len(y)}")
def test_the_labels_found_are_the_sorted_labels(y):
    classes, indices = encode_labels(y)
    expected, places = np.unique(y, return_inverse=True)
    assert classes.dtype == expected.dtype
    np.testing.assert_array_equal(classes, expected)
    np.testing.assert_array_equal(indices, places)
    assert indices.dtype == np.int32


@pytest.mark.parametrize("y", [y for y in FOUND if len(y)], ids=lambda y: f"{y.dtype}-{len(y)}")
def test_given_classes_keep_their_order(y, rng):
    classes = rng.permutation(np.unique(y))
    returned, indices = encode_labels(y, classes)
    assert returned is classes
    np.testing.assert_array_equal(classes[indices], y)
    assert indices.dtype == np.int32


NUMBERS = [
    np.array([0, 1, 2, 300]),
    np.array([0, 1, 2], dtype=np.uint8),
    np.array([0.0, 1.0, 2.5]),
    np.array([0, 1, 2.5, 10**6], dtype=np.float32),
    np.array([False, True]),
    np.array([0, 1, 10**12]),
    np.array([2**53, 2**53 + 1]),
    np.array([2.0**53, 0.0]),
    np.array([0, True, 2.5, "a", np.int64(3), np.float32(300)], dtype=object)[1:],
    np.array(["0", "1", "a"]),
    np.array([2**63, 0], dtype=np.uint64),
]


@pytest.mark.parametrize("classes", NUMBERS, ids=lambda y: str(y.dtype))
@pytest.mark.parametrize("y", NUMBERS, ids=lambda y: str(y.dtype))
def test_labels_are_those_that_are_equal_in_python(y, classes):
    """1, 1.0 and True are; 1 and "1", and 2**53 + 1 and 2.0**53 are not."""
    known = classes.tolist()
    expected = [known.index(label) if label in known else -1 for label in y.tolist()]
    unknown = [f"{label!r} in row {row}" for row, (label, k) in enumerate(zip(y.tolist(), expected, strict=True)) if k < 0]
    if unknown:
        with pytest.raises(ValueError, match=r"^z holds labels that are not among the classes") as caught:
            encode_labels(y, classes, name="z")
        assert str(caught.value).endswith(f": {', '.join(unknown)}.")
    else:
        assert encode_labels(y, classes)[1].tolist() == expected


def test_only_some_unknown_labels_are_listed():
    with pytest.raises(ValueError, match=r"classes \[0, 1, 2, 3, 4, 5, 6, 7, …\]: 20 in row 1, .*27 in row 8, …\.$"):
        encode_labels(np.arange(19, 40) * (np.arange(21) > 0), np.arange(10))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([0.0, np.nan]), "^Input z contains NaN in row 1.$"),
        (np.array([0.0, -np.inf]), r"^Input z contains infinity or a value too large for dtype\('float64'\) in row 1.$"),
        (np.array(["a", np.nan], dtype=object), "^Input z contains NaN in row 1.$"),
        (np.array([1, np.nan, 2], dtype=object), "^Input z contains NaN in row 1.$"),
        (pd.Series(["a", pd.NA, "b"], dtype="string"), "^Input z contains NaN in row 1.$"),
        (pd.Series([pd.Timestamp(0), pd.NaT], dtype=object), "^Input z contains NaN in row 1.$"),
        (np.array(["b", 2, "a", 1.5], dtype=object), "^z must hold labels of one kind that can be sorted, got 'a' and 1.5.$"),
        (np.array(["a", None], dtype=object), "^z must hold labels of one kind that can be sorted, got 'a' and None.$"),
        (np.array([0.0, 1.5]), r"^Unknown label type: continuous\. z must hold .*; got the fraction 1\.5 in row 1\.$"),
        (np.array([1, 2j]), "Complex data not supported"),
        (np.zeros((2, 2, 2)), "z should be a 1d array, got an array of shape"),
        ([1, 2, 3], "^Found input variables with inconsistent numbers of samples: 2 in W, 3 in z.$"),
        (None, "requires z to be passed, but the target z is None"),
        (np.array([4, 4]), "^z must hold at least two classes, got only one class: 4.$"),
        (np.array([1, 0], dtype=object), "Unknown label type: unknown"),
    ],
    ids=str,
)
def test_bad_labels_are_named(y, message):
    n_rows = 2 if isinstance(y, list) else None
    with pytest.raises(ValueError, match=message):
        check_labels(label_vector(y, n_rows, name="z", rows="W"), name="z")


def test_a_column_is_a_vector_and_estimators_warn_of_it():
    column = np.array([[1], [2]])
    assert label_vector(column).tolist() == [1, 2]
    with pytest.warns(DataConversionWarning, match="A column-vector z was passed when a 1d array was expected"):
        assert label_vector(column, name="z", warn_column=True).tolist() == [1, 2]


@pytest.mark.parametrize("y", [np.arange(30), np.arange(30) % 3, np.arange(30).astype(str)], ids=["many", "few", "texts"])
def test_scikit_learn_warns_where_labels_look_like_a_regression(y):
    given = []
    for check in (check_labels, check_classification_targets):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check(y)
        given.append([str(warning.message) for warning in caught])
    assert given[0] == given[1]


def test_the_number_of_labels_and_the_parameter_to_pass():
    with pytest.raises(ValueError, match=r"^z holds 2 different labels, \['a', 'b'\], but there are 3 classes; pass names="):
        encode_labels(np.array(["a", "b"]), n_classes=3, name="z", given="names")


def test_classes_are_a_vector_of_distinct_labels():
    given = np.array([2, 0, 1])
    checked = check_classes(given, 3)
    np.testing.assert_array_equal(checked, given)
    assert not np.shares_memory(checked, given)
    for classes, message in (
        ([0, 1], r"z must name the 3 columns of logits, got \[0, 1\]"),
        ([0, 1, 1], r"z must differ from each other, got \[0, 1, 1\]"),
        ([[0], [1], [2]], r"z must be a vector of labels, got .* of shape \(3, 1\)"),
        ([], "z must be a vector of labels"),
    ):
        with pytest.raises(ValueError, match=message):
            check_classes(classes, 3, name="z")
