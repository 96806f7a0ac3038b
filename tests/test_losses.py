"""Contract of every row of LOSSES and PENALTIES: value, gradient, Hessian and probabilities against the reference."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import reference
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import as_rows
from sksoftmax.losses import LOSSES, CosineSoftmax, CrossEntropy, FocalLoss, HingeLoss, LogitAdjusted, MarginLoss, Targets
from sksoftmax.penalties import PENALTIES

HYPERPARAMETERS = {
    "cosine": [{}, {"scale": 3.0, "margin": 0.2}, {"angular_margin": 0.8}],
    "cross_entropy": [{}, {"label_smoothing": 0.1}],
    "focal": [{}, {"gamma": 0.0}, {"gamma": 0.5}],
    "hinge": [{}, {"margin": 2.0, "smoothing": 3.0}, {"smoothing": 0.0}],
    "logit_adjusted": [{}, {"tau": 0.3}],
    "margin": [{}, {"margin": 0.3, "scale": 4.0}],
}
CASES = [(name, options) for name in LOSSES for options in HYPERPARAMETERS[name]]


def make_targets(rng, kind, n_rows, n_classes):
    """Return targets, and the same as rows of probabilities with the rows' weights, as the reference takes them."""
    weight = rng.uniform(0.1, 1, size=n_rows)
    if kind == "labels":
        labels = rng.integers(n_classes, size=n_rows)
        weight /= weight.sum()
        return Targets(n_classes, weight, labels=labels.astype(np.int32)), reference.one_hot(labels, n_classes)
    proba = rng.dirichlet(np.ones(n_classes), size=n_rows)
    class_weight = rng.uniform(0.5, 2, size=n_classes)
    mass = proba * class_weight
    weight *= mass.sum(axis=1)
    weight /= weight.sum()
    targets = Targets(n_classes, weight, proba=proba, class_weight=class_weight)
    return targets, mass / mass.sum(axis=1, keepdims=True)


def value_and_gradient(bound, targets, logits):
    """Loss and gradient on logits: with the identity as X, coefficients are logits."""
    rows = as_rows(np.eye(len(logits), dtype=logits.dtype))
    out = np.zeros((logits.shape[1], len(logits))), np.zeros(logits.shape[1])
    no_intercept = np.zeros(logits.shape[1], dtype=logits.dtype)
    value = rows.sum_value_and_gradient(
        bound.arguments(targets), np.ascontiguousarray(logits.T), no_intercept, (0, len(logits)), out
    )
    return value, out[0].T


