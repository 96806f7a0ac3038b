"""How long every metric takes, against the fastest of scikit-learn, SciPy, torchmetrics, netcal and relplot.

    python benchmarks/bench_metrics.py [name ...] [--repeats 5] [--threads 1] [--dtype float64]

Each ratio is of medians of interleaved runs, peers that are not installed are left out, and figures are compared: where a
peer's differs by more than 1e-4 the row says so. Predictions are softmax of noisy logits, labels are integers; tensors are made
beforehand, and torch computes with as many threads as are allowed here.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable
from importlib import import_module

import numpy as np
import scipy.stats
import sklearn.metrics
from _measure import Row, heading, interleaved, table
from threadpoolctl import threadpool_limits

from sksoftmax import metrics
from sksoftmax.functional import softmax

SHAPES = [(100_000, 10), (10_000, 1_000)]
Peers = dict[str, Callable[[], object]]


def optional(name: str):
    try:
        return import_module(name)
    except ImportError:
        return None


class Problem:
    """Predictions and labels of one shape, and the figures of them: ours, the peers', the goal."""

    def __init__(self, n_rows: int, n_classes: int, dtype: str) -> None:
        rng = np.random.default_rng(0)
        logits = rng.normal(scale=1.5, size=(n_rows, n_classes))
        self.proba = softmax(logits.astype(dtype))
        self.other = softmax(logits.astype(dtype) * 0.7)
        self.y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        self.y[:n_classes] = np.arange(n_classes)
        self.decided = self.proba.argmax(axis=1)
        self.labels = np.arange(n_classes)

    def evaluate(self) -> dict[str, tuple[Callable[[], object], Peers, float | None]]:
        y, p, d, k = self.y, self.proba, self.decided, 5
        mine, theirs = metrics, sklearn.metrics
        chosen = {
            "cross_entropy_loss": (lambda: mine.cross_entropy_loss(y, p), {"scikit-learn": lambda: theirs.log_loss(y, p)}, 3),
            "brier_score_loss": (
                lambda: mine.brier_score_loss(y, p),
                {"scikit-learn": lambda: theirs.brier_score_loss(y, p)},
                3,
            ),
            "top_k_accuracy_score, k=5": (
                lambda: mine.top_k_accuracy_score(y, p, k=k),
                {"scikit-learn": lambda: theirs.top_k_accuracy_score(y, p, k=k)},
                3,
            ),
            "d2_cross_entropy_score": (
                lambda: mine.d2_cross_entropy_score(y, p),
                {"scikit-learn": lambda: theirs.d2_log_loss_score(y, p)},
                1,
            ),
            "d2_brier_score": (lambda: mine.d2_brier_score(y, p), {"scikit-learn": lambda: theirs.d2_brier_score(y, p)}, 1),
            "accuracy_score of labels": (
                lambda: mine.accuracy_score(y, d),
                {"scikit-learn": lambda: theirs.accuracy_score(y, d)},
                1,
            ),
            "accuracy_score of probabilities": (
                lambda: mine.accuracy_score(y, p),
                {"NumPy and scikit-learn": lambda: theirs.accuracy_score(y, p.argmax(axis=1))},
                1,
            ),
            "balanced_accuracy_score": (
                lambda: mine.balanced_accuracy_score(y, d),
                {"scikit-learn": lambda: theirs.balanced_accuracy_score(y, d)},
                1,
            ),
            "macro_precision_score": (
                lambda: mine.macro_precision_score(y, d),
                {"scikit-learn": lambda: theirs.precision_score(y, d, average="macro", zero_division=0)},
                1,
            ),
            "mutual_information_score": (
                lambda: mine.mutual_information_score(y, d),
                {"scikit-learn": lambda: theirs.mutual_info_score(y, d)},
                1,
            ),
            "roc_auc_ovr_score": (
                lambda: mine.roc_auc_ovr_score(y, p),
                {"scikit-learn": lambda: theirs.roc_auc_score(y, p, multi_class="ovr")},
                1,
            ),
            "expected_calibration_error": (lambda: mine.expected_calibration_error(y, p), {}, 1),
            "expected_calibration_error, class-wise": (
                lambda: mine.expected_calibration_error(y, p, kind="class_wise"),
                {"NumPy": lambda: plain_class_wise(y, p)},
                3,
            ),
            "smooth_calibration_error": (lambda: mine.smooth_calibration_error(y, p), {}, 1),
            "entropy": (lambda: mine.entropy(p)[:9], {"SciPy": lambda: scipy.stats.entropy(p, axis=1)[:9]}, 1),
            "kl_divergence": (
                lambda: mine.kl_divergence(p, self.other).mean(),
                {"SciPy": lambda: scipy.stats.entropy(p, self.other, axis=1).mean()},
                1,
            ),
            "spherical_score": (lambda: mine.spherical_score(y, p), {}, None),
            "perplexity_loss": (lambda: mine.perplexity_loss(y, p), {}, None),
            "expected_cost_loss": (lambda: mine.expected_cost_loss(y, p), {}, None),
            "aurc_loss": (lambda: mine.aurc_loss(y, p), {}, None),
        }
        for name, peers in self.from_other_packages().items():
            chosen[name][1].update(peers)
        return chosen

    def from_other_packages(self) -> dict[str, Peers]:
        """Return the peers that are installed beyond scikit-learn."""
        peers: dict[str, Peers] = {}
        if (torch := optional("torch")) and (tm := optional("torchmetrics.functional.classification")):
            p, y, d = torch.from_numpy(self.proba), torch.from_numpy(self.y), torch.from_numpy(self.decided)
            other, n = torch.from_numpy(self.other), p.shape[1]
            options = {"num_classes": n, "validate_args": False}
            divergence = import_module("torchmetrics.functional.regression").kl_divergence
            figures = {
                "top_k_accuracy_score, k=5": lambda: tm.multiclass_accuracy(p, y, top_k=5, average="micro", **options),
                "accuracy_score of labels": lambda: tm.multiclass_accuracy(d, y, average="micro", **options),
                "accuracy_score of probabilities": lambda: tm.multiclass_accuracy(p, y, average="micro", **options),
                "balanced_accuracy_score": lambda: tm.multiclass_accuracy(d, y, average="macro", **options),
                "macro_precision_score": lambda: tm.multiclass_precision(d, y, average="macro", **options),
                "roc_auc_ovr_score": lambda: tm.multiclass_auroc(p, y, average="macro", **options),
                "expected_calibration_error": lambda: tm.multiclass_calibration_error(p, y, n_bins=15, norm="l1", **options),
                "kl_divergence": lambda: divergence(p, other),
            }
            for name, figure in figures.items():
                peers.setdefault(name, {})["torchmetrics"] = figure
        if netcal := optional("netcal.metrics"):
            peers.setdefault("expected_calibration_error", {})["netcal"] = lambda: netcal.ECE(15).measure(self.proba, self.y)
        if relplot := optional("relplot"):
            rows = np.arange(len(self.y))
            peers.setdefault("smooth_calibration_error", {})["relplot"] = lambda: relplot.smECE(
                f=self.proba[rows, self.proba.argmax(axis=1)], y=(self.proba.argmax(axis=1) == self.y).astype(float)
            )
        return peers


