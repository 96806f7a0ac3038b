"""Beta calibration: of all maps that do not fall, the likeliest, wherever on the boundary it lies."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from sksoftmax.calibration import BetaCalibration

# a, b and c that rows are drawn with: inside, on each face, at the corner, and logits that say the contrary.
PLANTED = [
    (1.0, 1.0, 0.0),
    (2.0, 0.0, 0.5),
    (0.0, 2.0, -0.5),
    (0.0, 0.0, 0.3),
    (-1.0, -1.0, 0.0),
    (3.0, -0.5, 0.0),
    (-0.5, 3.0, 0.0),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_no_map_that_does_not_fall_is_likelier(planted, seed):
    rng = np.random.default_rng(seed)
    logit, weight = rng.normal(scale=2, size=200), rng.uniform(0.2, 2, size=200)
    columns = np.column_stack([log_expit(logit), -log_expit(-logit), np.ones(200)])
    y = (rng.uniform(size=200) < expit(columns @ planted)).astype(int)
    sign = 2 * y - 1

    def loss(params):
        margin = sign * (columns @ params)
        slope = -np.average(columns * (sign * expit(-margin))[:, None], axis=0, weights=weight)
        return -np.average(log_expit(margin), weights=weight), slope

    bounds = [(0, None), (0, None), (None, None)]
    best = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-14)
    calibrator = BetaCalibration().fit(logit, y, weight)
    given = np.array([calibrator.a_, calibrator.b_, calibrator.c_])
    assert given[:2].min() >= 0
    assert loss(given)[0] == pytest.approx(best.fun, rel=1e-8)
