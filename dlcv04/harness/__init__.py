"""The judge: knows pytest and statistics, knows nothing of networks.

Nothing in this package imports the experiment (`dlcv04.networks`, `dlcv04.training` ...); the doors
`dlcv04.fixtures`, `dlcv04.workbench`, `dlcv04.cli` with `dlcv04.commands`, and the tests in `bench/` bring both halves
together. Its rooms, from the ground up: policy, store, machine, stats, measuring, judging, claims, selftest, report,
session, plugin; each imports only those before it.
"""
