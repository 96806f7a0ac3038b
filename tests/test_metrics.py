"""The contract of every row of METRICS, and its known values."""

import inspect

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.utils.fixes import parse_version

import reference
import reference_metrics
from sksoftmax import metrics
from sksoftmax.metrics import METRICS

ROWS = pytest.mark.parametrize("name", METRICS)
# These references sum many small steps.
TOLERANCE = {"aurc_loss": 1e-3, "smooth_calibration_error": 1e-3}


def make_predictions(rng, n_rows=80, n_classes=4, dtype=np.float64, decimals=2):
    """Return labels that the probabilities tell something about, and weights; rounded, so that some are equal."""
    proba = rng.dirichlet(np.ones(n_classes), size=n_rows).round(decimals) + 1e-3
    proba /= proba.sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(n_classes, p=p) for p in proba])
    labels[:n_classes] = np.arange(n_classes)
    return labels, proba.astype(dtype), rng.integers(0, 4, size=n_rows).astype(float)


@ROWS
def test_names_tell_the_direction_and_signatures_are_one(name):
    metric = METRICS[name]
    assert metric.function is getattr(metrics, name)
    assert name.endswith("_score") == metric.greater_is_better
    assert metric.greater_is_better or name.endswith(("_loss", "_error"))
    parameters = list(inspect.signature(metric.function).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] in (["y_true", "y_proba"], ["y_true", "y_pred"])
    named = {parameter.name for parameter in parameters[2:] if parameter.kind is parameter.KEYWORD_ONLY}
    assert {"labels", "sample_weight"} <= named
    assert ("from_logits" in named) == (metric.needs in ("logits", "scores"))


@ROWS
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_metric_is_its_reference(rng, name, n_classes, dtype):
    labels, proba, weight = make_predictions(rng, n_classes=n_classes, dtype=dtype)
    target = reference.one_hot(labels, n_classes)
    expected = reference_metrics.METRICS[name](target.tolist(), proba.astype(float).tolist(), weight.tolist())
    given = METRICS[name].function(labels, proba, sample_weight=weight)
    assert isinstance(given, float)
    tolerance = TOLERANCE.get(name, 1e-12)
    np.testing.assert_allclose(given, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(METRICS[name].function(target, proba, sample_weight=weight), expected, rtol=tolerance)
    low, high = METRICS[name].range
    assert low <= given <= high


@ROWS
def test_weights_are_repetitions(rng, name):
    labels, proba, weight = make_predictions(rng)
    times = weight.astype(int)
    function = METRICS[name].function
    repeated = function(np.repeat(labels, times), np.repeat(proba, times, axis=0))
    np.testing.assert_allclose(function(labels, proba, sample_weight=weight), repeated, rtol=1e-12)
    np.testing.assert_allclose(function(labels, proba, sample_weight=weight * 1e-3), repeated, rtol=1e-12)


@ROWS
def test_a_row_of_class_probabilities_is_a_row_for_each_class(rng, name):
    _, proba, weight = make_predictions(rng, n_rows=40)
    target = rng.dirichlet(np.ones(4), size=40) * (rng.uniform(size=(40, 4)) < 0.7) + 1e-3
    target /= target.sum(axis=1, keepdims=True)
    rows, columns = np.divmod(np.arange(160), 4)
    function = METRICS[name].function
    expanded = function(columns, proba[rows], sample_weight=(weight[:, None] * target).ravel())
    np.testing.assert_allclose(function(target, proba, sample_weight=weight), expanded, rtol=1e-11)


@ROWS
def test_labels_may_be_anything_and_columns_in_any_order(rng, name):
    labels, proba, weight = make_predictions(rng)
    function = METRICS[name].function
    expected = function(labels, proba, sample_weight=weight)
    names = np.array(["cat", "dog", "eel", "fox"])
    assert function(names[labels], proba, sample_weight=weight) == expected
    assert function(pd.Series(names[labels]).astype("category"), proba, sample_weight=pd.Series(weight)) == expected
    order = np.array([2, 0, 3, 1])
    proba = proba + 1e-9 * rng.uniform(size=proba.shape)  # no ties: they are broken by the order of columns
    proba /= proba.sum(axis=1, keepdims=True)
    expected = function(labels, proba, sample_weight=weight)
    shuffled = function(names[labels], proba[:, order], labels=names[order], sample_weight=weight)
    np.testing.assert_allclose(shuffled, expected, rtol=1e-12)


@ROWS
def test_classes_that_do_not_occur_change_nothing_but_what_they_are_given(rng, name):
    labels, proba, weight = make_predictions(rng)
    wider = np.column_stack([np.zeros(len(proba)), proba])
    function = METRICS[name].function
    np.testing.assert_allclose(
        function(labels, wider, labels=[-1, 0, 1, 2, 3], sample_weight=weight),
        function(labels, proba, sample_weight=weight),
        rtol=1e-12,
    )
    with pytest.raises(ValueError, match="pass labels="):
        function(labels, wider)


@ROWS
def test_float32_loses_no_more_than_its_digits(rng, name):
    labels, proba, weight = make_predictions(rng, n_rows=300, decimals=9)
    function = METRICS[name].function
    np.testing.assert_allclose(
        function(labels, proba.astype(np.float32), sample_weight=weight),
        function(labels, proba, sample_weight=weight),
        rtol=1e-6,
    )


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.needs in ("logits", "scores")])
@pytest.mark.parametrize("row", [[np.nan, 0, 0, 0], [0, 0, 0, np.inf], [-np.inf] * 4], ids=str)
def test_rows_that_are_no_logits_are_named(rng, name, row):
    labels, proba, _ = make_predictions(rng)
    logits = np.log(proba)
    logits[7] = row
    with pytest.raises(ValueError, match=r"y_proba must (be finite or -inf, got|not be -inf for every class).* in row 7"):
        METRICS[name].function(labels, logits, from_logits=True)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.needs in ("logits", "scores")])
