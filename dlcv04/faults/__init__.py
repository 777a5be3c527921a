"""Faults of learning that `dlcv04 selftest` plants in a suite, each one a pytest plugin.

As in `pytest bench -p dlcv04.faults.tenth_rate`. They change what reaches the device, beneath every fingerprint, as a
bug in a data pipeline would. Importing one of them plants it for the whole process.
"""

__all__ = ["FAULTS"]

#: Name -> what it does, as one phrase.
FAULTS = {
    "shuffled_labels": "20 % of the training labels are drawn at random",
    "tenth_rate": "the optimizer is made with a tenth of the recipe's rate",
    "leaking_validation": "the training pictures are the validation pictures",
}
