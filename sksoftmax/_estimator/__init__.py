"""What estimators say of methods that they lack, of values that they do not take, and of parameters that they do not have.

What lives here: additions to scikit-learn's own machinery of estimators. What doesn't: any estimator.
"""