@pytest.mark.parametrize("kind", ["labels", "rows"])
def test_logits_are_their_softmax(rng, name, kind):
    labels, proba, weight = make_predictions(rng)
    y_true = labels if kind == "labels" else rng.dirichlet(np.ones(4), size=len(labels))
    function = METRICS[name].function
    logits = np.log(proba) + rng.integers(-5, 5, size=(len(proba), 1)) * 2.0**3
    expected = function(y_true, proba, sample_weight=weight)
    np.testing.assert_allclose(function(y_true, logits, from_logits=True, sample_weight=weight), expected, rtol=1e-12)
    np.testing.assert_allclose(
        function(y_true, logits.astype(np.float32), from_logits=True, sample_weight=weight), expected, rtol=1e-5
    )


# name: perfect, always wrong, uniform, prior throughout; for labels 0, 0, 1, 2 of three classes
HALF, LOG3 = 0.5, np.log(3)
ENTROPY = -(0.5 * np.log(0.5) + 0.5 * np.log(0.25))
KNOWN = {
    "cross_entropy_loss": (0, np.inf, LOG3, ENTROPY),
    "brier_score_loss": (0, 2, 2 / 3, 1 - 0.375),
    "spherical_score": (1, 0, 3**-0.5, 0.375**0.5),
    "d2_cross_entropy_score": (1, -np.inf, 1 - LOG3 / ENTROPY, 0),
    "d2_brier_score": (1, 1 - 2 / 0.625, 1 - (2 / 3) / 0.625, 0),
    "d2_spherical_score": (1, 1 - 1 / (1 - 0.375**0.5), 1 - (1 - 3**-0.5) / (1 - 0.375**0.5), 0),
    "expected_calibration_error": (0, 1, 0.5 - 1 / 3, 0),
    "smooth_calibration_error": (0, 1, 0.5 - 1 / 3, 0),
    "perplexity_loss": (1, np.inf, 3, np.exp(ENTROPY)),
    "code_length_loss": (0, np.inf, np.log2(3), 1.5),
    "mutual_information_score": (ENTROPY, ENTROPY, 0, 0),
    "accuracy_score": (1, 0, 0.5, 0.5),
    "balanced_accuracy_score": (1, 0, 1 / 3, 1 / 3),
    "macro_precision_score": (1, 0, 0.5 / 3, 0.5 / 3),
    "top_k_accuracy_score": (1, 1 / 2, 2 / 3, 0.5 + 0.25),
    "roc_auc_ovr_score": (1, 0.25, 0.5, 0.5),
    "expected_cost_loss": (0, 1, 0.5, 0.5),
    "aurc_loss": (0, 1, 0.5, 0.5),
}


