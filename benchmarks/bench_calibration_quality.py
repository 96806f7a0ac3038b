"""Test cross-entropy of every calibrator on miscalibrated logits: mean rank, mean loss, and where one does harm.

    python benchmarks/bench_calibration_quality.py                        # all: a quarter of an hour and more
    python benchmarks/bench_calibration_quality.py --quick                # few classes and rows
    python benchmarks/bench_calibration_quality.py --seeds 2 5            # seeds 2, 3 and 4; 0 and 1 set the rule of "auto"

probmetrics' structured matrix and vector scaling join where probmetrics is installed.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from _distortions import Problem, problems
from numpy.typing import NDArray

from sksoftmax.calibration import CALIBRATORS

HARM = 0.005
Method = Callable[[Problem], NDArray]


def methods() -> dict[str, Method]:
    """Return what makes log-probabilities of the test rows, by name; without the two-class methods."""
    ours = {name: method for name, method in CALIBRATORS.items() if not method.two_classes_only}

    def calibrate(name: str) -> Method:
        def of(problem: Problem) -> NDArray:
            calibrator = ours[name]().fit(problem.logits, problem.y, classes=np.arange(problem.n_classes))
            return calibrator.predict_log_proba(problem.test_logits)

        return of

    found = {name: calibrate(name) for name in ours}
    try:
        from probmetrics.calibrators import get_calibrator
    except ImportError:
        print("probmetrics is not installed: left out\n")
        return found

    def peer(name: str) -> Method:
        def of(problem: Problem) -> NDArray:
            def proba(logits: NDArray) -> NDArray:
                return np.exp(CALIBRATORS["none"]().fit(problem.logits, problem.y, classes=np.arange(problem.n_classes))
                              .predict_log_proba(logits))  # fmt: skip

            calibrator = get_calibrator(name)
            calibrator.fit(proba(problem.logits), problem.y)
            return np.log(np.maximum(calibrator.predict_proba(proba(problem.test_logits)), np.finfo(float).tiny))

        return of

    return {**found, "probmetrics sms": peer("sms"), "probmetrics svs": peer("svs")}


def loss(log_proba: NDArray, y: NDArray) -> float:
    """Return the mean cross-entropy in nats."""
    return float(-np.mean(np.maximum(log_proba[np.arange(len(y)), y], np.log(np.finfo(float).tiny))))


def group(problem: Problem) -> str:
    """Return the column of the table that a problem belongs to."""
    return "digits" if problem.name.startswith("digits") else f"K = {problem.n_classes}"


def main() -> None:
    """Print two tables and a list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 5), metavar=("FIRST", "STOP"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--at-most", type=int, default=500_000, metavar="N", help="rows times classes of a problem")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table, groups, harms = defaultdict(list), [], []
    competitors = methods()
    for problem in problems(range(*options.seeds), options.at_most, quick=options.quick):
        groups.append(group(problem))
        losses = {}
        for name, method in competitors.items():
            try:
                losses[name] = loss(method(problem), problem.test_y)
            except Exception as error:  # a peer that a problem breaks counts as one that does nothing
                print(f"{name} on {problem.name}: {type(error).__name__}: {error}")
                losses[name] = losses["none"]
            table[name].append(losses[name])
        change = losses["auto"] / losses["none"] - 1
        if change > HARM:
            harms.append(f"{problem.name}, K={problem.n_classes}, seed {problem.seed}: {change:+.2%}")
    names, values, groups = list(table), np.array(list(table.values())), np.array(groups)
    ranks = 1 + (values[None] < values[:, None] - 1e-9).sum(axis=1)
    excess = values / values.min(axis=0) - 1
    columns = sorted(set(groups), key=lambda column: (len(column), column))
    first, stop = options.seeds
    print(f"\n{values.shape[1]} problems, seeds {first} to {stop - 1}; excess is over the best on a problem\n")
    heads = ["calibrator", "mean rank", "mean cross-entropy", "mean excess", *columns, "worse than none by 0.5 %"]
    print("| " + " | ".join(heads) + " |\n|:--|" + "--:|" * (len(heads) - 1))
    harm = values > (1 + HARM) * values[names.index("none")]
    for k in np.argsort(ranks.mean(axis=1)):
        parts = " | ".join(f"{excess[k, groups == column].mean():.1%}" for column in columns)
        row = f"{ranks[k].mean():.2f} | {values[k].mean():.4f} | {excess[k].mean():.2%} | {parts} | {harm[k].sum()}"
        print(f"| {names[k]} | {row} |")
    print("\nauto worse than none by more than 0.5 %: " + ("; ".join(harms) or "never"))


if __name__ == "__main__":
    main()
