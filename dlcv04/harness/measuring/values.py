"""Arms that are neither timed nor trained: what each one computes, a value or many a unit (a filter, a picture)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlcv04.harness.store.schema import finite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


#: More values than these are judged and not stored.
STORED_VALUES = 10_000


@dataclass(frozen=True)
class ArmValues:
    """What one arm computed: float64, any shape; the first axis is that of the units."""

    name: str
    values: npt.NDArray[np.float64] = field(repr=False)

    @property
    def stored(self) -> list[float]:
        """The values as a run stores them: one a unit, where there are few and all are figures."""
        small = self.values.ndim == 1 and self.values.size <= STORED_VALUES
        found = [finite(value) for value in self.values] if small else []
        return [] if None in found else [value for value in found if value is not None]