@ROWS
def test_known_values(name):
    y_true = np.array([0, 0, 1, 2])
    perfect = np.eye(3)[y_true]
    tables = perfect, np.eye(3)[(y_true + 1) % 3], np.full((4, 3), 1 / 3), np.tile([0.5, 0.25, 0.25], (4, 1))
    given = [METRICS[name].function(y_true, proba) for proba in tables]
    np.testing.assert_allclose(given, KNOWN[name], rtol=1e-12, atol=1e-12)


@ROWS
def test_bad_input_raises(rng, name):
    labels, proba, weight = make_predictions(rng)
    function = METRICS[name].function
    for y_proba in (proba * 2, np.where(proba > 0.5, np.nan, proba), proba[:-1]):
        with pytest.raises(ValueError, match="y_proba"):
            function(labels, y_proba)
    with pytest.raises(ValueError, match="sample_weight"):
        function(labels, proba, sample_weight=-weight)
    with pytest.raises(ValueError, match="not among the classes"):
        function(labels, proba, labels=[5, 6, 7, 8])


PEERS = {
    "cross_entropy_loss": lambda y, p, w: sklearn.metrics.log_loss(y, p, sample_weight=w),
    "d2_cross_entropy_score": lambda y, p, w: sklearn.metrics.d2_log_loss_score(y, p, sample_weight=w),
    "brier_score_loss": lambda y, p, w: sklearn.metrics.brier_score_loss(y, p, sample_weight=w),
    "d2_brier_score": lambda y, p, w: sklearn.metrics.d2_brier_score(y, p, sample_weight=w),
    "accuracy_score": lambda y, p, w: sklearn.metrics.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "balanced_accuracy_score": lambda y, p, w: sklearn.metrics.balanced_accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "macro_precision_score": lambda y, p, w: sklearn.metrics.precision_score(
        y, p.argmax(axis=1), average="macro", sample_weight=w
    ),
    "roc_auc_ovr_score": lambda y, p, w: sklearn.metrics.roc_auc_score(y, p, multi_class="ovr", sample_weight=w),
    "top_k_accuracy_score": lambda y, p, w: sklearn.metrics.top_k_accuracy_score(y, p, k=2, sample_weight=w),
}
NEWER = {"brier_score_loss": "1.7", "d2_brier_score": "1.8"}  # from where on scikit-learn has it for several classes


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scikit_learn_agrees(rng, name, dtype):
    if parse_version(sklearn.__version__) < parse_version(NEWER.get(name, "0")):
        pytest.skip("this scikit-learn does not have it for several classes")
    labels, proba, weight = make_predictions(rng, n_rows=500, dtype=dtype, decimals=9)
    expected = PEERS[name](labels, proba, weight)
    np.testing.assert_allclose(METRICS[name].function(labels, proba, sample_weight=weight), expected, rtol=1e-6)


def test_scikit_learn_agrees_on_mutual_information_and_two_classes(rng):
    labels, proba, _ = make_predictions(rng, n_classes=2)
    decided = proba.argmax(axis=1)
    np.testing.assert_allclose(
        metrics.mutual_information_score(labels, decided), sklearn.metrics.mutual_info_score(labels, decided), rtol=1e-9
    )
    np.testing.assert_allclose(
        metrics.brier_score_loss(labels, proba[:, 1]), sklearn.metrics.brier_score_loss(labels, proba[:, 1]), rtol=1e-12
    )
    np.testing.assert_allclose(metrics.cross_entropy_loss(labels, proba[:, 1]), sklearn.metrics.log_loss(labels, proba[:, 1]))


# --------------------------------------------------------------------------------------------------------------------
# proper scores


