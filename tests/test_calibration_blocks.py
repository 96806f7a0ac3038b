"""Calibrators look at rows block by block and begin with a sample of them: neither loses or mixes up a row."""

import numpy as np
import pytest

from sksoftmax.calibration import TemperatureScaling
from sksoftmax.calibration._likelihood import _Rows
from sksoftmax.losses import Targets

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("row", [0, 21, 29])
def test_a_true_class_may_be_impossible_only_in_a_row_without_weight(rng, soft, row):
    logits, labels = rng.normal(size=(30, 3)), rng.integers(3, size=30)
    logits[np.arange(30), (labels + 1) % 3] = -np.inf  # others may be
    y, weight = np.eye(3)[labels] if soft else labels, np.ones(30)
    expected = (
        TemperatureScaling().fit(np.delete(logits, row, axis=0), np.delete(y, row, axis=0), classes=range(3)).temperature_
    )
    logits[row, labels[row]] = -np.inf
    with pytest.raises(ValueError, match=f"finite for the true class, got -inf in row {row}"):
        TemperatureScaling().fit(logits, y, weight, classes=range(3))
    weight[row] = 0
    logits[row, (labels[row] + 1) % 3] = 0
    assert TemperatureScaling().fit(logits, y, weight, classes=range(3)).temperature_ == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("step", [2, 7, 16])
def test_sums_over_a_sample_are_those_of_its_rows(rng, soft, step):
    n_rows, n_classes = 701, 4
    logits, weight = rng.normal(size=(n_rows, n_classes)), rng.dirichlet(np.ones(n_rows))
    labels, proba = rng.integers(n_classes, size=n_rows).astype(np.int32), rng.dirichlet(np.ones(n_classes), size=n_rows)

    def rows(taken):
        given = {"proba": proba[taken], "class_weight": np.ones(n_classes)} if soft else {"labels": labels[taken]}
        return _Rows(logits[taken], Targets(n_classes, weight[taken], **given), pool=None, n_threads=1)

    sampled, alone = rows(slice(None)).sample(step), rows(slice(None, None, step))
    for name in ("target", "uniform", "square", "n_out_of_range"):
        np.testing.assert_allclose(getattr(sampled.margins(), name), getattr(alone.margins(), name), rtol=1e-12)
    np.testing.assert_allclose(sampled.log_partition(0.7, True), alone.log_partition(0.7, True), rtol=1e-12)
