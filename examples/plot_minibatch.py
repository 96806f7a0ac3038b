"""
Minibatches: the textbook recipe
================================

Does the recipe of the textbooks, softmax regression trained by plain minibatch SGD from small random weights, need anything
but scikit-learn's interface? Fashion-MNIST, 256 images a step, learning rate 0.1, 10 epochs, coefficients from N(0, 0.01²).

``python examples/plot_minibatch.py [--output minibatch.png]``
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np
from _fashion_mnist import load_fashion_mnist

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.plots import LearningCurve
from sksoftmax.solvers import SGD


def recipe() -> SoftmaxRegressionClassifier:
    """Return the classifier of the recipe: ten epochs, neither more nor fewer, and no penalty."""
    return SoftmaxRegressionClassifier(
        C=np.inf, solver=SGD(learning_rate=0.1, batch_size=256, init_scale=0.01), max_iter=10, tol=None, random_state=0
    )


def main(output: str | None) -> None:
    images, labels, test_images, test_labels = load_fashion_mnist()
    X, X_test = (images / 255).astype(np.float32), (test_images / 255).astype(np.float32)
    clf = recipe().fit(X, labels, X_val=X_test, y_val=test_labels)
    for epoch, iteration in enumerate(clf.solution_.history, 1):
        print(
            f"epoch {epoch:2d}: loss {iteration.value:.3f}, on held-out images {iteration.validation_cross_entropy:.3f}, "
            f"accuracy there {iteration.validation_accuracy:.3f}, {iteration.seconds:.2f} s"
        )
    print(f"accuracy on 10,000 test images: {clf.score(X_test, test_labels):.3f}")
    if output is not None and find_spec("matplotlib"):
        display = LearningCurve.from_estimator(clf, x="seconds", name="SGD, 256 images a step")
        display.figure_.savefig(output, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", help="where to save a picture")
    main(parser.parse_args().output)
