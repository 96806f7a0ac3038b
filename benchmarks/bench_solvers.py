"""Seconds until the objective is within a relative gap of its optimum: ours against other libraries.

``python benchmarks/bench_solvers.py`` runs all problems of ``_problems.py``, or those named, and prints two tables. With
``--curves FILE.json`` the curves are kept, and tables and plot are of all that the file holds; ``--report`` measures nothing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from _competitors import Competitor, Run, Terms, installed, warm_up
from _curves import GAPS, Curve, all_seconds, median_run, merge, read, thinned
from _measure import heading
from _optima import optimum, renew_optimum
from _problems import PROBLEMS, Problem
from _report import MAX_DEVIATION, plot, report
from threadpoolctl import threadpool_limits

from sksoftmax._optional import import_optional

# Runs this short are timed right after one that is not: what the caches hold decides.
SHORT_SECONDS = 0.2
# Whoever's first run took longer has no second: long runs vary little.
LONG_SECONDS = 20


def measure(name: str, competitors: dict[str, Competitor], arguments: argparse.Namespace, heading: str) -> list[Curve]:
    """Return the curves of a problem with each number of threads, and print a line for each as it is there."""
    problem = PROBLEMS[name]()
    best = optimum(name, problem)
    taking_part = {who: each for who, each in competitors.items() if each.takes(problem)}
    curves = []
    for n_threads in arguments.threads:
        terms = Terms(best * (1 + GAPS[-1]), arguments.limit, n_threads)
        with threadpool_limits(n_threads):
            runs = interleaved_runs(problem, taking_part, terms, arguments.repeats)
        for who, taken in runs.items():
            median = median_run(taken, best)
            curve = Curve(
                problem=name,
                what=problem.what,
                goals=problem.goals,
                competitor=who,
                threads=n_threads,
                limit=terms.limit,
                measured=f"runs: {len(taken)}; {heading}",
                ended=median.ended,
                lasted=float(f"{median.points[-1].seconds:.4g}"),
                evaluations=len(median.points),
                deviation=float(f"{median.deviation(problem):.2g}"),
                seconds=all_seconds(taken, best),
                points=thinned(median, best),
            )
            print(progress_line(curve), flush=True)
            curves.append(curve)
    return curves


def interleaved_runs(problem: Problem, competitors: dict[str, Competitor], terms: Terms, repeats: int) -> dict[str, list[Run]]:
    """Let the competitors take turns, so that a slow spell of the machine meets all of them; each round begins with another."""
    for each in competitors.values():
        warm_up(each.run, problem, terms.n_threads)
    runs: dict[str, list[Run]] = {who: [] for who in competitors}
    waiting = list(competitors)
    for _ in range(repeats):
        for who in tuple(waiting):
            time.sleep(0.1)  # threads of the one before fall asleep
            if runs[who] and runs[who][-1].points[-1].seconds < SHORT_SECONDS:
                competitors[who].run(problem, terms)  # as in a search: the fit before has left its code in the caches
            began = time.perf_counter()
            runs[who].append(competitors[who].run(problem, terms))
            if time.perf_counter() - began > LONG_SECONDS:
                waiting.remove(who)
        waiting = waiting[1:] + waiting[:1]
    return runs


def progress_line(curve: Curve) -> str:
    times = " ".join(f"{curve.median_seconds(gap):10.4g}" for gap in range(len(GAPS)))
    rounded = f", reports off by {curve.deviation:.0e}" if not abs(curve.deviation) <= MAX_DEVIATION else ""
    return (
        f"{curve.problem:24s} {curve.threads} {curve.competitor:30s} {times}   {curve.evaluations:5d} evals "
        f"{curve.lasted:8.2f} s, last gap {curve.points[-1][1]:.1e}, ended by {curve.ended}{rounded}"
    )


def renew_optima(names: list[str]) -> None:
    for name in names:
        found = renew_optimum(name, PROBLEMS[name]())
        print(f"{name:24s} " + ", ".join(f"{what} {number:.17g}" for what, number in found.items()), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    # argparse holds the empty list of a bare call to be a choice too.
    parser.add_argument("problems", nargs="*", choices=[[], *PROBLEMS], metavar="PROBLEM", help="all by default")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each, of which the median counts")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--limit", type=float, default=600, metavar="SECONDS", help="after which a run ends")
    parser.add_argument("--only", metavar="TEXT", help="part of the names of those that take part")
    parser.add_argument("--curves", type=Path, metavar="FILE.json", help="file to add the curves to; by default not kept")
    parser.add_argument("--report", action="store_true", help="measure nothing: tables and plot of --curves")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="Markdown file to write the tables to as well")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="picture of the curves to draw")
    parser.add_argument("--optima", action="store_true", help="measure nothing: look for the problems' optima again")
    arguments = parser.parse_args()
    if arguments.report and (arguments.curves is None or not arguments.curves.exists()):
        parser.error("--report makes its tables of the file that --curves names")
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.plot is not None:
        import_optional("matplotlib", purpose="--plot")  # not told after hours of measuring
    if arguments.optima:
        return renew_optima(arguments.problems or list(PROBLEMS))
    curves = [] if arguments.report else measure_all(arguments)
    if arguments.curves is not None:
        curves = read(arguments.curves)
    text = report(curves)
    print(f"\n{text}")
    if arguments.output is not None:
        arguments.output.write_text(text + "\n")
    if arguments.plot is not None:
        plot(curves, arguments.plot)


def measure_all(arguments: argparse.Namespace) -> list[Curve]:
    told = heading("scikit-learn-intelex", "torch")
    print(told)
    competitors = installed(arguments.only)
    curves = []
    for name in arguments.problems or PROBLEMS:
        taken = measure(name, competitors, arguments, told)
        if arguments.curves is not None:
            merge(arguments.curves, taken, in_part=arguments.only is not None)
        curves += taken
    return curves


if __name__ == "__main__":
    main()
