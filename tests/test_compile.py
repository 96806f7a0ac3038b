"""The cache of compiled kernels: no stale code, nothing in the package, and whatever goes wrong costs a compilation."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from sksoftmax.kernels import _compile

pytestmark = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled")

HELPER = """
from ._compile import kernel

@kernel
def add(x):
    return x + {}
"""
KERNEL = """
from ._compile import kernel
from .helper import add

@kernel(fastmath={"contract"})
def twice(values):
    for i in range(len(values)):
        values[i] = 2 * add(values[i])
"""
SCRIPT = """
import sys
import numpy as np
from tiny.kernels.twice import twice
values = np.arange(3.0)
twice(values)
print(*values, sum(twice.stats.cache_hits.values()))
"""


FORK = """
import os, signal, threading
from numba import njit
from numba.core.compiler_lock import global_compiler_lock
import sksoftmax

taken, done = threading.Event(), threading.Event()

def compile_for_a_while():
    with global_compiler_lock:
        taken.set()
        done.wait(0.5)

thread = threading.Thread(target=compile_for_a_while)
thread.start()
taken.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)  # ends a child that hangs
    njit(lambda x: x + 1)(1)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread.join()
with global_compiler_lock:  # that of a thread which forks while it compiles
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        njit(lambda x: x + 1)(1)
        os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
other = threading.Thread(target=lambda: print(global_compiler_lock._lock.acquire(timeout=5)))
other.start()
other.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
@pytest.mark.slow
def test_a_child_forked_while_another_thread_compiles_can_compile():
    """And the lock is free afterwards, in the parent too."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["0", "0", "True"], done.stderr


@pytest.fixture
def tiny(tmp_path):
    """Return the folder of a package of two kernels, one of which calls the other, with this package's ``_compile``."""
    kernels = tmp_path / "lib" / "tiny" / "kernels"
    kernels.mkdir(parents=True)
    (kernels.parent / "_version.py").write_text('__version__ = "1.0"\n')
    (kernels / "__init__.py").touch()
    shutil.copy(_compile.__file__, kernels)
    (kernels / "helper.py").write_text(HELPER.format(1))
    (kernels / "twice.py").write_text(KERNEL)
    return kernels.parent


def start(tiny, *, first="", then="", **variables):
    outer = {name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"}}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", first + SCRIPT + then],
        env={**outer, "PYTHONPATH": str(tiny.parent), "PYTHONDONTWRITEBYTECODE": "1", **variables},
        cwd=tiny.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(tiny, **options):
    """Return what is printed: the values and how often the cache had the kernel."""
    with start(tiny, **options) as process:
        return process.communicate()[0].strip()


COMPILED, LOADED = "2.0 4.0 6.0 0", "2.0 4.0 6.0 1"


def test_numba_has_the_names_that_the_cache_uses():
    assert _compile.CompileResult is not None
    assert isinstance(_compile.kernel(lambda x: x)._cache, _compile.KernelCache)


@pytest.mark.slow
def test_the_second_process_loads_and_loads_no_stale_code(tiny, tmp_path):
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    before = sorted(tiny.rglob("*"))
    assert run(tiny, **here) == COMPILED
    assert run(tiny, **here) == LOADED
    assert sorted(tiny.rglob("*")) == before, "files in the package"
    (tiny / "kernels" / "helper.py").write_text(HELPER.format(9))
    assert run(tiny, **here) == "18.0 20.0 22.0 0"
    (tiny / "_version.py").write_text('__version__ = "2.0"\n')
    assert run(tiny, **here) == "18.0 20.0 22.0 0"
    names = {path.name[:4] for path in (tmp_path / "cache" / "sksoftmax").iterdir()}
    assert names == {"1.0-", "2.0-"}


@pytest.mark.slow
def test_loading_leaves_out_what_only_compiling_needs(tiny, tmp_path):
    """numba's registries take a tenth of a second."""
    here = {"NUMBA_CACHE_DIR": str(tmp_path)}
    after = "print('numba.cpython.charseq' in sys.modules)"
    assert run(tiny, then=after, **here) == f"{COMPILED}\nTrue"
    assert run(tiny, then=after, **here) == f"{LOADED}\nFalse"


