"""Kernels that compiled code calls by address: one compiled pass over rows serves every loss.

What lives here: ``Signature``, the types of such a call. What doesn't: any kernel.
"""

from functools import cache

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.errors import TypingError
from numba.extending import intrinsic

try:  # names that numba does not promise to keep
    from numba.core.callconv import CPUCallConv
    from numba.core.codegen import JITCodeLibrary
    from numba.core.funcdesc import FunctionDescriptor

    NATIVE_NAMES = (
        CPUCallConv.call_function,
        CPUCallConv.get_function_type,
        CPUCallConv.return_status_propagate,
        JITCodeLibrary.get_pointer_to_function,
        FunctionDescriptor.llvm_func_name,
    )
    USES_CFUNC = False
except (ImportError, AttributeError):
    USES_CFUNC = True


# numba compiles a kernel that is an argument into its caller, which would be compiled anew for every loss. Instead, a pass
# takes the address of the kernel's machine code as an int64 and calls what lies there, once a block of rows. Options not taken:
# first-class function types, since looking at such an argument costs 12 µs at every call from Python; numba.cfunc, which would
# compile a kernel once more beside the one that Python calls, and serves where numba lacks the names that this takes.
#
# An address tells nothing of its types. The signature is their one source on both sides: ``address`` compiles the kernel for
# it, ``call`` checks at compile time that what a pass gives has its types, casting numbers, and emits the call. A dtype that is
# named instead of given is the caller's to keep the same in both.


class Signature:
    """Result and argument types of a call by address, but for dtypes that differ from address to address.

    Parameters
    ----------
    result : dtype or None
        Of the number that is returned, if one is.
    arguments : sequence of (dtype or str, int)
        Of each argument the dtype and the number of dimensions, zero for a scalar; arrays are C-contiguous. A str names a dtype
        that ``address`` is told.

    Attributes
    ----------
    address : function
        ``address(kernel, *dtypes)`` returns the address of the machine code of what ``kernel`` returned, which is compiled or
        loaded on the first call, and the function itself where nothing is compiled. The dtypes are those of the names in
        ``arguments``, in the order of their first occurrence.
    call : function
        ``call(address, arguments)`` for use in kernels: calls what lies at address with a tuple of arguments. The dtypes of
        arguments have to be those that the address was made for; the types of everything else are checked.
    """

    def __init__(self, result, arguments):
        self._result = types.none if result is None else numba.from_dtype(np.dtype(result))
        self._arguments = tuple(
            (dtype if isinstance(dtype, str) else numba.from_dtype(np.dtype(dtype)), n_dims) for dtype, n_dims in arguments
        )
        self._names = list(dict.fromkeys(dtype for dtype, _ in self._arguments if isinstance(dtype, str)))
        self._callbacks = []
        self.address = cache(self._address)
        self.call = _call_python if config.DISABLE_JIT else self._intrinsic()

    def _address(self, kernel, *dtypes):
        if not hasattr(kernel, "overloads"):  # as NUMBA_DISABLE_JIT=1 leaves it
            return kernel
        named = zip(self._names, dtypes, strict=True)
        argument_types = self._types({name: numba.from_dtype(np.dtype(dtype)) for name, dtype in named})
        if USES_CFUNC:
            callback = numba.cfunc(self._result(*argument_types), **kernel.targetoptions)(kernel.py_func)
            self._callbacks.append(callback)  # the code goes with it
            return callback.address
        kernel.compile(argument_types)
        compiled = kernel.overloads[argument_types]
        return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)

    def _types(self, dtypes):
        resolved = [(dtypes.get(dtype, dtype), n_dims) for dtype, n_dims in self._arguments]
        return tuple(types.Array(dtype, n_dims, "C") if n_dims else dtype for dtype, n_dims in resolved)

    def _intrinsic(self):
        @intrinsic
        def call(typing_context, address, arguments):
            given = {
                name: arg.dtype for (name, _), arg in zip(self._arguments, arguments, strict=True) if isinstance(name, str)
            }
            expected = self._types(given)
            for argument, wanted in zip(arguments, expected, strict=True):
                if not _is_passed_like(argument, wanted):
                    raise TypingError(f"called by address with {argument} for {wanted}")

            def generate(context, builder, signature, values):
                address, packed = values
                unpacked = cgutils.unpack_tuple(builder, packed, len(expected))
                unpacked = [
                    value if isinstance(wanted, types.Array) else context.cast(builder, value, argument, wanted)
                    for value, argument, wanted in zip(unpacked, arguments, expected, strict=True)
                ]
                return _generate_call(context, builder, address, self._result, expected, unpacked)

            return self._result(address, arguments), generate

        return call


def _call_python(function, arguments):
    return function(*arguments)


def _is_passed_like(argument, wanted):
    """Return whether an argument has the wanted type, or casts to it, or is a read-only array that is passed alike."""
    if isinstance(wanted, types.Array):
        return isinstance(argument, types.Array) and argument.copy(readonly=False) == wanted.copy(readonly=False)
    return isinstance(argument, types.Integer if isinstance(wanted, types.Integer) else types.Number)


# numba's convention returns a status, writes the result through a pointer and hands on what was raised. A C callback returns
# the result itself; an error in it would be printed and lost.


def _generate_call(context, builder, address, result, argument_types, values):
    """Return the result of a call in the convention of numba's functions, which hands errors on, or in that of C."""
    if USES_CFUNC:
        callee_type = ir.FunctionType(context.get_value_type(result), [context.get_value_type(each) for each in argument_types])
        return builder.call(builder.inttoptr(address, callee_type.as_pointer()), values)
    convention = context.call_conv
    callee = builder.inttoptr(address, convention.get_function_type(result, argument_types).as_pointer())
    status, out = convention.call_function(builder, callee, result, argument_types, values)
    with cgutils.if_unlikely(builder, status.is_error):
        convention.return_status_propagate(builder, status)
    return out
