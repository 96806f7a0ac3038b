"""
A loss of one's own: labels that are partly wrong
=================================================

Cross-entropy has no bound: a row with a wrong label pulls the harder, the surer the model is of the right one. The generalised
cross-entropy of Zhang & Sabuncu (2018),

.. math:: \\ell(y, z) = \\frac{1 - p_y^q}{q}, \\qquad p = \\mathrm{softmax}(z),

lies between cross-entropy (q → 0) and the error that is expected of a random guess by p (q = 1), and it is bounded by 1/q. The
package does not have it. Here it is written in a few lines of NumPy and takes the same default solver as the losses that are
there. Some labels of the training rows of digits are replaced by others; the test rows keep theirs.

Zhang & Sabuncu (2018), "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels".
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._optional import import_optional
from sksoftmax.losses import Loss

# %%
# The loss
# --------
# All that it takes: hyperparameters as fields of a dataclass, and the losses of rows with their derivatives by the logits. With
# two classes, too, there is a column for each. Weights, soft targets, threads and sparse rows are seen to elsewhere.


@dataclass
class GeneralisedCrossEntropy(Loss):
    q: float = 0.7

    # Adding a number to all logits of a row changes nothing: so is said, as nothing is taken for granted of a loss.
    shift_invariant: ClassVar[bool] = True

    def value_and_gradient(self, logits: NDArray, labels: NDArray[np.int32]) -> tuple[NDArray, NDArray]:
        row = np.arange(len(labels))
        proba = np.exp(logits - logits.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        power = proba[row, labels] ** self.q
        # The derivative of p_y by z_k is p_y ([k = y] - p_k).
        gradient = power[:, None] * proba
        gradient[row, labels] -= power
        return (1 - power) / self.q, gradient


# %%
# Labels that are wrong
# ---------------------

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
GRID = {"C": [0.01, 0.1, 1.0, 10.0]}


def with_wrong_labels(y: NDArray, share: float, seed: int) -> NDArray:
    """Return labels of which a share is replaced by another class, drawn from the others."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, y.max() + 1, size=len(y))) % (y.max() + 1), y)


def accuracies(n_seeds: int) -> dict[str, NDArray[np.float64]]:
    """Return the accuracy on clean test rows by loss: (shares of wrong labels, seeds). C is chosen on the noisy rows."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    losses = {"cross-entropy": "cross_entropy", "generalised, q = 0.7": GeneralisedCrossEntropy(q=0.7)}
    result = {name: np.empty((len(SHARES), n_seeds)) for name in losses}
    for i, share in enumerate(SHARES):
        for seed in range(n_seeds):
            noisy = with_wrong_labels(y_train, share, seed)
            for name, loss in losses.items():
                folds = StratifiedKFold(3, shuffle=True, random_state=0)
                search = GridSearchCV(SoftmaxRegressionClassifier(loss=loss), GRID, cv=folds).fit(X_train, noisy)
                result[name][i, seed] = search.score(X_test, y_test)
    return result


def plot(result: dict[str, NDArray[np.float64]], output: Path) -> None:
    plt = import_optional("matplotlib.pyplot", purpose="The picture", extra="plot")
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, accuracy in result.items():
        axes.errorbar(SHARES, accuracy.mean(axis=1), accuracy.std(axis=1), capsize=3, label=name)
    axes.set(xlabel="Share of wrong labels in training", ylabel="Accuracy on test rows with right labels")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.legend(title="Loss")
    figure.savefig(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("own_loss.png"))
    parser.add_argument("--seeds", type=int, default=3, help="draws of wrong labels (default: 3)")
    options = parser.parse_args()
    result = accuracies(options.seeds)
    print("| wrong labels | " + " | ".join(result) + " |")
    print("|---:|" + "---:|" * len(result))
    for i, share in enumerate(SHARES):
        print(f"| {share:.0%} | " + " | ".join(f"{accuracy[i].mean():.3f}" for accuracy in result.values()) + " |")
    plot(result, options.output)
    print(f"Wrote {options.output}")


if __name__ == "__main__":
    main()