@pytest.mark.parametrize("name", ["cross_entropy_loss", "brier_score_loss", "spherical_score"])
def test_proper_scores_are_best_at_the_truth(rng, name):
    truth = rng.dirichlet(np.ones(4), size=30)
    function = METRICS[name].function
    best = function(truth, truth)
    for _ in range(20):
        other = 0.95 * truth + 0.05 * rng.dirichlet(np.ones(4), size=30)
        worse = function(truth, other)
        assert worse < best if METRICS[name].greater_is_better else worse > best


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_cross_entropy_of_logits_is_exact_where_probabilities_round(dtype):
    logits = np.array([[0, -200.0, -1000], [0, -30, -1000]], dtype=dtype)
    wrong = metrics.cross_entropy_loss([1, 2], logits, labels=[0, 1, 2], from_logits=True)
    np.testing.assert_allclose(wrong, 600, rtol=1e-12)
    right = metrics.cross_entropy_loss([0, 0], logits, labels=[0, 1, 2], from_logits=True)
    np.testing.assert_allclose(right, np.exp(-30) / 2, rtol=1e-6)
    assert metrics.cross_entropy_loss([1, 2], logits, labels=[0, 1, 2], from_logits=True, unit="bits") * np.log(2) == wrong


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_true_class_of_probability_zero_costs_infinity_or_the_floor(dtype):
    proba = np.array([[1, 0], [0.5, 0.5]], dtype=dtype)
    assert metrics.cross_entropy_loss([1, 0], proba) == np.inf
    floored = metrics.cross_entropy_loss([1, 0], proba, floor=2**-52)
    np.testing.assert_allclose(floored, (52 + 1) / 2 * np.log(2))
    soft = np.array([[0.25, 0.75], [1, 0]])
    assert metrics.cross_entropy_loss(soft, proba) == np.inf
    np.testing.assert_allclose(metrics.cross_entropy_loss(soft, proba, floor=2**-52), (0.75 * 52 + 1) / 2 * np.log(2))
    logits = np.array([[100, 0], [0, 0]], dtype=dtype)
    for y_true, share in (([1, 0], 1.0), (soft, 0.75)):
        given = metrics.cross_entropy_loss(y_true, logits, from_logits=True, floor=2**-52)
        np.testing.assert_allclose(given, (share * 52 + 1) / 2 * np.log(2), rtol=1e-6)
    assert metrics.cross_entropy_loss([0, 0], proba, sample_weight=[1, 0], labels=[0, 1]) == 0
    with pytest.raises(ValueError, match="floor"):
        metrics.cross_entropy_loss([1, 0], proba, floor=1)


def test_brier_scores_of_nearly_perfect_rows_keep_their_digits():
    miss = 1e-9
    given = metrics.brier_score_loss([0, 1], [[1 - miss, miss], [miss, 1 - miss]])
    np.testing.assert_allclose(given, miss**2, rtol=1e-6)
    proba = [[0.6, 0.4], [0.3, 0.7]]
    full = metrics.brier_score_loss([0, 1], proba, scale_by_half=False)
    assert (
        full == 2 * metrics.brier_score_loss([0, 1], proba, scale_by_half=True) == 2 * metrics.brier_score_loss([0, 1], proba)
    )
    with pytest.raises(ValueError, match="scale_by_half"):
        metrics.brier_score_loss([0, 1], proba, scale_by_half="half")


@pytest.mark.parametrize("name", ["d2_cross_entropy_score", "d2_brier_score", "d2_spherical_score"])
def test_skill_against_a_prior_of_the_callers_and_of_one_class_only(rng, name):
    function = METRICS[name].function
    labels, proba, _ = make_predictions(rng)
    constant = np.array([0.4, 0.3, 0.2, 0.1])
    assert function(labels, np.tile(constant, (len(labels), 1)), prior=constant) == pytest.approx(0, abs=1e-12)
    assert function(labels, proba, prior=constant) > function(labels, proba)
    alone = np.full(5, 2)
    assert function(alone, np.eye(4)[alone], labels=range(4)) == 1
    assert function(alone, np.tile(constant, (5, 1)), labels=range(4)) == 0
    with pytest.raises(ValueError, match="prior must be 4 probabilities"):
        function(labels, proba, prior=[0.5, 0.5, 0.5, 0.5])


