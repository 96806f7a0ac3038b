"""Data: rows, targets and weights, checked on entry, and the threads that go over them.

What lives here: what is made of X, y and sample_weight before anything is computed. What doesn't: losses and parameters.
"""
