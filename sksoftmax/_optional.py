"""Imports of optional libraries, with errors that say how to install them.

What lives here: ``import_optional``. What doesn't: the runtime dependencies, which are imported as usual.
"""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(name: str, *, purpose: str, extra: str | None = None) -> ModuleType:
    """Return the module called name.

    Parameters
    ----------
    name : str
        Dotted module name, e.g. ``"matplotlib.pyplot"``.
    purpose : str
        The feature that needs the library: the first words of the error message.
    extra : str or None
        The extra of sksoftmax that installs the library, if there is one.

    Raises
    ------
    ImportError
        The library is not installed.

    Examples
    --------
    >>> from sksoftmax._optional import import_optional
    >>> import_optional("json", purpose="This example").loads("[1]")
    [1]
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        wanted = package if extra is None else f'"sksoftmax[{extra}]"'
        raise ImportError(f"{purpose} needs {package}, which is not installed: pip install {wanted}") from error
