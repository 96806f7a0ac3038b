"""sksoftmax.functional: the formulas, their laws, extreme logits, dtypes and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import reference
from sksoftmax import functional

LARGE = {np.float64: 1e300, np.float32: 1e38}


def logits_arrays(limit):
    shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7)
    return arrays(np.float64, shapes, elements=st.floats(-limit, limit))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@given(logits=logits_arrays(700))
@settings(deadline=None, max_examples=40)
def test_equals_reference(name, logits):
    expected = np.array([getattr(reference, name)(row) for row in logits])
    np.testing.assert_allclose(getattr(functional, name)(logits), expected, rtol=1e-12, atol=1e-300)


@given(logits=logits_arrays(100), shift=st.floats(-100, 100))
@settings(deadline=None, max_examples=40)
def test_softmax_does_not_feel_a_shift(logits, shift):
    np.testing.assert_allclose(functional.softmax(logits + shift), functional.softmax(logits), rtol=1e-12, atol=1e-300)


@given(logits=logits_arrays(700), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_permuting_classes_permutes_the_softmax(logits, seed):
    order = np.random.default_rng(seed).permutation(logits.shape[1])
    np.testing.assert_allclose(functional.softmax(logits[:, order]), functional.softmax(logits)[:, order], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_finite_logits_give_a_point_of_the_simplex(dtype, data):
    limit = float(dtype(LARGE[dtype]))
    width = 64 if dtype is np.float64 else 32
    shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)
    logits = data.draw(arrays(dtype, shapes, elements=st.floats(-limit, limit, width=width)))
    proba = functional.softmax(logits)
    assert proba.dtype == dtype
    assert np.all(proba >= 0)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=4 * np.finfo(dtype).eps * logits.shape[1])
    assert np.all(np.isfinite(functional.log_softmax(logits)))
    assert np.all(np.isfinite(functional.logsumexp(logits)))
    if logits.shape[1] >= 2:
        labels = np.zeros(len(logits), dtype=int)
        assert np.all(np.isfinite(functional.cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")))
        assert np.all(np.isfinite(functional.cross_entropy_gradient(logits, labels)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_extreme_logits_are_exact(dtype):
    large = dtype(LARGE[dtype])
    logits = np.array([[large, -large], [large, large], [-large, -large]], dtype=dtype)
    np.testing.assert_array_equal(functional.softmax(logits), np.array([[1, 0], [0.5, 0.5], [0.5, 0.5]], dtype=dtype))
    np.testing.assert_allclose(functional.log_softmax(logits)[1:], np.log(0.5), rtol=1e-6)
    assert functional.log_softmax(logits)[0, 1] == -2 * large
    np.testing.assert_array_equal(functional.logsumexp(logits), np.array([large, large, -large], dtype=dtype))
    assert functional.cross_entropy(logits[:1], [1]) == 2 * large


def test_minus_infinity_is_a_class_that_cannot_be():
    logits = np.array([[0.0, -np.inf, 1.0]])
    proba = functional.softmax(logits)
    np.testing.assert_allclose(proba[0, [0, 2]], reference.softmax([0.0, 1.0]))
    assert proba[0, 1] == 0
    assert functional.log_softmax(logits)[0, 1] == -np.inf
    np.testing.assert_allclose(functional.cross_entropy(logits, [2]), reference.cross_entropy([0.0, 1.0], [0, 1]))
    assert functional.cross_entropy(logits, [1]) == np.inf
    np.testing.assert_allclose(functional.cross_entropy(logits, [[0.5, 0.0, 0.5]]), reference.cross_entropy([0, 1], [0.5, 0.5]))
    assert functional.logsumexp([[-np.inf, -np.inf]]) == -np.inf


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_cross_entropy_equals_reference(rng, n_classes, smoothing):
    logits = rng.normal(scale=5, size=(20, n_classes))
    labels = rng.integers(n_classes, size=20)
    proba = rng.dirichlet(np.ones(n_classes), size=20)
    weight = rng.uniform(size=20)
    for y, rows in ((labels, reference.one_hot(labels, n_classes)), (proba, proba)):
        losses = [reference.cross_entropy(z, t, smoothing) for z, t in zip(logits, rows, strict=True)]
        options = {"label_smoothing": smoothing}
        np.testing.assert_allclose(functional.cross_entropy(logits, y, reduction="none", **options), losses)
        np.testing.assert_allclose(functional.cross_entropy(logits, y, **options), np.mean(losses))
        weighted = functional.cross_entropy(logits, y, sample_weight=weight, **options)
        np.testing.assert_allclose(weighted, np.average(losses, weights=weight))
        total = functional.cross_entropy(logits, y, sample_weight=weight, reduction="sum", **options)
        np.testing.assert_allclose(total, weight @ losses)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradient_is_softmax_less_target(rng, reduction):
    logits = rng.normal(scale=3, size=(9, 4))
    proba = rng.dirichlet(np.ones(4), size=9)
    weight = rng.uniform(size=9)
    share = weight / weight.sum() if reduction == "mean" else weight
    gradient = functional.cross_entropy_gradient(logits, proba, sample_weight=weight, label_smoothing=0.2, reduction=reduction)
    expected = [reference.softmax(z) - reference.smoothed(t, 0.2) for z, t in zip(logits, proba, strict=True)]
    np.testing.assert_allclose(gradient, share[:, None] * np.array(expected))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


@pytest.mark.large
def test_sums_of_float32_are_taken_in_float64(rng):
    logits = np.full((200_000, 2), 0.1, dtype=np.float32)
    value = functional.cross_entropy(logits, np.zeros(len(logits), dtype=int))
    assert value.dtype == np.float32
    assert value == np.float32(np.log(2))


def test_the_loss_of_a_sure_row_is_not_rounded_away():
    assert functional.cross_entropy([0.0, -50.0], 0) == pytest.approx(np.exp(-50.0), rel=1e-14)
    assert functional.log_softmax([0.0, -50.0])[0] == pytest.approx(-np.exp(-50.0), rel=1e-14)


def test_figures_of_the_two_row_example():
    proba = np.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]], dtype=np.float32)
    assert str(functional.cross_entropy(np.log(proba), np.array([0, 2]))) == "1.4978662"


def test_one_row_and_integer_logits():
    np.testing.assert_allclose(functional.softmax([1, 2, 3]), reference.softmax([1, 2, 3]))
    assert functional.logsumexp([0, 0]).shape == ()
    np.testing.assert_allclose(functional.cross_entropy([1, 2, 3], 2), reference.cross_entropy([1, 2, 3], [0, 0, 1]))
    assert functional.cross_entropy_gradient([1, 2, 3], [0, 0, 1]).shape == (3,)


def test_arguments_are_not_modified(rng):
    logits = rng.normal(size=(5, 3))
    kept = logits.copy()
    for function in (functional.softmax, functional.log_softmax, functional.logsumexp):
        function(logits)
    functional.cross_entropy_gradient(logits, [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(logits, kept)


GOOD = {"logits": np.zeros((2, 3)), "y": [0, 1]}
BAD_INPUT = [
    ({"logits": [[0.0, np.nan, 1.0]] * 2}, r"logits must be finite or -inf, got nan in row 0, column 1"),
    ({"logits": [[0.0, 0.0, 1.0], [0.0, np.inf, 1.0]]}, r"got inf in row 1, column 1"),
    ({"logits": np.zeros((2, 2, 2))}, r"logits must be \(n_rows, n_classes\)"),
    ({"logits": np.zeros((2, 1))}, r"at least two columns"),
    ({"y": [0, 3]}, r"y must be in 0..2 for 3 columns of logits, got 3 in row 1"),
    ({"y": [0, -1]}, r"got -1 in row 1"),
    ({"y": [0.5, 1.0]}, r"integer class indices"),
    ({"y": ["a", "b"]}, r"integer class indices"),
    ({"y": [0, 1, 2]}, r"y must be labels of shape \(2,\)"),
    ({"y": [[0.5, 0.5, 0.0], [0.5, 0.6, 0.0]]}, r"row 1 sums to 1.1"),
    ({"y": [[1.5, -0.5, 0.0], [1.0, 0.0, 0.0]]}, r"row 0 holds \[1.5, -0.5, 0.0\]"),
    ({"y": [[0.5, 0.5], [0.5, 0.5]]}, r"of shape \(2, 3\), got \(2, 2\)"),
    ({"sample_weight": [1.0, -1.0]}, r"sample_weight must be finite and non-negative, got -1.0 in row 1"),
    ({"sample_weight": [0.0, 0.0]}, r"must not be zero throughout"),
    ({"sample_weight": [1.0]}, r"sample_weight must have shape \(2,\)"),
    ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
    ({"reduction": "median"}, r"reduction must be 'mean', 'sum' or 'none', got 'median'"),
]


@pytest.mark.parametrize(("change", "message"), BAD_INPUT)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        functional.cross_entropy(**(GOOD | change))


def test_no_gradient_without_reduction():
    with pytest.raises(ValueError, match="reduction='none' has no gradient"):
        functional.cross_entropy_gradient([[0.0, 1.0]], [0], reduction="none")
