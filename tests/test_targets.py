"""sksoftmax.targets: weights are those of the rows and of their classes."""

import numpy as np
import pytest

from sksoftmax.data.targets import compute_class_weights, make_targets
from sksoftmax.data.weights import check_weight


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5, 2: 0.0}, None], ids=str)
def test_a_row_weighs_what_its_classes_do(rng, soft, class_weight):
    """A row of class probabilities is a row for each class; "balanced" gives all classes the weight of a third of the rows."""
    labels, sample_weight = rng.integers(3, size=20).astype(np.int32), rng.uniform(0.5, 2, size=20)
    share = rng.dirichlet(np.ones(3), size=20) if soft else np.eye(3)[labels]
    encoded = {"proba": share} if soft else {"labels": labels}
    given = sample_weight.copy()
    weight = check_weight(given, 20, copy=True)
    per_class = compute_class_weights(np.arange(3), weight, class_weight, **encoded)
    mass = sample_weight @ share
    each = {"balanced": mass.sum() / (3 * mass), "None": np.ones(3)}.get(str(class_weight), np.array([3.0, 0.5, 0.0]))
    targets, total = make_targets(np.arange(3), weight, per_class, **encoded)
    expected = sample_weight * (share @ each)
    np.testing.assert_allclose(targets.weight, expected / expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(total, expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(targets.class_weight, each, rtol=1e-14)
    np.testing.assert_array_equal(given, sample_weight)


def test_a_scalar_is_the_weight_of_every_row_where_it_may_be():
    np.testing.assert_array_equal(check_weight(2, 3, scalar=True), np.full(3, 2.0))
    with pytest.raises(ValueError, match=r"^z must have shape \(3,\), got \(\)\.$"):
        check_weight(2, 3, name="z")
    for bad, message in (
        (-1.0, "got -1.0 in row 0"),
        (np.nan, "got nan in row 0"),
        (0, "zero throughout"),
        (1j, "real numbers"),
    ):
        with pytest.raises(ValueError, match=f"^z must .*{message}"):
            check_weight(bad, 3, name="z", scalar=True)


def test_weights_are_copied_where_they_will_be_written_to():
    given = np.ones(3)
    assert check_weight(given, 3) is given
    assert not np.shares_memory(check_weight(given, 3, copy=True), given)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, np.nan, 1], "must be finite and non-negative, got nan in row 1"),
        ([1, 1, np.inf], "must be finite and non-negative, got inf in row 2"),
        ([-2, 1, 1], "must be finite and non-negative, got -2.0 in row 0"),
        ([0, 0, 0], "must not be zero throughout"),
        ([1, 1], r"must have shape \(3,\), got \(2,\)"),
        ([[1], [1], [1]], r"must have shape \(3,\), got \(3, 1\)"),
        (["a", "b", "c"], "must be real numbers"),
    ],
    ids=str,
)
def test_bad_weights_are_named(weight, message):
    with pytest.raises(ValueError, match=f"^z {message}"):
        check_weight(weight, 3, name="z")
