"""The one view of a run that every renderer shows, built from a `Run` and stored runs by pure functions.

Nothing here judges: verdicts are read from the run. The model orders them (red first), counts them, says the run's
outcome in one sentence and names what differs from the stored runs. Beside the view stand two sections that not every
renderer shows: `history` and `noise`.
"""

from dlcv04.harness.report.model.arms import ArmRow
from dlcv04.harness.report.model.badges import BADGES, Badge, worst_first
from dlcv04.harness.report.model.cards import UNREAD, AssertionRow, Card, ControlRow
from dlcv04.harness.report.model.claims import short_name
from dlcv04.harness.report.model.comparisons import ComparisonRow, share_notes
from dlcv04.harness.report.model.concerns import Concern
from dlcv04.harness.report.model.environment import EnvironmentRow
from dlcv04.harness.report.model.facts import Fact
from dlcv04.harness.report.model.headline import Headline
from dlcv04.harness.report.model.tiles import Tile
from dlcv04.harness.report.model.view import View, build

__all__ = [
    "BADGES",
    "UNREAD",
    "ArmRow",
    "AssertionRow",
    "Badge",
    "Card",
    "ComparisonRow",
    "Concern",
    "ControlRow",
    "EnvironmentRow",
    "Fact",
    "Headline",
    "Tile",
    "View",
    "build",
    "share_notes",
    "short_name",
    "worst_first",
]