def plain_class_wise(y, p, n_bins=15):
    """Class-wise expected calibration error as one writes it with NumPy."""
    total = 0.0
    for k in range(p.shape[1]):
        bins = np.minimum((p[:, k] * n_bins).astype(np.int64), n_bins - 1)
        promised = np.bincount(bins, p[:, k], minlength=n_bins)
        happened = np.bincount(bins, y == k, minlength=n_bins)
        total += np.abs(promised - happened).sum() / len(p)
    return total / p.shape[1]


def measure(problem: Problem, name: str, repeats: int, dtype: str, threads: int) -> Row:
    ours, peers, goal = problem.evaluate()[name]
    shape = f"{len(problem.y):,} × {problem.proba.shape[1]:,}"
    best, fastest, own, notes = math.inf, "no peer", math.nan, ""
    for peer, theirs in peers.items():
        if not np.allclose(np.asarray(ours(), float), np.asarray(theirs(), float), rtol=1e-4, atol=1e-6):
            notes += f"; {peer} differs"
        seconds, mine = interleaved(theirs, ours, repeats=repeats, pause=0.02)
        if seconds < best:
            best, fastest, own = seconds, peer, mine
    if not peers:
        best, own = math.nan, interleaved(lambda: None, ours, repeats=repeats, pause=0.02)[1]
    return Row(f"{name}, {shape}: {fastest}{notes}", dtype, threads, best, own, goal if peers else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the metrics' names; all of them by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if torch := optional("torch"):
        torch.set_num_threads(options.threads)
    print(heading("torch", "torchmetrics", "netcal", "relplot"), end="\n\n")
    rows = []
    with threadpool_limits(options.threads):
        for n_rows, n_classes in SHAPES:
            problem = Problem(n_rows, n_classes, options.dtype)
            names = [name for name in problem.evaluate() if not options.names or any(part in name for part in options.names)]
            rows += [measure(problem, name, options.repeats, options.dtype, options.threads) for name in names]
    print(table(rows, "ms", 1e3))


if __name__ == "__main__":
    main()
