"""
Estimating generalisation: cross-validation, a single use of the test set, intervals
====================================================================================

Performance on new rows is estimated on rows that took part neither in the fit nor in the choice of the model. Four questions on
images of digits:

* how is a penalty chosen, and why by cross-entropy rather than by accuracy?
* what does accuracy hide where one class is rare?
* how wide is the confidence interval from a few hundred test rows?
* how biased is a test set that was used for a hundred comparisons?
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sksoftmax import SoftmaxRegressionClassifier, scorers
from sksoftmax._optional import import_optional
from sksoftmax.functional import softmax
from sksoftmax.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    bootstrap,
    cross_entropy_loss,
    hoeffding_interval,
    wilson_interval,
)

# %%
# Selection on validation folds
# -----------------------------
# A third of the rows is put away as the test set. On the rest, five folds tell for each strength of the penalty what the model
# does on rows that did not fit it. Accuracy counts decisions: over a wide range of C it is flat to within its own error, and
# its maximum is a matter of chance. Cross-entropy sees every probability and has its minimum well marked; it is what
# probabilities are wanted for. The test set is then opened, once.


def classifier(C: float = 1.0):
    return make_pipeline(MinMaxScaler(), SoftmaxRegressionClassifier(C=C))


def search(X: NDArray, y: NDArray) -> tuple[float, list[tuple[float, float, float, float]]]:
    """Return the C with the lowest cross-entropy on the folds, and (C, cross-entropy, accuracy, its error) of all."""
    table = []
    for C in np.logspace(-3, 3, 13):
        scores = cross_validate(classifier(C), X, y, cv=5, scoring={"loss": scorers.neg_cross_entropy, "accuracy": "accuracy"})
        accuracy = scores["test_accuracy"]
        table.append((C, -scores["test_loss"].mean(), accuracy.mean(), accuracy.std(ddof=1) / np.sqrt(len(accuracy))))
    return min(table, key=lambda row: row[1])[0], table


def select_then_test(X: NDArray, y: NDArray) -> tuple[NDArray, NDArray, list[tuple[float, float, float, float]]]:
    """Print the search and the test; return true and predicted of the test rows, and the search's table."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=1 / 3, stratify=y, random_state=0)
    chosen, table = search(X_train, y_train)
    print("Selection on five folds of the training rows\n\n       C  cross-entropy  accuracy")
    for C, loss, accuracy, error in table:
        print(f"{C:8.3g}  {loss:13.4f}  {accuracy:.4f} ± {error:.4f}{'   <- chosen' if chosen == C else ''}")
    proba = classifier(chosen).fit(X_train, y_train).predict_proba(X_test)
    print(
        f"\nTest set, {len(y_test)} rows, opened once: cross-entropy {cross_entropy_loss(y_test, proba):.4f} nats, "
        f"accuracy {accuracy_score(y_test, proba.argmax(axis=1)):.4f}"
    )
    return y_test, proba, table


# %%
# A better cross-entropy, the same accuracy
# -----------------------------------------
# Dividing all logits by a temperature changes no decision and every probability. Whoever looks at accuracy alone can't tell a
# model that knows what it doesn't know from one that is always sure.


def flat_accuracy(y: NDArray, proba: NDArray) -> None:
    print("\nThe same decisions with other probabilities\n\ntemperature  cross-entropy  accuracy")
    for temperature in (0.25, 0.5, 1.0, 2.0, 4.0):
        other = softmax(np.log(proba) / temperature)
        print(f"{temperature:11g}  {cross_entropy_loss(y, other):13.4f}  {accuracy_score(y, other.argmax(axis=1)):.4f}")


# %%
# What accuracy hides where a class is rare
# -----------------------------------------
# 950 rows of a class A and 50 of a class B. One model says A to everything. Another finds 900 of the A and 40 of the B. The
# first has the higher accuracy, and is of no use: the mean of the classes' recalls, balanced accuracy, says so.


def rare_class() -> None:
    y = np.repeat(["A", "B"], [950, 50])
    always = np.full(1000, "A")
    finds = np.concatenate([np.repeat(["A", "B"], [900, 50]), np.repeat(["B", "A"], [40, 10])])
    print("\n950 rows of A, 50 of B\n\nmodel             accuracy  balanced accuracy")
    for name, predicted in (("always A", always), ("finds 900 and 40", finds)):
        print(f"{name:16}  {accuracy_score(y, predicted):8.3f}  {balanced_accuracy_score(y, predicted):17.3f}")


# %%
# How wide is the interval
# ------------------------
# Hoeffding's inequality promises its level whatever the accuracy and pays for that in width. Wilson's interval knows that a
# share near one varies little. The bootstrap draws the test rows again, and serves any metric, also cross-entropy.


