"""The outcome of a verification in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from alchemiscale_lake.report.verification import flaw_lines, flaws_table, verification_line
from alchemiscale_lake.statestore.lake_verification import Verified
from alchemiscale_lake.store.verification import Flaw


def verified(*flaws: Flaw) -> Verified:
    kinds: list[Any] = [
        SimpleNamespace(n_files=2, n_bytes=1_500_000, n_uncertain=1, flaws=list(flaws)),
        SimpleNamespace(n_files=1, n_bytes=0, n_uncertain=0, flaws=[]),
    ]
    return Verified(kinds)


FLAW = Flaw("tables/x", "one bit differs", "alchemiscale-lake repair")


def at_lake(command: str) -> str:
    return f"{command} --lake here"


def test_a_line_counts_files_and_flaws() -> None:
    assert verification_line(verified()).startswith("3 files (1.5 MB) checked, 1 of them without a digest")
    assert verification_line(verified()).endswith("none is damaged")
    assert verification_line(verified(FLAW)).endswith("; 1 damaged")


def test_every_flaw_says_what_to_do_in_this_lake() -> None:
    assert flaws_table(verified(FLAW), at_lake).rows == [
        ("tables/x", "one bit differs", "alchemiscale-lake repair --lake here")
    ]
    assert flaw_lines(verified(FLAW), at_lake) == [
        "tables/x",
        "  damage: one bit differs",
        "  to do: alchemiscale-lake repair --lake here",
    ]
