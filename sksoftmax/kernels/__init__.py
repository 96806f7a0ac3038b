"""Every function that numba compiles: loops over rows, arrays in, arrays filled.

What lives here: one file for each set of kernels that call each other. What doesn't: validation, allocation of results,
threads, objects.

No file here imports another: numba's on-disk cache does not see edits in an imported helper. Options are repeated on each
kernel because the cache does not see them otherwise.
"""
