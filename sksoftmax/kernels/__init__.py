"""Every function that numba compiles: loops over rows, arrays in, arrays filled.

What lives here: kernels, a file for each job, and how they are compiled (``_compile``). What doesn't: validation, allocation of
results, threads, objects.

Conventions
-----------
Callers pass C-contiguous arrays; a kernel works on the rows ``start:stop`` of the data and on rows ``0:stop - start`` of its
scratch arrays, so that no slice is made per call. A thread's whole segment of rows is one call: returning to Python for every
block costs the second thread its gain.

``logits`` is (rows, n_logits) scratch in the dtype of X, ``weight`` is float64 and sums to one over the data, and every sum
over rows is taken in float64. ``coef`` is (n_logits, n_features) for dense rows and its transpose for CSR rows: dense kernels
vectorise along the features, CSR kernels along the classes.

The ``fastmath`` flags let LLVM reorder a sum and fuse a multiplication into it, which vectorising needs; neither assumes
that numbers are finite.
"""
