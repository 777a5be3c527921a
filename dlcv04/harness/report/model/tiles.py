"""The counts on the first screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dlcv04.harness.report.model.badges import BADGES, in_sentence
from dlcv04.harness.report.model.claims import controls, real_claims
from dlcv04.harness.report.model.tone import RED, claim_badge, control_badge, of_share, unexplained_failures, worst
from dlcv04.harness.store.schema import Run


@dataclass(frozen=True)
class Tile:
    """One count on the first screen: `4 / 6 claims hold`."""

    value: str
    label: str
    tone: str


def tiles(run: Run) -> tuple[Tile, ...]:
    """What is counted of a run: claims, figures, controls and errors."""
    claims = Counter(claim_badge(c).word for c in real_claims(run))
    compared: Counter[str] = Counter(c.verdict for c in run.comparisons)
    tried = Counter(control_badge(c).word for c in controls(run))
    shown = [_share(claims["HOLDS"], sum(claims.values()) - claims["NOT JUDGED"], "claims hold")]
    shown += _nonzero(
        claims, (("VIOLATED", "violated"), ("INCONCLUSIVE", "inconclusive"), ("NOT JUDGED", "not judged"))
    )
    if compared:
        shown.append(_share(compared["PASS"], sum(compared.values()), "figures pass"))
        shown += _nonzero(
            compared,
            tuple((v, in_sentence(v)) for v in ("REGRESSED", "MISSING", "STALE"))
            + (("INCONCLUSIVE", "figures inconclusive"), ("IMPROVED", "improved"))
            + (("NO_BASELINE", "without baseline"), ("INCOMPARABLE", "incomparable")),
        )
    if tried:
        tone = worst(BADGES[name].tone for name in tried)
        shown.append(Tile(f"{tried['BROKE']} / {sum(tried.values())}", "controls broke their claim", tone))
    if failed := unexplained_failures(run):
        shown.append(Tile(str(len(failed)), "ended with an error", RED))
    return tuple(shown)


def _share(count: int, total: int, label: str) -> Tile:
    return Tile(f"{count} / {total}", label, of_share(count, total))


def _nonzero(counts: Counter[str], labels: Iterable[tuple[str, str]]) -> list[Tile]:
    return [Tile(str(counts[name]), label, BADGES[name].tone) for name, label in labels if counts[name]]
