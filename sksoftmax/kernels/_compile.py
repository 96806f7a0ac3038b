"""How functions become kernels: numba's options, the same for all of them, and compiled code kept on disk.

What lives here: the ``kernel`` decorator and the cache. What doesn't: kernels.
"""

import hashlib
import os
import pickle
import shutil
import sys
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from uuid import uuid4

import numba
from llvmlite import binding
from numba.core import config
from numba.misc.appdirs import AppDirs

from .._version import __version__

try:  # names that numba does not promise to keep
    from numba.core.compiler import CompileResult
    from numba.core.runtime._nrt_python import c_helpers
    from numba.core.serialize import dumps

    REDUCE, REBUILD = CompileResult._reduce, CompileResult._rebuild
except (ImportError, AttributeError):
    CompileResult = None

N_VERSIONS_KEPT = 10


def hold_over_forks(lock):
    """Take a reentrant lock before each fork and give it back after it, in parent and child.

    A child that is forked while another thread compiles would inherit numba's lock as taken, by a thread that the child does
    not have, and hang at its first compilation.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


with suppress(ImportError):  # a name that numba does not promise to keep
    from numba.core.compiler_lock import global_compiler_lock

    hold_over_forks(global_compiler_lock)


# - nogil: segments of rows run in Python threads, one call of a kernel each. Not parallel=True, whose threads would split sums
#   by their number: results would be other bits on another machine.
# - error_model "numpy": a division by zero gives inf or NaN. With Python's, each division is a branch that may raise, and loops
#   that divide are not vectorised.
# - fastmath: "contract" fuses a multiplication and an addition, "reassoc" lets a sum be split over a vector's lanes. The other
#   flags are not given: "nnan" and "ninf" let LLVM drop tests for NaN and infinities, "nsz", "arcp" and "afn" change values.
# - Compiled when first called with a signature: a fit pays for the kernels, dtypes and losses that it uses.


def kernel(function=None, /, *, fastmath=False):
    """Compile a function on its first call with each signature: the GIL released, dividing as NumPy does, kept on disk.

    Parameters
    ----------
    function : callable
    fastmath : set of str
        What LLVM may do to sums: "reassoc", "contract" or both.
    """
    if function is None:
        return partial(kernel, fastmath=fastmath)
    compiled = numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
    if CompileResult is not None and hasattr(compiled, "_cache"):
        compiled._cache = KernelCache(function)
    elif compiled is not function:  # as NUMBA_DISABLE_JIT=1 leaves it
        with suppress(RuntimeError):  # no folder can be written
            compiled.enable_caching()
    return compiled


# numba's own cache stamps a function by the content of its file: an edit of a helper in another file, or an upgrade that brings
# one, would run stale code. It also lies in the installed package, where it survives pip uninstall. This one lies in
# sksoftmax/<version>-<stamp> of the folder that NUMBA_CACHE_DIR names or else of the user's cache folder, and the stamp is of
# all files of this package, of numba and Python. The name of a file in it is the kernel's, with a digest of signature,
# processor and compiler options.
#
# A file is the SHA-256 of its content, 32 bytes, and the content: the pickled names of the symbols that the machine code takes
# from elsewhere, and the code. The digest is checked first, as damaged machine code would be run. A file that is missing,
# damaged or cannot be written costs a compilation and nothing else, hence the broad excepts.


class KernelCache:
    """Compiled signatures of one kernel on disk, as numba's dispatcher asks for them."""

    def __init__(self, function):
        self._name = f"{function.__module__}.{function.__qualname__}"

    @property
    def cache_path(self):
        """The folder, or None."""
        folder = cache_folder()
        return None if folder is None else str(folder)

    def load_overload(self, signature, target_context):
        """Return the compiled signature, or None."""
        try:
            stored = self._path(signature, target_context.codegen()).read_bytes()
            if hashlib.sha256(stored[32:]).digest() != stored[:32]:
                return None
            symbols, reduced = pickle.loads(stored[32:])
            return REBUILD(target_context, *reduced) if _are_there(symbols, target_context) else None
        except Exception:  # whatever the file holds: compiling mends it
            return None

    def save_overload(self, signature, compiled):
        """Write a compiled signature."""
        try:
            if compiled.library.has_dynamic_globals:
                return  # addresses of this process
            content = dumps((_symbols(compiled.library._final_module), REDUCE(compiled)))
            path = self._path(signature, compiled.codegen)
            is_new = not path.parent.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, hashlib.sha256(content).digest() + content)
            if is_new:
                _remove_old_versions(path.parent)
        except Exception:  # a full disk, for one: the next process compiles again
            return

    def flush(self):
        """Do nothing: files are stamped."""

    enable = disable = flush

    def _path(self, signature, codegen):
        options = [config.OPT, config.BOUNDSCHECK, config.DEBUGINFO_DEFAULT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE]
        key = repr((str(signature), codegen.magic_tuple(), options))
        return cache_folder() / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.bin"


def cache_folder():
    """Return the folder of this version's compiled kernels, which need not exist; None if there is no place for it."""
    if _STAMP is None:
        return None
    base = Path(config.CACHE_DIR or AppDirs("sksoftmax", appauthor=False).user_cache_dir)
    if config.CACHE_DIR:
        base /= "sksoftmax"
    elif not base.is_absolute():
        return None  # the user has no home
    return base / f"{__version__}-{_STAMP}"


def _stamp():
    """Return a digest of the kernels' sources, numba and Python; None where there are no sources to read."""
    folder = Path(__file__).parent
    digest = hashlib.sha256(f"{__version__} {numba.__version__} {sys.implementation.cache_tag}".encode())
    try:
        for path in [Path(__file__), *sorted(folder.rglob("*.py"))]:
            content = path.read_bytes()
            digest.update(f"\n{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    except OSError:
        return None
    return digest.hexdigest()[:16]


_STAMP = _stamp()


def _symbols(module):
    """Return the names of the functions and variables that compiled code takes from elsewhere."""
    return [
        value.name
        for values in (module.functions, module.global_variables)
        for value in values
        if value.is_declaration and not value.name.startswith("llvm.")
    ]


def _are_there(symbols, target_context):
    """Return whether all symbols that compiled code takes from elsewhere have addresses: LLVM aborts where one has not.

    numba tells LLVM its own ones when it loads its registries, which takes a tenth of a second and which compiling needs.
    Compiled code needs the runtime's, as a rule.
    """
    _add_runtime_symbols()
    if not _have_addresses(symbols):
        target_context.refresh()
    return _have_addresses(symbols)


@cache
def _add_runtime_symbols():
    for name, address in c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _have_addresses(symbols):
    return all(binding.address_of_symbol(name) is not None for name in symbols)


# Several processes may compile the same kernel at once: each writes a file of its own name, and the last to rename it wins.


def _write(path, content):
    """Write a file as a whole or not at all, with the permissions that new files have."""
    part = path.with_name(f"{uuid4().hex}.tmp")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _remove_old_versions(folder):
    """Remove the folders beside this one but the newest: an upgrade, or an edit of a kernel, leaves one behind."""
    versions = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in versions[N_VERSIONS_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