def hessians(bound, targets, logits):
    """Each row's Hessian on its logits, (n_rows, n_logits, n_logits), without the row's weight."""
    weight = targets.weight
    pair_weight = np.empty((bound.n_logits * (bound.n_logits + 1) // 2, len(logits)))
    bound.arguments(targets).fill_pairs(0, len(logits), logits.copy(), pair_weight)
    rows, columns = np.tril_indices(bound.n_logits)
    hessian = np.zeros((len(logits), bound.n_logits, bound.n_logits))
    hessian[:, rows, columns] = hessian[:, columns, rows] = (pair_weight / weight).T
    return hessian


def both_logits(logits, *, opposite=False):
    if logits.shape[1] > 1:
        return logits
    return np.column_stack([-logits if opposite else np.zeros(len(logits)), logits])


def test_every_loss_and_penalty_has_a_reference():
    assert set(LOSSES) == set(reference.LOSSES) == set(HYPERPARAMETERS)
    assert set(PENALTIES) == set(reference.PENALTIES)


def row_losses(name, options, logits, targets, rows):
    """The reference's loss of each row; LogitAdjusted takes the classes' shares from all rows."""
    if name == "logit_adjusted":
        mass = targets.weight @ rows / (1 if targets.class_weight is None else targets.class_weight)
        options = {"class_prior": mass / mass.sum(), **options}
    both = both_logits(logits, opposite=LOSSES[name].unit_norm)
    return [reference.LOSSES[name](z, t, **options) for z, t in zip(both, rows, strict=True)]


KINDS = [(*case, kind) for case in CASES for kind in ("labels", "proba") if kind == "labels" or LOSSES[case[0]].takes_proba]


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(("name", "options", "kind"), KINDS)
class TestLoss:
    def problem(self, rng, name, options, n_classes, kind):
        targets, rows = make_targets(rng, kind, 12, n_classes)
        bound = LOSSES[name](**options).bind(targets)
        logits = rng.normal(scale=2, size=(12, bound.n_logits))
        return bound, targets, rows, 0.99 * np.tanh(logits) if bound.unit_norm else logits

    def test_value_equals_reference(self, rng, name, options, n_classes, kind):
        bound, targets, rows, logits = self.problem(rng, name, options, n_classes, kind)
        value, _ = value_and_gradient(bound, targets, logits)
        np.testing.assert_allclose(value, targets.weight @ row_losses(name, options, logits, targets, rows), rtol=1e-13)

    def test_huge_logits(self, rng, name, options, n_classes, kind):
        """Far out every loss is linear, or flat: slopes over wide steps are exact."""
        bound, targets, rows, logits = self.problem(rng, name, options, n_classes, kind)
        if bound.unit_norm:
            return  # a cosine is at most one
        logits = rng.uniform(-1e4, 1e4, size=logits.shape)
        value, gradient = value_and_gradient(bound, targets, logits)
        expected = row_losses(name, options, logits, targets, rows)
        np.testing.assert_allclose(value, targets.weight @ expected, rtol=1e-12)
        up, down = logits.copy(), logits.copy()
        for k in range(bound.n_logits):
            up[:, k] += 0.5
            down[:, k] -= 0.5
            slope = np.subtract(row_losses(name, options, up, targets, rows), row_losses(name, options, down, targets, rows))
            np.testing.assert_allclose(gradient[:, k], targets.weight * slope, atol=1e-10)
            up[:, k] = down[:, k] = logits[:, k]

    def test_float32_logits(self, rng, name, options, n_classes, kind):
        bound, targets, _, logits = self.problem(rng, name, options, n_classes, kind)
        logits = logits.astype(np.float32)
        value, gradient = value_and_gradient(bound, targets, logits)
        expected_value, expected = value_and_gradient(bound, targets, logits.astype(np.float64))
        np.testing.assert_allclose(value, expected_value, rtol=1e-5)
        np.testing.assert_allclose(gradient, expected, atol=1e-6)

    def test_gradient_is_the_slope(self, rng, name, options, n_classes, kind):
        bound, targets, _, logits = self.problem(rng, name, options, n_classes, kind)
        _, gradient = value_and_gradient(bound, targets, logits)
        step = 1e-6
        for index in np.ndindex(*logits.shape):
            up, down = logits.copy(), logits.copy()
            up[index] += step
            down[index] -= step
            slope = (value_and_gradient(bound, targets, up)[0] - value_and_gradient(bound, targets, down)[0]) / (2 * step)
            np.testing.assert_allclose(gradient[index], slope, atol=1e-8)

    def test_hessian_is_the_slope_of_the_gradient(self, rng, name, options, n_classes, kind):
        bound, targets, _, logits = self.problem(rng, name, options, n_classes, kind)
        if not bound.has_hessian:
            return  # solvers that need one refuse it: see test_fitted_losses
        direction = rng.normal(size=logits.shape)
        step = 1e-6
        up, down = (value_and_gradient(bound, targets, logits + sign * step * direction)[1] for sign in (1, -1))
        expected = (up - down) / (2 * step)
        rows, no_intercept = as_rows(np.eye(len(logits))), np.zeros(bound.n_logits)
        out = np.zeros(logits.T.shape), np.zeros(bound.n_logits)
        rows.sum_hessian_product(
            bound.arguments(targets),
            np.ascontiguousarray(logits.T),
            no_intercept,
            (np.ascontiguousarray(direction.T), no_intercept),
            (0, len(logits)),
            out,
        )
        np.testing.assert_allclose(out[0].T, expected, atol=1e-8)
        hessian = hessians(bound, targets, logits) * targets.weight[:, None, None]
        np.testing.assert_allclose(np.einsum("ikj,ij->ik", hessian, direction), expected, atol=1e-8)
        diagonal = logits.copy()
        bound.arguments(targets).fill_curvature(0, len(logits), diagonal)
        np.testing.assert_allclose(diagonal * targets.weight[:, None], np.einsum("ikk->ik", hessian), atol=1e-15)

    def test_curvature_bound_is_the_greatest_curvature(self, rng, name, options, n_classes, kind):
        """The largest eigenvalue of a row's Hessian is greatest where two classes share all probability."""
        targets, rows = make_targets(rng, kind, 201, n_classes)
        bound = LOSSES[name](**options).bind(targets)
        if not np.isfinite(bound.lipschitz_constant):
            assert name in ("cosine", "focal", "hinge")  # no bound is known, and none is needed
            return
        row, label = np.arange(201), rows.argmax(axis=1)
        logits = np.full((201, n_classes), -100.0)
        logits[row, label], logits[row, label - 1] = np.linspace(-3, 3, 201), 0
        logits = logits[:, 1:] - logits[:, :1] if n_classes == 2 else logits
        greatest = np.linalg.eigvalsh(hessians(bound, targets, logits)).max()
        assert 0.99 * bound.lipschitz_constant < greatest < (1 + 1e-12) * bound.lipschitz_constant
        elsewhere = rng.normal(scale=2, size=logits.shape)
        assert np.linalg.eigvalsh(hessians(bound, targets, elsewhere)).max() < (1 + 1e-12) * bound.lipschitz_constant

    def test_shift_invariance_is_as_declared(self, rng, name, options, n_classes, kind):
        bound, targets, _, logits = self.problem(rng, name, options, n_classes, kind)
        if bound.unit_norm:  # what shifts all cosines alike is no weight of unit length
            assert not bound.shift_invariant
            return
        shifted = value_and_gradient(bound, targets, logits + 1.0)[0]
        assert np.isclose(shifted, value_and_gradient(bound, targets, logits)[0], rtol=1e-10) == bound.shift_invariant


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "options"), [case for case in CASES if LOSSES[case[0]].has_proba])
def test_probabilities_of_logits(rng, name, options, dtype):
    loss = LOSSES[name](**options)
    for n_logits in (1, 3):
        logits = rng.normal(scale=3, size=(6, n_logits)).astype(dtype)
        proba, log_proba = loss.proba(logits.copy()), loss.log_proba(logits.copy())
        assert proba.dtype == log_proba.dtype == dtype
        assert proba.shape == (6, max(n_logits, 2))
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(np.exp(log_proba), proba, rtol=1e-5)


