"""The house: imports go down only, one module compiles, scikit-learn lives upstairs, everything public is documented."""

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sksoftmax

ROOT = Path(sksoftmax.__file__).parent
FLOORS = [
    {"kernels", "_optional", "_params", "_sklearn", "_version"},
    {"losses", "penalties"},
    {"data"},
    {"objectives"},
    {"solvers"},
    {"fitting", "_estimator"},
    {"classifier"},
    {"calibration", "functional", "metrics", "scorers"},
    {"plots"},
]
# What is computed knows NumPy, SciPy and the kernels alone.
WITHOUT_SKLEARN = {"kernels", "losses", "penalties", "objectives", "solvers", "functional"}
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = [info.name for info in pkgutil.walk_packages([str(ROOT)], "sksoftmax.")]


def imports(path):
    """Yield the absolute dotted names that a file imports."""
    package = ["sksoftmax", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield ".".join([*base, node.module])
            else:
                yield from (".".join([*base, alias.name]) for alias in node.names)


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_only_go_down(path):
    own = FLOOR_OF[room(path)]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "sksoftmax" and len(parts) > 1 and parts[1] != room(path):
            assert FLOOR_OF[parts[1]] <= own, f"{path} on floor {own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_libraries_stay_on_their_floors(path):
    libraries = {name.split(".")[0] for name in imports(path)}
    assert "numba" not in libraries or room(path) == "kernels"
    assert room(path) not in WITHOUT_SKLEARN or not {"sklearn", "sksoftmax._sklearn"} & {*libraries, *imports(path)}
    assert not libraries & {"matplotlib", "pandas", "polars", "torch"}


# Attributes of scikit-learn's estimators that are private, and modules that a supported version lacks.
PRIVATE_ATTRIBUTES = {"_get_param_names", "_init_callback_context", "_skl_callbacks"}
PRIVATE_MODULES = {"sklearn.callback"}


@pytest.mark.parametrize("path", [path for path in FILES if path != ROOT / "_sklearn.py"], ids=str)
def test_private_names_of_scikit_learn_come_through_one_door(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            assert node.attr not in PRIVATE_ATTRIBUTES, f"{path}:{node.lineno} reads {node.attr}"
        elif isinstance(node, ast.Constant):
            assert node.value not in PRIVATE_ATTRIBUTES, f"{path}:{node.lineno} names {node.value}"
        for name in names:
            package, *parts = name.split(".")
            private = any(part.startswith("_") for part in parts) or any(map(name.startswith, PRIVATE_MODULES))
            assert package != "sklearn" or not private, f"{path}:{node.lineno} imports {name}; import it from _sklearn"


def test_solvers_and_objective_import_no_loss():
    """They meet losses through the contract, which is abstract."""
    for path in sorted([*(ROOT / "objectives").glob("*.py"), *(ROOT / "solvers").glob("*.py")]):
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert not names & {"CrossEntropy", "LOSSES", "L2", "PENALTIES", "DenseRows", "CSRRows"}, path


def test_solvers_know_objectives_by_their_contracts():
    for path in (ROOT / "solvers").glob("*.py"):
        known = {name for name in imports(path) if name.startswith("sksoftmax.objectives")}
        assert known <= {"sksoftmax.objectives._contracts"}, path


@pytest.mark.parametrize("path", [path for path in FILES if room(path) != "solvers"], ids=str)
def test_no_class_of_a_solver_is_asked_for_outside_their_room(path):
    """They declare what a caller needs to know."""
    solvers = {solver.__name__ for named in sksoftmax.solvers.SOLVERS.values() for solver in named.__mro__}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "issubclass"}:
            assert not {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)} & (solvers - {"object"})


KERNEL_FILES = [path for path in sorted((ROOT / "kernels").rglob("*.py")) if path.name not in {"_compile.py", "_pointers.py"}]


@pytest.mark.parametrize("path", KERNEL_FILES, ids=str)
def test_kernel_files_import_nothing_but_kernels(path):
    """The cache is stamped by the content of their folder: it would not see an edit elsewhere."""
    for name in imports(path):
        assert name in {"math", "numpy", "typing"} or name.startswith("sksoftmax.kernels."), name