def intervals(y: NDArray, proba: NDArray) -> None:
    n_correct, n = int((proba.argmax(axis=1) == y).sum()), len(y)
    resampled = bootstrap(accuracy_score, y, proba, random_state=0).confidence_interval
    print(f"\n95 % intervals of the accuracy, {n_correct} of {n} right")
    for name, interval in (
        ("Hoeffding", hoeffding_interval(n_correct, n)),
        ("Wilson", wilson_interval(n_correct, n)),
        ("bootstrap", resampled),
    ):
        print(f"{name:>10}  {interval.low:.4f} to {interval.high:.4f}, {100 * (interval.high - interval.low):.1f} points wide")
    loss = bootstrap(cross_entropy_loss, y, proba, random_state=0)
    low, high = loss.confidence_interval
    print(f"Cross-entropy {loss.statistic:.3f} nats, {low:.3f} to {high:.3f} by bootstrap")


# %%
# A test set used for a hundred comparisons
# -----------------------------------------
# A hundred models, each of which sees other pixels. The one with the best accuracy on 200 test rows is kept, and its accuracy
# on the remaining rows, which had no part in the choice, is unbiased. The more models are compared, the larger the accuracy on
# the rows of the choice and its bias: these rows have become part of the training. Averages of 500 draws.

N_MODELS, N_LOOKED_AT, N_DRAWS = 100, 200, 500


def looks(X: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Return the mean accuracy of the best of the first 1, 2, … models: on the rows that chose it, and on other rows."""
    rng = np.random.default_rng(0)
    X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=400, stratify=y, random_state=0)
    right = np.empty((N_MODELS, len(y_rest)), dtype=bool)
    for model in range(N_MODELS):
        pixels = rng.permutation(X.shape[1])[:24]
        right[model] = classifier().fit(X_train[:, pixels], y_train).predict(X_rest[:, pixels]) == y_rest
    promised, kept = np.zeros(N_MODELS), np.zeros(N_MODELS)
    for _ in range(N_DRAWS):
        right = right[rng.permutation(N_MODELS)]
        rows = rng.permutation(len(y_rest))
        on_test, elsewhere = right[:, rows[:N_LOOKED_AT]].mean(axis=1), right[:, rows[N_LOOKED_AT:]].mean(axis=1)
        best = [int(on_test[: n + 1].argmax()) for n in range(N_MODELS)]
        promised += on_test[best] / N_DRAWS
        kept += elsewhere[best] / N_DRAWS
    return promised, kept


def tell_looks(promised: NDArray, kept: NDArray) -> None:
    print("\nThe best of so many models on 200 test rows\n\nmodels tried  on these rows  on other rows  promised too much")
    for n in (1, 2, 5, 10, 20, 50, 100):
        print(f"{n:12}  {promised[n - 1]:13.4f}  {kept[n - 1]:13.4f}  {promised[n - 1] - kept[n - 1]:17.4f}")


# %%
# The picture
# -----------


def draw(table: list[tuple[float, float, float, float]], promised: NDArray, kept: NDArray, output: Path) -> None:
    plt = import_optional("matplotlib.pyplot", purpose="The picture")
    ticker = import_optional("matplotlib.ticker", purpose="The picture")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    C, loss, accuracy, error = np.array(table).T
    left.set(xscale="log", yscale="log", xlabel="C", ylabel="cross-entropy on the folds, nats")
    figure.get_layout_engine().set(wspace=0.06)
    left.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.minorticks_off()
    left.set_title("Selection on validation folds")
    (first,) = left.plot(C, loss, "o-", color="#0072B2")
    twin = left.twinx()
    twin.set_ylabel("accuracy on the folds")
    second = twin.errorbar(C, accuracy, error, fmt="s--", color="#D55E00", capsize=3)
    left.legend([first, second], ["cross-entropy", "accuracy ± its error"], loc="center right")
    n = np.arange(1, N_MODELS + 1)
    right.plot(n, promised, color="#D55E00", label=f"on the {N_LOOKED_AT} rows that chose it")
    right.plot(n, kept, color="#0072B2", label="on other rows")
    right.fill_between(n, kept, promised, color="#D55E00", alpha=0.15)
    right.set(
        xscale="log",
        xticks=[1, 10, 100],
        xticklabels=["1", "10", "100"],
        xlabel="models tried",
        ylabel="accuracy of the best",
        title="A test set used for selection",
    )
    right.legend(loc="upper left")
    figure.savefig(output, dpi=120)
    print(f"\nSaved {output}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("generalisation.png"), help="where the picture goes")
    arguments = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    y_test, proba, table = select_then_test(X, y)
    flat_accuracy(y_test, proba)
    rare_class()
    intervals(y_test, proba)
    promised, kept = looks(X, y)
    tell_looks(promised, kept)
    try:
        draw(table, promised, kept, arguments.output)
    except ImportError as error:
        print(f"\nNo picture: {error}")


if __name__ == "__main__":
    main()