def test_proba_of_cross_entropy_is_the_softmax(rng):
    logits = rng.normal(size=(4, 1))
    expected = [reference.softmax([0.0, z]) for z in logits[:, 0]]
    np.testing.assert_allclose(CrossEntropy().proba(logits.copy()), expected)


def test_proba_of_a_margin_loss_is_the_softmax_of_scaled_logits_without_the_margin(rng):
    logits = rng.normal(size=(4, 3))
    expected = [reference.softmax(3 * z) for z in logits]
    np.testing.assert_allclose(MarginLoss(margin=2.0, scale=3.0).proba(logits.copy()), expected)


def test_a_hinge_has_no_probabilities():
    for method in (HingeLoss().proba, HingeLoss().log_proba):
        with pytest.raises(AttributeError, match="HingeLoss has no probabilities: use predict or decision_function"):
            method(np.zeros((1, 3)))


def test_cosines_at_their_bounds_have_finite_gradients():
    for options in ({}, {"angular_margin": 0.5}, {"angular_margin": np.pi / 2}):
        for n_classes in (2, 3):
            targets = Targets(n_classes, np.full(2, 0.5), labels=np.zeros(2, np.int32))
            bound = CosineSoftmax(**options).bind(targets)
            cosines = np.full((2, bound.n_logits), 1.0)
            cosines[1] = -1.0
            value, gradient = value_and_gradient(bound, targets, cosines)
            assert np.isfinite(value)
            assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_rows_on_the_sphere(rng, container, dtype):
    X = rng.normal(size=(7, 4)).astype(dtype) * dtype(1e-15 if dtype is np.float32 else 1e180)
    X[:, 0] = 0
    X[3] = 0
    given = container(X)
    unit = CosineSoftmax().prepare(given)
    plain = unit if container is np.asarray else unit.toarray()
    assert unit.dtype == dtype
    expected = X / np.maximum(np.abs(X).max(axis=1, keepdims=True), np.finfo(dtype).tiny)
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 0.5)
    np.testing.assert_allclose(plain, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(X, given if container is np.asarray else given.toarray())
    assert CrossEntropy().prepare(given) is given


@pytest.mark.parametrize("name", [name for name in LOSSES if not LOSSES[name].takes_proba])
def test_losses_that_take_labels_only(rng, name):
    targets, _ = make_targets(rng, "proba", 5, 3)
    with pytest.raises(ValueError, match=f"{LOSSES[name].__name__} takes class labels; y holds rows of class probabilities"):
        LOSSES[name]().bind(targets)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (FocalLoss(gamma=-1), r"gamma must be in \[0, inf\), got -1"),
        (FocalLoss(gamma=np.inf), r"gamma must be in \[0, inf\), got inf"),
        (MarginLoss(margin=-0.1), r"margin must be in \[0, inf\), got -0.1"),
        (MarginLoss(scale=0), r"scale must be in \(0, inf\), got 0"),
        (LogitAdjusted(tau=np.nan), r"tau must be in \[0, inf\), got nan"),
        (LogitAdjusted(class_prior=[0.5, 0.5, 0.5]), "class_prior must hold 2 positive numbers that sum to 1"),
        (LogitAdjusted(class_prior=[0.5, 0.6]), "class_prior must hold 2 positive numbers that sum to 1"),
        (LogitAdjusted(class_prior=[0.0, 1.0]), "class_prior must hold 2 positive numbers that sum to 1"),
        (CosineSoftmax(scale=0), r"scale must be in \(0, inf\), got 0"),
        (CosineSoftmax(margin=-1), r"margin must be in \[0, inf\), got -1"),
        (CosineSoftmax(angular_margin=1.6), r"angular_margin must be at most π/2, got 1.6"),
        (HingeLoss(margin=0), r"margin must be in \(0, inf\), got 0"),
        (HingeLoss(margin="wide"), r"margin must be in \(0, inf\), got 'wide'"),
        (HingeLoss(smoothing=-1), r"smoothing must be in \[0, inf\), got -1"),
    ],
    ids=repr,
)
def test_hyperparameters_out_of_range(loss, message):
    with pytest.raises(ValueError, match=message):
        loss.bind(Targets(2, np.ones(1), labels=np.zeros(1, np.int32)))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logit_adjustment_by_a_given_prior(rng, n_classes):
    targets, rows = make_targets(rng, "labels", 9, n_classes)
    prior = np.arange(1.0, n_classes + 1) / np.arange(1.0, n_classes + 1).sum()
    bound = LogitAdjusted(tau=0.7, class_prior=list(prior)).bind(targets)
    logits = rng.normal(size=(9, bound.n_logits))
    losses = [reference.logit_adjusted(z, t, 0.7, prior) for z, t in zip(both_logits(logits), rows, strict=True)]
    np.testing.assert_allclose(value_and_gradient(bound, targets, logits)[0], targets.weight @ losses, rtol=1e-13)


