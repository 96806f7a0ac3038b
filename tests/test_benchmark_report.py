"""The picture of the benchmark: every problem and competitor is named, in type that can be read, and nothing is covered."""

import importlib
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def report():
    folder = str(Path(__file__).parents[1] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("_report")
    finally:
        sys.path.remove(folder)


def made_up(report, n_problems, threads=(2,)):
    times = np.geomspace(0.01, 10, 30)
    return [
        report.Curve(
            problem=f"problem {i}",
            what=f"Problem {i}: 60,000 x 784, float32, 10 classes, C = 0.01",
            goals=(1.0, 1.0),
            competitor=name,
            threads=number,
            limit=60.0,
            measured="runs: 1",
            ended="target",
            lasted=10.0,
            evaluations=30,
            deviation=0.0,
            seconds=[[1.0, 2.0]],
            points=list(zip(times * (1 + j), times**-2.5 / 30, strict=True)),
        )
        for i in range(n_problems)
        for number in threads
        for j, name in enumerate(report.STYLES)
    ]


def box(artist):
    return artist.get_window_extent()


@pytest.mark.parametrize("n_problems", [2, 4, 6])
def test_every_problem_and_competitor_is_named_and_nothing_covered(report, n_problems):
    figure = report.draw(made_up(report, n_problems))
    panels = [ax for ax in figure.axes if ax.axison]
    assert [" ".join(ax.get_title().split()) for ax in panels] == [
        f"Problem {i}: 60,000 x 784, float32, 10 classes, C = 0.01" for i in range(n_problems)
    ]
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    (legend,) = legends
    assert [text.get_text() for text in legend.get_texts()] == list(report.STYLES)
    assert all(text.get_fontsize() >= 10 for ax in panels for text in (ax.title, *ax.get_xticklabels(), *legend.get_texts()))
    parts = [*panels, *(ax.title for ax in panels), figure._supxlabel, figure._supylabel, legend]
    for one, other in combinations(map(box, parts), 2):
        width, height = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(width, height) <= 1
    for part in map(box, parts):
        assert figure.bbox.x0 - 1 <= part.x0 <= part.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= part.y0 <= part.y1 <= figure.bbox.y1 + 1


def test_the_most_threads_are_drawn_and_told_once(report):
    figure = report.draw(made_up(report, 2, threads=(1, 2)))
    assert figure._supxlabel.get_text() == "seconds since the fit began, 2 threads"
    assert not any("thread" in ax.get_title() for ax in figure.axes)
    assert all(len(ax.get_lines()) == len(report.STYLES) + len(report.GAPS) for ax in figure.axes if ax.axison)
