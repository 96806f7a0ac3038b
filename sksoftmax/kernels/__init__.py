"""Every function that numba compiles: loops over rows, arrays in, arrays filled.

What lives here: kernels, and how they are compiled (``_compile``). What doesn't: validation, allocation of results, threads,
objects.
"""
