"""The loop of a fit and what follows it: history, validation, early stopping, callbacks, the state of ``partial_fit``.

What lives here: what happens at each iteration besides the solver's own step. What doesn't: solvers and estimators.
"""
