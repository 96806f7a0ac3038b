"""Stochastic gradient descent and its relatives: one class an optimizer.

What lives here: hyperparameters of the optimizers and what kernels need of them. What doesn't: the loop of epochs
(``_stochastic``), the steps themselves (``kernels``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..kernels import minibatch as kernels
from ._stochastic import StochasticSolver, Vector


@dataclass
class SGD(StochasticSolver):
    r"""Stochastic gradient descent on minibatches, with momentum if wanted.

    .. math:: m \leftarrow \mu m + g, \qquad \theta \leftarrow \theta - \eta_t m

    where g is the gradient of the objective estimated from ``batch_size`` rows, weighted as all rows are. An epoch passes once
    over all rows that have weight, in an order drawn anew from the estimator's ``random_state``; ``max_iter`` counts epochs.
    The result depends on ``random_state``, never on the number of threads.

    Fits end, as those of :class:`sklearn.linear_model.SGDClassifier`, when the loss of ``n_iter_no_change`` epochs in a row,
    each row's taken before the step it belongs to, is not lower by ``tol`` than the lowest before. That is no optimum yet:
    steps may be too long to come nearer. A fit has converged if the Newton step from where it ended, found by at most 100
    products with the Hessian, predicts a decrease of the objective of at most 5e-5 nats and changes no row's probabilities by
    more than 5e-3; a ConvergenceWarning says of others how far they are. With ``tol=None`` the fit makes ``max_iter`` epochs
    and no such test: ``converged_`` is False, without a warning.

    Plain SGD on CSR rows touches only the columns that a minibatch has. With momentum, and for the other optimizers, each
    minibatch steps all coefficients.

    Parameters
    ----------
    learning_rate : float, default=0.1
        :math:`\eta`. No rate is right for columns of any scale: scale them.
    batch_size : int, default=256
        Rows a step; the last minibatch of an epoch may have fewer.
    schedule : {"constant", "invscaling", "cosine", "step"} or schedule object, default="constant"
        What the rate is multiplied by as steps go on; see ``sksoftmax.solvers.schedules``.
    average : bool, default=False
        Whether to keep the mean of the points that steps end at, the t-th of weight about t³, and to predict with it.
    decoupled : bool, default=False
        Whether the L2 penalty shrinks the coefficients apart from the optimizer's step, as in AdamW, or is part of the
        gradient. Apart, the limit of optimizers with moments is not the optimum for ``C``. Plain SGD always shrinks, by
        :math:`1 / (1 + \eta_t \alpha)`, the implicit step against the penalty, which is stable for any ``C``.
    init_scale : float, default=0.0
        Standard deviation of the normal distribution that the coefficients' start is drawn from; 0 means zeros.
    momentum : float, default=0.0
        :math:`\mu`, in [0, 1).
    nesterov : bool, default=False
        Whether to step by :math:`g + \mu m` (Nesterov's momentum) instead of m.

    Raises
    ------
    ValueError
        When fitted with a parameter out of its range, or when steps are so long that parameters overflow.

    References
    ----------
    Bottou (2012), "Stochastic Gradient Descent Tricks".
    Sutskever, Martens, Dahl & Hinton (2013), "On the importance of initialization and momentum in deep learning".
    Shamir & Zhang (2013), "Stochastic Gradient Descent for Non-smooth Optimization", for the weights of the mean.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.solvers import SGD
    >>> X, y = load_digits(return_X_y=True)
    >>> sgd = SGD(learning_rate=0.5, batch_size=64, schedule="invscaling", average=True)
    >>> clf = SoftmaxRegressionClassifier(solver=sgd, max_iter=50, tol=None, random_state=0).fit(X / 16, y)
    >>> round(clf.score(X / 16, y), 2)
    0.97
    """

    momentum: float = 0.0
    nesterov: bool = False

    name: ClassVar[str] = "sgd"
    optimizer: ClassVar[int] = kernels.SGD

    @property
    def _moments(self) -> tuple[bool, bool]:
        return self.momentum > 0, False

    @property
    def _hyperparameters(self) -> dict[str, float]:
        gradient_weight, momentum_weight = (1.0, self.momentum) if self.nesterov else (0.0, 1.0)
        return {"beta_1": self.momentum, "gradient_weight": gradient_weight, "momentum_weight": momentum_weight}


@dataclass
class Adam(StochasticSolver):
    r"""Adam: steps by a moving average of gradients over the root of one of their squares.

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
              \theta \leftarrow \theta - \eta_t \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    learning_rate : float, default=0.01
        The step is about the rate itself in every coefficient, whatever the gradient: ten times the 0.001 that is usual for
        deep networks, with which a linear model that starts at zeros takes many passes to get anywhere.
    batch_size, schedule, average, decoupled, init_scale
        As ``SGD`` has them. With ``decoupled=True`` this is AdamW.
    beta_1, beta_2 : float, default=0.9, 0.999
        In [0, 1).
    epsilon : float, default=1e-8

    References
    ----------
    Kingma & Ba (2015), "Adam: A Method for Stochastic Optimization".
    Loshchilov & Hutter (2019), "Decoupled Weight Decay Regularization".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.solvers import Adam
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(solver=Adam(), max_iter=50, tol=None, random_state=0).fit(X, y)
    >>> round(clf.score(X, y), 2)
    1.0
    """

    learning_rate: float = 1e-2
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    name: ClassVar[str] = "adam"
    optimizer: ClassVar[int] = kernels.ADAM
    n_moments: ClassVar[tuple[bool, bool]] = (True, True)

    @property
    def _hyperparameters(self) -> dict[str, float]:
        return {"beta_1": self.beta_1, "beta_2": self.beta_2}

    def _rates(self, rates: Vector, n_before: int) -> tuple[Vector, Vector]:
        # The bias corrections of both moments, taken from each step into its rate and epsilon: see kernels.minibatch.
        t = n_before + 1.0 + np.arange(len(rates))
        second = np.sqrt(1 - self.beta_2**t)
        return rates * second / (1 - self.beta_1**t), self.epsilon * second


@dataclass
class AdaGrad(StochasticSolver):
    r"""AdaGrad: each parameter's steps shrink with the root of the sum of its squared gradients.

    .. math:: v \leftarrow v + g^2, \qquad \theta \leftarrow \theta - \eta_t \frac{g}{\sqrt{v} + \epsilon}

    Parameters
    ----------
    learning_rate : float, default=0.1
    batch_size, schedule, average, decoupled, init_scale
        As ``SGD`` has them.
    epsilon : float, default=1e-10

    References
    ----------
    Duchi, Hazan & Singer (2011), "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.solvers import AdaGrad
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(solver=AdaGrad(), max_iter=50, tol=None, random_state=0).fit(X, y)
    >>> round(clf.score(X, y), 2)
    0.96
    """

    epsilon: float = 1e-10

    name: ClassVar[str] = "adagrad"
    optimizer: ClassVar[int] = kernels.ADAGRAD
    n_moments: ClassVar[tuple[bool, bool]] = (False, True)

    @property
    def _hyperparameters(self) -> dict[str, float]:
        return {"beta_2": 1.0}


@dataclass
class RMSProp(StochasticSolver):
    r"""RMSProp: steps by the gradient over the root of a moving average of its squares.

    .. math:: v \leftarrow \rho v + (1 - \rho) g^2, \qquad \theta \leftarrow \theta - \eta_t \frac{g}{\sqrt{v} + \epsilon}

    Parameters
    ----------
    learning_rate : float, default=0.01
        As ``Adam`` has it, and for the same reason.
    batch_size, schedule, average, decoupled, init_scale
        As ``SGD`` has them.
    rho : float, default=0.9
        In [0, 1).
    epsilon : float, default=1e-8

    References
    ----------
    Tieleman & Hinton (2012), "Neural Networks for Machine Learning", lecture 6.5.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.solvers import RMSProp
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(solver=RMSProp(), max_iter=50, tol=None, random_state=0).fit(X, y)
    >>> round(clf.score(X, y), 2)
    0.95
    """

    learning_rate: float = 1e-2
    rho: float = 0.9
    epsilon: float = 1e-8

    name: ClassVar[str] = "rmsprop"
    optimizer: ClassVar[int] = kernels.RMSPROP
    n_moments: ClassVar[tuple[bool, bool]] = (False, True)

    @property
    def _hyperparameters(self) -> dict[str, float]:
        return {"beta_2": self.rho}
