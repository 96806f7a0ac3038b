"""Error messages of estimators: for methods that are not available, values that are not allowed, and unknown parameters.

What lives here: extensions of scikit-learn's own checks of estimators. What doesn't: any estimator.
"""