NO_USER = """
import pwd
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
"""


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({"NUMBA_CACHE_DIR": "{file}/cache"}, ""),
        pytest.param({"NUMBA_CACHE_DIR": "{file}"}, "", marks=pytest.mark.slow),
        pytest.param({"NUMBA_CACHE_DIR": "/proc/cache"}, "", marks=pytest.mark.slow),
        pytest.param({"XDG_CACHE_HOME": "{file}"}, "", marks=pytest.mark.slow),
        pytest.param({"HOME": "{file}"}, "", marks=pytest.mark.slow),
        pytest.param({"HOME": "/proc/nobody"}, "", marks=pytest.mark.slow),
        ({}, NO_USER),
    ],
    ids=str,
)
def test_without_a_folder_that_can_be_written_kernels_compile(tiny, tmp_path, variables, first):
    file = tmp_path / "file"
    file.touch()
    before = sorted(tmp_path.rglob("*"))
    assert run(tiny, first=first, **{name: value.format(file=file) for name, value in variables.items()}) == COMPILED
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HOME": "{}/home"}, "home/.cache/sksoftmax"),
        pytest.param({"HOME": "{}/home", "XDG_CACHE_HOME": "{}/xdg"}, "xdg/sksoftmax", marks=pytest.mark.slow),
        ({"XDG_CACHE_HOME": "{}/xdg", "NUMBA_CACHE_DIR": "{}/numba"}, "numba/sksoftmax"),
    ],
    ids=str,
)
@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other folders")
@pytest.mark.slow
def test_where_compiled_code_goes(tiny, tmp_path, variables, folder):
    for part in tiny, tiny / "kernels":
        part.chmod(0o555)
    assert run(tiny, **{name: value.format(tmp_path) for name, value in variables.items()}) == COMPILED
    files = [path for path in tmp_path.rglob("*") if path.suffix not in {"", ".py", ".0"} and path.is_file()]
    assert len(files) == 2
    assert {path.parents[1] for path in files} == {tmp_path / folder}


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(tiny, tmp_path):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    assert run(tiny, first=limit, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == COMPILED
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_damaged_files_are_compiled_anew(tiny, tmp_path):
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(tiny, **here) == COMPILED
    files = list((tmp_path / "cache").rglob("*.bin"))
    garbage = b"\x80\x04garbage."
    for damage in (
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:1000] + b"\0" + content[1001:],
        lambda content: hashlib.sha256(garbage).digest() + garbage,
    ):
        for path in files:
            path.write_bytes(damage(path.read_bytes()))
        assert run(tiny, **here) == COMPILED
    assert run(tiny, **here) == LOADED


@pytest.mark.slow
def test_two_processes_compile_at_once(tiny, tmp_path):
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    processes = [start(tiny, **here) for _ in range(2)]
    assert {process.communicate()[0].strip() for process in processes} <= {COMPILED, LOADED}
    assert run(tiny, **here) == LOADED
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {".bin"}


@pytest.mark.slow
def test_code_of_another_processor_or_other_options_is_not_loaded(tiny, tmp_path):
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(tiny, **here) == COMPILED
    assert run(tiny, NUMBA_BOUNDSCHECK="1", **here) == COMPILED
    assert run(tiny, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", **here) == COMPILED
    assert run(tiny, **here) == LOADED


@pytest.mark.slow
def test_where_numba_changed_its_names_its_own_cache_serves(tiny, tmp_path):
    changed = "import tiny.kernels._compile as module\nmodule.CompileResult = None  # as if it could not be imported\n"
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(tiny, first=changed, **here) == COMPILED
    assert run(tiny, first=changed, **here) == LOADED
    (tiny / "kernels" / "__pycache__").touch()  # where numba would go next
    assert run(tiny, first=changed, NUMBA_CACHE_DIR="/proc/cache", HOME="/proc/nobody") == COMPILED


def test_folders_of_old_versions_are_removed(tmp_path):
    folders = [tmp_path / str(i) for i in range(15)]
    for age, folder in enumerate(folders):
        folder.mkdir()
        (folder / "file").touch()
        os.utime(folder, (1e9 - age, 1e9 - age))
    _compile._remove_old_versions(folders[0])
    assert sorted(tmp_path.iterdir()) == folders[: _compile.N_VERSIONS_KEPT]


def test_code_that_asks_for_an_unknown_symbol_is_not_loaded():
    """LLVM would end the process."""
    context = _compile.kernel(lambda x: x).targetctx
    assert _compile._are_there(["NRT_adapt_ndarray_from_python", "malloc"], context)
    assert not _compile._are_there(["malloc", "no_such_symbol"], context)
