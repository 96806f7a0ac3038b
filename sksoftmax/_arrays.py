"""Arrays of other libraries as NumPy arrays, on entry."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_numpy(**arrays: Any) -> tuple[Any, ...]:
    """Return tensors and other libraries' arrays as NumPy arrays, and all else as it is.

    What scikit-learn's own checks know better stays: sparse matrices, lists, and whatever has ``to_numpy``, as data frames and
    series have, whose names and labels count. Whether ``array_api_dispatch`` is set makes no difference.

    Parameters
    ----------
    **arrays
        By the names that an error shall have.

    Returns
    -------
    arrays : tuple
        In the order given.

    Raises
    ------
    TypeError
        NumPy cannot read one of them: it requires a gradient, or its memory is on another device.

    Examples
    --------
    >>> from sksoftmax._arrays import as_numpy
    >>> as_numpy(X=[[1, 2]], y=None)
    ([[1, 2]], None)
    """
    return tuple(_as_numpy(name, array) for name, array in arrays.items())


def _as_numpy(name: str, array: Any) -> Any:
    if isinstance(array, np.ndarray | np.generic) or hasattr(array, "to_numpy") or not hasattr(array, "__array__"):
        return array
    try:
        return np.asarray(array)
    except Exception as error:
        kind = f"{type(array).__module__.partition('.')[0]}.{type(array).__qualname__}"
        reason = str(error).rstrip(".")
        raise TypeError(f"{name} must be a NumPy array or convert to one; got a {kind}: {reason}.") from error
