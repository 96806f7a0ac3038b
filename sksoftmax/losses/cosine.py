"""Softmax of cosines: rows and weights on the unit sphere, with margins of the cosine or the angle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..kernels.losses.cosine import COSINE
from ..kernels.losses.margin import MARGIN
from ._base import Loss, check_number
from ._bound import BoundLoss
from ._targets import Targets


@dataclass
class CosineSoftmax(Loss):
    r"""Cross-entropy of the softmax of scaled cosines between rows and weights, with margins for the true class, in nats.

    .. math:: \ell(y, z) = \log \Big( e^{s \varphi} + \sum_{j \neq y} e^{s z_j} \Big) - s \varphi, \qquad
              z_j = \cos \theta_j = \frac{x^\top w_j}{\lVert x \rVert \lVert w_j \rVert}, \qquad
              \varphi = \cos(\theta_y + m_a) - m_c

    Where :math:`\theta_y + m_a > \pi`, the cosine goes on falling as :math:`-2 - \cos(\theta_y + m_a)`. A margin of the cosine
    alone is known as CosFace, one of the angle alone as ArcFace, none as NormFace. For rows whose direction depends on the
    class and whose length does not, as embeddings have them; nothing is subtracted from the columns, so centre them if zero
    means nothing.

    Rows are brought to unit length first, which copies X; those of zeros stay. ``coef_`` has rows of unit length and
    ``intercept_`` is zero, whatever ``fit_intercept`` says. The penalty is the same on all of the sphere: ``C`` does nothing,
    and ``scale`` takes its part. ``decision_function`` gives the cosines z, ``predict_proba`` the softmax of s z, without
    margins.

    Not convex: a fit goes by ``"block-lbfgs"``, from the directions in which the loss falls where all cosines are zero, to a
    stationary point. Labels only. Two classes use one weight, whose opposite is that of class 0: :math:`z_0 = -z_1`.

    Parameters
    ----------
    scale : float, default=16.0
        s, in (0, inf).
    margin : float, default=0.0
        :math:`m_c`, in [0, inf).
    angular_margin : float, default=0.0
        :math:`m_a`, in [0, π/2], in radians.

    Raises
    ------
    ValueError
        When fitted with parameters outside these ranges, to rows of class probabilities, or by another solver.

    References
    ----------
    Wang, Xiang, Cheng & Yuille (2017), "NormFace: L2 Hypersphere Embedding for Face Verification".
    Wang, Wang, Zhou et al. (2018), "CosFace: Large Margin Cosine Loss for Deep Face Recognition".
    Deng, Guo, Xue & Zafeiriou (2019), "ArcFace: Additive Angular Margin Loss for Deep Face Recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.losses import CosineSoftmax
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(loss=CosineSoftmax(scale=10, margin=0.1)).fit(X[:1000], y[:1000])
    >>> round(clf.score(X[1000:], y[1000:]), 2)
    0.91
    >>> np.allclose(np.linalg.norm(clf.coef_, axis=1), 1)
    True
    """

    scale: float = 16.0
    margin: float = 0.0
    angular_margin: float = 0.0

    unit_norm: ClassVar[bool] = True
    takes_proba: ClassVar[bool] = False

    def bind(self, targets: Targets) -> BoundLoss:
        scale = check_number("scale", self.scale, 0, closed=False)
        margin = check_number("margin", self.margin, 0, closed=True)
        angle = check_number("angular_margin", self.angular_margin, 0, closed=True)
        if angle > np.pi / 2:
            raise ValueError(f"angular_margin must be at most π/2, got {self.angular_margin!r}.")
        self._require_labels(targets)
        # Two classes have one cosine c, and the logits s (c - m) and -s c.
        both = 2 if targets.n_classes == 2 else 1
        model = MARGIN, [0.0, margin / both, scale * both]
        parameters = [scale, margin, np.cos(angle), np.sin(angle)]
        return self._bound(targets, COSINE, parameters, has_no_minimum_when_separable=False, model=model)

    def prepare(self, X: Any) -> Any:
        """Return a copy of X with rows of unit length."""
        scale = np.abs(X).max(axis=1)  # first, so that no square overflows
        scale = np.asarray(scale.toarray() if sparse.issparse(scale) else scale).ravel()
        scale = np.where(scale > 0, scale, 1).astype(X.dtype)
        if sparse.issparse(X):
            X = X.copy()
            X.data /= np.repeat(scale, np.diff(X.indptr))
            norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64)).ravel()
            X.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(X.indptr)).astype(X.dtype)
            return X
        X = X / scale[:, None]
        norms = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))
        X /= np.where(norms > 0, norms, 1)[:, None].astype(X.dtype)
        return X

    def proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) probabilities of (n_rows, n_logits) cosines, which may be overwritten."""
        return super().proba(self._scaled(logits))

    def log_proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) log-probabilities of cosines, which may be overwritten."""
        return super().log_proba(self._scaled(logits))

    def _scaled(self, logits: NDArray) -> NDArray:
        logits *= self.scale if logits.shape[1] > 1 else 2 * self.scale
        return logits
