"""Outcome of a verification, as a table and in one line."""

from __future__ import annotations

from collections.abc import Callable

from ..plurals import count
from ..statestore.lake_verification import Verified
from .table import Table

__all__ = ["flaw_lines", "flaws_table", "verification_line"]


def flaws_table(verified: Verified, at_lake: Callable[[str], str]) -> Table:
    """Build a table with one row per damaged file.

    Parameters
    ----------
    verified : Verified
    at_lake : callable
        Adds the lake to the commands of a remedy.
    """
    return Table(("file", "damage", "what to do"), [(f.path, f.what, at_lake(f.remedy)) for f in verified.flaws])


def flaw_lines(verified: Verified, at_lake: Callable[[str], str]) -> list[str]:
    """Return three lines for every damaged file: its path, the damage, what to do.

    Parameters
    ----------
    verified : Verified
    at_lake : callable
        Adds the lake to the commands of a remedy.
    """
    return [line for f in verified.flaws for line in (f.path, f"  damage: {f.what}", f"  to do: {at_lake(f.remedy)}")]


def verification_line(verified: Verified) -> str:
    """Return in one line how much was checked, how much of it without a digest, and how much is damaged."""
    n_files = sum(kind.n_files for kind in verified.kinds)
    n_bytes = sum(kind.n_bytes for kind in verified.kinds)
    n_uncertain = sum(kind.n_uncertain for kind in verified.kinds)
    n_flaws = len(verified.flaws)
    return (
        f"{count(n_files, 'file')} ({n_bytes / 1e6:.1f} MB) checked, {n_uncertain} of them without a digest "
        f"(only read); " + (f"{n_flaws} damaged" if n_flaws else "none is damaged")
    )
