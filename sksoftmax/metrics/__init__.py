"""Measuring instruments for class probabilities: each a function of ``y_true`` and ``y_proba``.

What lives here: the public names. What doesn't: scikit-learn's scorers, which are made from them (``scorers``).
"""