def test_the_floor_is_that_of_the_priors_probabilities_too(rng):
    labels, proba, weight = make_predictions(rng)
    constant, options = np.array([0.7, 0.1, 0.1, 0.1]), {"sample_weight": weight, "floor": 0.2}
    loss, of_prior = (metrics.cross_entropy_loss(labels, p, **options) for p in (proba, np.tile(constant, (len(labels), 1))))
    given = metrics.d2_cross_entropy_score(labels, proba, prior=constant, **options)
    np.testing.assert_allclose(given, 1 - loss / of_prior, rtol=1e-12)


def test_a_prior_that_rules_out_what_occurs_is_refused():
    with pytest.raises(ValueError, match="prior is 0 for 'b'"):
        metrics.d2_cross_entropy_score(["a", "b"], [[0.5, 0.5]] * 2, prior=[1, 0])


# --------------------------------------------------------------------------------------------------------------------
# information


def test_float32_rows_are_measured_in_float64(rng):
    """Rows that hardly differ: a logarithm of float32 would have no digit of what lies between them."""
    rows = rng.dirichlet(np.ones(5), size=40)
    rows, others = (each.astype(np.float32) for each in (rows, 0.999 * rows + 0.0002))
    wide, wide_others = rows.astype(np.float64), others.astype(np.float64)
    np.testing.assert_allclose(metrics.entropy(rows), metrics.entropy(wide), rtol=1e-14)
    given = metrics.kl_divergence(rows, others)
    np.testing.assert_allclose(given, metrics.kl_divergence(wide, wide_others), rtol=1e-12)
    assert given.max() < 1e-4


def test_identities_of_information(rng):
    truth, belief = rng.dirichlet(np.ones(5), size=(2, 40))
    for unit in ("nats", "bits"):
        entropy = metrics.entropy(truth, unit=unit)
        divergence = metrics.kl_divergence(truth, belief, unit=unit)
        cross = metrics.cross_entropy_loss(truth, belief, unit=unit)
        np.testing.assert_allclose(cross, (entropy + divergence).mean(), rtol=1e-12)
    np.testing.assert_allclose(metrics.perplexity_loss(truth, belief), np.exp(metrics.cross_entropy_loss(truth, belief)))
    bits = metrics.code_length_loss(truth, belief)
    np.testing.assert_allclose(bits, metrics.cross_entropy_loss(truth, belief, unit="bits"))
    assert bits <= metrics.code_length_loss(truth, belief, whole_bits=True) < bits + 1
    np.testing.assert_array_equal(metrics.kl_divergence(truth, truth), 0)
    shannon = metrics.jensen_shannon_divergence(truth, belief)
    np.testing.assert_allclose(shannon, metrics.jensen_shannon_divergence(belief, truth))
    middle = (truth + belief) / 2
    entropies = [metrics.entropy(rows) for rows in (middle, truth, belief)]
    np.testing.assert_allclose(shannon, entropies[0] - (entropies[1] + entropies[2]) / 2, rtol=1e-9)


def test_mutual_information_is_the_entropy_less_what_is_left_given_the_decision(rng):
    labels, proba, weight = make_predictions(rng, n_rows=300)
    decided = proba.argmax(axis=1)
    information = metrics.mutual_information_score(labels, decided, sample_weight=weight)
    given_decision = np.stack([np.bincount(labels[decided == k], weight[decided == k], minlength=4) for k in range(4)])
    conditional = given_decision / given_decision.sum(axis=1, keepdims=True)
    prior = given_decision.sum(axis=0) / weight.sum()
    # The cross-entropy of telling, for each decision, the frequencies seen with it.
    left = metrics.cross_entropy_loss(labels, conditional[decided], sample_weight=weight)
    np.testing.assert_allclose(information, metrics.entropy(prior[None])[0] - left, rtol=1e-10)
    joint = given_decision.T.ravel() / weight.sum()
    product = np.outer(prior, given_decision.sum(axis=1) / weight.sum()).ravel()
    np.testing.assert_allclose(information, metrics.kl_divergence(joint[None], product[None])[0], rtol=1e-10)
    np.testing.assert_allclose(
        metrics.mutual_information_score(labels, decided, sample_weight=weight, unit="bits"), information / np.log(2)
    )