def test_a_class_without_weight_is_not_adjusted():
    weight = np.array([0.25, 0.75, 0.0])
    bound = LogitAdjusted().bind(Targets(3, weight, labels=np.arange(3, dtype=np.int32)))
    np.testing.assert_allclose(bound.parameters, [0.0, np.log(0.25), np.log(0.75), 0.0])


@pytest.mark.parametrize("name", list(LOSSES))
def test_loss_objects_are_values(name):
    for options in HYPERPARAMETERS[name]:
        loss = LOSSES[name](**options)
        assert clone(loss) == loss
        assert loss.set_params(**loss.get_params()) is loss
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        LOSSES[name]().set_params(nonsense=1)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2, np.nan])
def test_label_smoothing_out_of_range(smoothing):
    targets = Targets(2, np.ones(1), labels=np.zeros(1, np.int32))
    with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\), got"):
        CrossEntropy(label_smoothing=smoothing).bind(targets)


@pytest.mark.parametrize(
    ("logits", "labels", "smoothing", "vanishes"),
    [
        ([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5]], [0, 1], 0.0, True),
        ([[2.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [0, 1], 0.0, False),  # a tie
        ([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5]], [0, 2], 0.0, False),
        ([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5]], [0, 1], 0.1, False),
        ([[2.0], [-1.0]], [1, 0], 0.0, True),
        ([[2.0], [0.0]], [1, 0], 0.0, False),
    ],
)
def test_the_loss_vanishes_where_every_label_leads(logits, labels, smoothing, vanishes):
    logits = np.array(logits)
    n_classes = max(logits.shape[1], 2)
    hard = reference.one_hot(labels, n_classes)
    weight, ones = np.full(2, 0.5), np.ones(n_classes)
    for targets in (
        Targets(n_classes, weight, labels=np.array(labels, dtype=np.int32)),
        Targets(n_classes, weight, proba=hard, class_weight=ones),
    ):
        bound = CrossEntropy(smoothing).bind(targets)
        assert bound.is_separated_by(logits.copy(), targets) is vanishes
    soft = Targets(n_classes, weight, proba=0.9 * hard + 0.1 / n_classes, class_weight=ones)
    assert not CrossEntropy(smoothing).bind(soft).is_separated_by(logits.copy(), soft)


