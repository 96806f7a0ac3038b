"""Objectives: functions of one flat vector that solvers minimise.

What lives here: one objective a file and what is made of its second derivatives. What doesn't: losses, penalties, solvers.
"""