def test_whole_bits_of_labels_and_of_rows():
    proba = np.array([[0.25, 0.7, 0.05], [0.3, 0.7, 0.0]])
    assert metrics.code_length_loss([0, 1], proba, labels=[0, 1, 2], whole_bits=True) == (2 + 1) / 2
    np.testing.assert_allclose(
        metrics.code_length_loss([[0.5, 0, 0.5], [0.5, 0.5, 0]], proba, whole_bits=True), (3.5 + 1.5) / 2
    )


def test_information_refuses_what_it_cannot_measure():
    with pytest.raises(ValueError, match="unit must be 'nats' or 'bits', got 'bans'"):
        metrics.entropy([[0.5, 0.5]], unit="bans")
    with pytest.raises(ValueError, match="other must be rows of class probabilities of shape"):
        metrics.kl_divergence([[0.5, 0.5]], [[0.2, 0.3, 0.5]])
    assert metrics.kl_divergence([[0.5, 0.5]], [[1.0, 0.0]])[0] == np.inf


# --------------------------------------------------------------------------------------------------------------------
# decisions


def test_decisions_may_be_labels(rng):
    labels, proba, weight = make_predictions(rng)
    names = np.array(["cat", "dog", "eel", "fox"])
    decided = names[proba.argmax(axis=1)]
    for name in (name for name, metric in METRICS.items() if metric.needs == "labels"):
        function = METRICS[name].function
        expected = function(labels, proba, sample_weight=weight)
        assert function(names[labels], decided, sample_weight=weight) == expected
        assert function(names[labels], pd.Series(decided), labels=names, sample_weight=weight) == expected
        assert function(np.eye(4)[labels], decided, labels=names, sample_weight=weight) == pytest.approx(expected, rel=1e-12)


def test_a_decision_for_a_class_that_does_not_occur_is_a_miss():
    assert metrics.accuracy_score(["a", "b"], ["a", "z"]) == 0.5
    assert metrics.balanced_accuracy_score(["a", "b"], ["a", "z"]) == 0.5
    np.testing.assert_array_equal(metrics.precision_per_class(["a", "b"], ["a", "z"]), [1, np.nan, 0])
    np.testing.assert_array_equal(metrics.recall_per_class(["a", "b"], ["a", "z"]), [1, 0, np.nan])
    assert metrics.macro_precision_score(["a", "b"], ["a", "z"]) == 1 / 3