@pytest.mark.parametrize("name", list(PENALTIES))
def test_penalty(rng, name):
    penalty, coef, step = PENALTIES[name](), rng.normal(size=5), 1e-6
    np.testing.assert_allclose(penalty.value(coef), reference.PENALTIES[name](coef))
    for j, unit in enumerate(np.eye(5)):
        slope = (penalty.value(coef + step * unit) - penalty.value(coef - step * unit)) / (2 * step)
        np.testing.assert_allclose(penalty.gradient(coef)[j], slope, atol=1e-8)
        np.testing.assert_allclose(penalty.hessian_product(unit), penalty.hessian_diagonal(5) * unit)


@pytest.mark.parametrize("loss", [cls() for cls in LOSSES.values()], ids=repr)
def test_the_class_of_greatest_logit_is_decided_and_the_first_of_equal_ones(loss):
    assert loss.decide(np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-np.inf, -np.inf, 0.0]])).tolist() == [1, 0, 2]
    for column in (np.array([0.0, -0.0, 5e-324, -1.0]), np.array([[0.0], [-0.0], [5e-324], [-1.0]])):
        assert loss.decide(column).tolist() == [0, 0, 1, 0]
        assert loss.decide(column).dtype == np.intp


class LastClass(CrossEntropy):
    """A loss with a decision rule of its own."""

    def decide(self, logits):
        return np.full(len(logits), 2)


def test_the_losss_rule_decides_wherever_an_estimator_does(make_problem):
    X, labels, _ = make_problem()
    clf = SoftmaxRegressionClassifier(loss=LastClass()).fit(X, labels, X_val=X, y_val=labels)
    share = np.mean(labels == 2)
    assert np.all(clf.predict(X) == 2)
    assert clf.score(X, labels) == share
    np.testing.assert_allclose(clf.score(X, np.eye(3)[labels]), share)
    np.testing.assert_allclose(clf.solution_.history[-1].validation_accuracy, share)
