"""The judge: knows pytest and statistics, knows nothing of networks.

Nothing in this package imports the experiment (`dlcv04.networks`, `dlcv04.training` ...); the doors
`dlcv04.fixtures`, `dlcv04.cli` and the tests in `bench/` bring both halves together.
"""