@pytest.mark.parametrize(
    ("y_true", "y_pred", "options", "message"),
    [
        ([0, 1, 1], [0.2, 0.9, 0.7], {}, "labels in one dimension, or rows of class probabilities"),
        ([0, 1, 1], [0, 1], {}, "inconsistent numbers of samples: 2 in y_pred, 3 in y_true"),
        ([0, 1, 1], [0, 1, 5], {"labels": [0, 1]}, "y_pred holds .*5.* in row 2"),
        (
            [[0.5, 0.5]],
            [1],
            {"labels": [0, 1, 2]},
            r"for each of the classes \[0, 1, 2\], in this order; got 2 columns",
        ),
        ([], [], {}, "no rows"),
        ([0, 1, 1], [0, 1, 1], {"sample_weight": [1, 1]}, "sample_weight must have shape"),
    ],
)
def test_bad_decisions_are_named(y_true, y_pred, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.accuracy_score(y_true, y_pred, **options)


TRUE, DECIDED = ["b", "a", "c", "a", "b"], ["b", "c", "c", "a", "a"]
BINARY = [0, 1, 1, 0, 1], [0, 1, 0, 0, 1], [0.2, 0.9, 0.4, 0.3, 0.8]
THREE = [[0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.4, 0.25, 0.35], [0.5, 0.3, 0.2]]
WEIGHT = [1.0, 2.0, 0.5, 1.0, 3.0]
# Calls that scikit-learn understands: the name, positional arguments, keyword arguments.
CALLS = [
    ("accuracy_score", (TRUE, DECIDED), {}),
    ("accuracy_score", (TRUE, DECIDED), {"normalize": True}),
    ("accuracy_score", (TRUE, DECIDED), {"normalize": False}),
    ("accuracy_score", (TRUE, DECIDED), {"sample_weight": WEIGHT}),
    ("accuracy_score", (np.eye(3)[[0, 1, 2]], np.eye(3)[[0, 2, 2]]), {}),
    ("accuracy_score", ([[1, 0], [1, 1]], [[1, 0], [1, 1]]), {}),
    ("balanced_accuracy_score", (TRUE, DECIDED), {}),
    ("balanced_accuracy_score", (TRUE, DECIDED), {"sample_weight": WEIGHT}),
    ("balanced_accuracy_score", (TRUE, DECIDED), {"adjusted": True}),
    ("brier_score_loss", (BINARY[0], BINARY[2]), {"sample_weight": WEIGHT}),
    ("brier_score_loss", (BINARY[0], BINARY[2]), {"pos_label": 0}),
    ("brier_score_loss", (TRUE, THREE), {"labels": ["a", "b", "c"], "scale_by_half": True}),
    ("d2_brier_score", (TRUE, THREE), {"sample_weight": WEIGHT}),
    ("d2_brier_score", (BINARY[0], BINARY[2]), {}),
    ("top_k_accuracy_score", (TRUE, THREE), {"sample_weight": WEIGHT}),
    ("top_k_accuracy_score", (TRUE, THREE), {"k": 1, "normalize": False}),
    ("top_k_accuracy_score", (BINARY[0], BINARY[2]), {"k": 1}),
    *(
        (name, (TRUE, DECIDED), options)
        for name in ("precision_score", "recall_score")
        for options in ({"average": "macro"}, {"average": "micro"}, {"average": None, "labels": ["c", "a"]})
    ),
    ("precision_score", BINARY[:2], {}),
    ("recall_score", BINARY[:2], {"pos_label": 0, "zero_division": 0}),
]


def test_calls_of_every_shared_name_are_compared():
    assert set(sklearn.metrics.__all__) & set(metrics.__all__) <= {name for name, _, _ in CALLS}


@pytest.mark.parametrize(("name", "given", "options"), CALLS)
def test_a_call_that_scikit_learn_understands_gives_its_figure_or_an_error(name, given, options):
    if parse_version(sklearn.__version__) < parse_version(NEWER.get(name, "0")):
        pytest.skip("scikit-learn has no such function of several classes")
    expected = getattr(sklearn.metrics, name)(*given, **options)
    if options.keys() & {"normalize", "adjusted", "pos_label", "average"} or name in ("precision_score", "recall_score"):
        with pytest.raises((AttributeError, TypeError), match=r"has no attribute|unexpected keyword argument"):
            getattr(metrics, name)(*given, **options)
    elif np.ndim(given[1]) == 2 and not np.allclose(np.sum(given[1], axis=1), 1):  # several labels a row
        with pytest.raises(ValueError, match="must hold class probabilities"):
            getattr(metrics, name)(*given, **options)
    else:
        np.testing.assert_allclose(getattr(metrics, name)(*given, **options), expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 9])
def test_top_k_accuracy_for_any_k_with_ties(rng, k):
    labels, proba, weight = make_predictions(rng, n_rows=60, decimals=1)
    target = reference.one_hot(labels, 4)
    expected = reference_metrics.top_k_accuracy(target.tolist(), proba.tolist(), weight.tolist(), k=k)
    np.testing.assert_allclose(metrics.top_k_accuracy_score(labels, proba, k=k, sample_weight=weight), expected, rtol=1e-12)
    assert (k >= 4) <= (expected == 1)


