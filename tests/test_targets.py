"""sksoftmax.targets: labels of every type are found as np.unique finds them."""

import numpy as np
import pytest

from sksoftmax.targets import unique_labels


@pytest.mark.parametrize(
    "y",
    [
        np.array([-128, 127, -128, 5] * 100, dtype=np.int8),
        np.array([2**64 - 1, 2**64 - 5] * 4, dtype=np.uint64),
        np.array([-(2**63), 2**63 - 1, 0, 0]),
        np.array([255, 0, 7] * 100, dtype=np.uint8),
        np.arange(10)[::-2],
        np.array([7, 7, 3], dtype=np.int32),
        np.array([], dtype=np.int64),
        np.array([True, False, True]),
        np.array([1.5, -2.0, 1.5]),
        np.array(["bee", "ant", "bee"]),
    ],
    ids=lambda y: str(y.dtype),
)
def test_counted_labels_are_sorted_labels(y):
    classes, labels = unique_labels(y)
    expected, places = np.unique(y, return_inverse=True)
    assert classes.dtype == expected.dtype
    np.testing.assert_array_equal(classes, expected)
    np.testing.assert_array_equal(labels, places)