def test_kernels_are_compiled_as_agreed():
    """By ``kernel``, which has the options, on every function; fastmath written in the source."""
    bodies = [ast.parse(path.read_text()).body for path in KERNEL_FILES]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    assert len(functions) > 10
    for function in functions:
        (decorator,) = function.decorator_list
        if isinstance(decorator, ast.Call):
            assert not decorator.args
            ((name, fastmath),) = [(keyword.arg, ast.literal_eval(keyword.value)) for keyword in decorator.keywords]
            assert name == "fastmath"
            assert fastmath <= {"reassoc", "contract"}
            decorator = decorator.func
        assert decorator.id == "kernel", function.name


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=str)
def test_every_module_says_what_lives_here(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_is_documented(name):
    module = importlib.import_module(name)
    for attribute, value in vars(module).items():
        if attribute.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        assert inspect.getdoc(value), f"{name}.{attribute}"
        if inspect.isclass(value):
            for method, _ in inspect.getmembers(value, inspect.isfunction):
                if not method.startswith("_"):
                    assert inspect.getdoc(getattr(value, method)), f"{name}.{attribute}.{method}"


@pytest.mark.parametrize("name", MODULES)
def test_no_public_name_hides_a_module(name):
    """A function of a submodule's name takes its place as the package's attribute."""
    package, _, own = name.rpartition(".")
    assert own not in getattr(importlib.import_module(package), "__all__", []) or inspect.ismodule(
        getattr(importlib.import_module(package), own)
    )


PUBLIC = ["calibration", "functional", "losses", "metrics", "plots", "scorers", "solvers"]
ESTIMATORS = ["CalibratedClassifier", "SoftmaxRegressionClassifier", "TemperatureScalingCalibrator"]


def test_the_public_names():
    assert sksoftmax.__all__ == [*ESTIMATORS, *PUBLIC]
    assert {name for name in dir(sksoftmax) if not name.startswith("_")} == set(sksoftmax.__all__)
    assert (ROOT / "py.typed").exists()


@pytest.mark.parametrize("name", ["sksoftmax", *(f"sksoftmax.{name}" for name in PUBLIC), "sksoftmax.solvers.schedules"])
def test_public_modules_say_what_is_public(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        value = getattr(module, public)
        assert not inspect.ismodule(value) or value.__name__ == f"{name}.{public}"


def run_python(code):
    """Run code in a process that has imported nothing yet; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_modules_are_there_without_an_import_of_their_own():
    for names in (PUBLIC, PUBLIC[::-1]):  # none may owe its being there to one before it, but the first to none
        code = "import sksoftmax; print(*(module.__name__ for module in ({},)))"
        shown = run_python(code.format(", ".join(f"sksoftmax.{name}" for name in names)))
        assert shown.split() == [f"sksoftmax.{name}" for name in names]


def test_modules_that_a_fit_does_not_need_are_imported_late():
    code = "import sys, sksoftmax; dir(sksoftmax); print(*sys.modules)"
    loaded = set(run_python(code).split())
    assert "sksoftmax.classifier" in loaded
    assert not loaded & {"matplotlib", "sksoftmax.metrics", "sksoftmax.plots", "sksoftmax.scorers"}
    assert "matplotlib" not in run_python(f"{code.replace('dir(sksoftmax)', 'sksoftmax.plots.ReliabilityDisplay')}").split()


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"module 'sksoftmax' has no attribute 'metric'"):
        _ = sksoftmax.metric
    assert not hasattr(sksoftmax, "METRICS")


@pytest.mark.parametrize("name", ["sksoftmax", *(f"sksoftmax.{name}" for name in PUBLIC), "sksoftmax.solvers.schedules"])
def test_public_modules_speak_to_their_users(name):
    text = importlib.import_module(name).__doc__
    assert "What lives here" not in text
    assert len(text.splitlines()) >= 3  # more than one sentence


def test_an_example_without_its_library_ends_in_one_line():
    """Before it prints anything, whether or not the library is there."""
    example = ROOT.parent / "examples" / "plot_label_sets.py"
    code = "import runpy, sys; sys.modules['mapie'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT.parent}{os.pathsep}{example.parent}"}
    done = subprocess.run([sys.executable, "-c", code, str(example)], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'This example needs mapie, which is not installed: pip install "sksoftmax[examples]"\n'