def test_areas_of_classes_without_rows_or_without_others_are_left_out():
    proba = [[0.5, 0.3, 0.2], [0.3, 0.5, 0.2], [0.4, 0.5, 0.1]]
    areas = metrics.roc_auc_ovr_score([0, 1, 0], proba, labels=[0, 1, 2], average=None)
    np.testing.assert_array_equal(areas, [1, 0.75, np.nan])
    assert metrics.roc_auc_ovr_score([0, 1, 0], proba, labels=[0, 1, 2]) == 0.875
    assert np.isnan(metrics.roc_auc_ovr_score([0, 0, 0], proba, labels=[0, 1, 2]))
    with pytest.raises(ValueError, match="average must be"):
        metrics.roc_auc_ovr_score([0, 1, 0], proba, labels=[0, 1, 2], average="weighted")


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "2"])
def test_k_is_a_positive_integer(k):
    with pytest.raises(ValueError, match="k must be a positive integer"):
        metrics.top_k_accuracy_score([0, 1], [[0.5, 0.5]] * 2, k=k)


def test_costs_decide(rng):
    labels, proba, weight = make_predictions(rng)
    cost = rng.uniform(-1, 5, size=(4, 3))
    target = reference.one_hot(labels, 4).tolist()
    expected = reference_metrics.expected_cost(target, proba.tolist(), weight.tolist(), cost=cost.tolist())
    np.testing.assert_allclose(metrics.expected_cost_loss(labels, proba, cost=cost, sample_weight=weight), expected)
    decided = metrics.optimal_decisions(proba, cost)
    np.testing.assert_array_equal(decided, [min(range(3), key=lambda d: p @ cost[:, d]) for p in proba])
    np.testing.assert_array_equal(
        metrics.optimal_decisions(proba, cost, labels=["a", "b", "c"]), np.array(["a", "b", "c"])[decided]
    )
    np.testing.assert_array_equal(metrics.optimal_decisions(proba), proba.argmax(axis=1))
    np.testing.assert_array_equal(metrics.optimal_decisions(proba), metrics.optimal_decisions(proba.astype(np.float32) + 0.0))
    # No other decisions cost less in the mean, if the probabilities are the truth.
    paid = metrics.expected_cost_loss(proba, proba, cost=cost)
    others = [(proba @ cost)[:, d].mean() for d in range(3)]
    assert paid <= min(others)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (np.ones((3, 3)), r"cost must have shape \(4, n_decisions\)"),
        (np.full((4, 4), np.nan), "cost must be finite, got nan in row 0"),
    ],
)
def test_bad_costs_are_named(rng, cost, message):
    labels, proba, _ = make_predictions(rng)
    with pytest.raises(ValueError, match=message):
        metrics.expected_cost_loss(labels, proba, cost=cost)
    with pytest.raises(ValueError, match=message):
        metrics.optimal_decisions(proba, cost)
    with pytest.raises(ValueError, match="labels must name the 4 decisions"):
        metrics.optimal_decisions(proba, labels=["a", "b"])


def test_accuracy_over_coverage(rng):
    labels, proba, weight = make_predictions(rng)
    coverage, accuracy, threshold = metrics.accuracy_coverage_curve(labels, proba, sample_weight=weight)
    confidence = proba.max(axis=1)
    for c, a, t in zip(coverage, accuracy, threshold, strict=True):
        taken = confidence >= t
        np.testing.assert_allclose(c, weight[taken].sum() / weight.sum())
        np.testing.assert_allclose(
            a, metrics.accuracy_score(labels[taken], proba[taken], labels=range(4), sample_weight=weight[taken])
        )
    assert (np.diff(coverage) > 0).all()
    assert (np.diff(threshold) < 0).all()
    assert coverage[-1] == 1
    np.testing.assert_allclose(accuracy[-1], metrics.accuracy_score(labels, proba, sample_weight=weight))


def test_abstaining_well_is_told_from_abstaining_badly():
    confident = np.linspace(0.95, 0.55, 400)
    proba = np.column_stack([confident, 1 - confident])
    mistakes = 40
    well, badly = np.zeros(400, dtype=int), np.zeros(400, dtype=int)
    well[-mistakes:], badly[:mistakes] = 1, 1
    r = mistakes / 400
    np.testing.assert_allclose(metrics.aurc_loss(well, proba), r + (1 - r) * np.log(1 - r), rtol=1e-10)
    np.testing.assert_allclose(metrics.aurc_loss(badly, proba), r - r * np.log(r), rtol=1e-10)
