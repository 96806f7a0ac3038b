"""sksoftmax.targets: labels of every type are found as np.unique finds them, and weights are those of the rows' classes."""

import numpy as np
import pytest

from sksoftmax.data.targets import check_sample_weight, compute_class_weights, make_targets, unique_labels


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


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5, 2: 0.0}, None], ids=str)
def test_a_row_weighs_what_its_classes_do(rng, soft, class_weight):
    """A row of class probabilities is a row for each class; "balanced" gives all classes the weight of a third of the rows."""
    labels, sample_weight = rng.integers(3, size=20).astype(np.int32), rng.uniform(0.5, 2, size=20)
    share = rng.dirichlet(np.ones(3), size=20) if soft else np.eye(3)[labels]
    encoded = {"proba": share} if soft else {"labels": labels}
    given = sample_weight.copy()
    weight = check_sample_weight(given, np.empty((20, 1)))
    per_class = compute_class_weights(np.arange(3), weight, class_weight, **encoded)
    mass = sample_weight @ share
    each = {"balanced": mass.sum() / (3 * mass), "None": np.ones(3)}.get(str(class_weight), np.array([3.0, 0.5, 0.0]))
    targets, total = make_targets(np.arange(3), weight, per_class, **encoded)
    expected = sample_weight * (share @ each)
    np.testing.assert_allclose(targets.weight, expected / expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(total, expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(targets.class_weight, each, rtol=1e-14)
    np.testing.assert_array_equal(given, sample_weight)
