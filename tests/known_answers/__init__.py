"""Known answers: what the package computes against values that another implementation, NumPy's, gives.

Each module holds its checks, and beside each the faults that it must be able to see: they are planted, and the check
has to fail.
"""
