"""Judge a bench run in which named claims can't be decided: every other claim must hold.

Usage: undecided.py RUN.json EXIT_STATUS
"""

import json
import sys
from pathlib import Path

#: Claims that smoke can't decide on JAX on a CPU, each with its reason and what decides it.
UNDECIDED = {
    "test_fc1024_takes_longer": "XLA's convolutions are so slow on a CPU that FC1024 adds only 5 %, near the margin of "
    "10 %: decided on TensorFlow, or on JAX by the profile standard on a GPU",
}

path, status = Path(sys.argv[1]), int(sys.argv[2])
if status not in (0, 1):
    sys.exit(f"The bench ended with exit status {status}: not a verdict.")
claims = [claim for claim in json.loads(path.read_text())["dlcv04"]["claims"] if claim["judged"]]
wrong = []
for claim in claims:
    name = claim["test"].split("::")[-1]
    if claim["verdict"] == "HOLDS":
        continue
    if name in UNDECIDED:
        print(f"{claim['verdict']}, expected to be undecided: {name} ({UNDECIDED[name]})")
    else:
        wrong.append(f"{claim['verdict']}: {name}")
if wrong or not claims:
    sys.exit("; ".join(wrong) or "No claim was run.")
print(f"{len(claims)} claims on JAX: all others hold.")
