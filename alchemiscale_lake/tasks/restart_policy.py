"""Restart policies: what happens to a Task in error on a network that has restart patterns.

The rules are those of alchemiscale. All patterns of the network are searched for in the tracebacks of the Task's
latest failed result. Each match is counted for the Task; if a count exceeds what its pattern allows, or if nothing
matches, the Task is cancelled on the network. A network without patterns neither restarts nor cancels.
`statestore.restarts` collects the inputs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import polars as pl

from ..errors import SettingsError

__all__ = ["SEARCHED_CHARACTERS", "RestartPattern", "Verdict", "check_patterns", "judge"]

#: Length of the end of each traceback that is searched; the error is at the end.
SEARCHED_CHARACTERS: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class RestartPattern:
    """A restart pattern of a network.

    Parameters
    ----------
    max_retries : int
        Restarts allowed per Task.
    seq : int
        Commit of the network log that added it; restarts are counted from there.
    """

    max_retries: int
    seq: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One action on a Task on one network.

    Parameters
    ----------
    kind : {"restarted", "cancelled"}
    pattern : str or None
        Pattern that decided; None if none matched.
    reason : str
        Human-readable reason.
    """

    kind: Literal["restarted", "cancelled"]
    pattern: str | None
    reason: str


def check_patterns(patterns: Collection[str], max_retries: int | None = None) -> None:
    """Reject what can never be a restart pattern.

    Parameters
    ----------
    patterns : collection of str
        Regular expressions, searched in tracebacks.
    max_retries : int, optional
        Allowed restarts per Task; None is not checked.

    Raises
    ------
    SettingsError
        If a pattern is empty or not a regular expression, or the number of restarts is below 1.
    """
    if max_retries is not None and max_retries < 1:
        raise SettingsError(
            f"a pattern allows at least 1 restart, not {max_retries}; for none, remove the pattern",
            value=max_retries,
        )
    for pattern in patterns:
        if not pattern:
            raise SettingsError("a restart pattern must not be empty; `.` matches every failure", value=pattern)
        try:
            _compiled(pattern)
        except re.error as e:
            raise SettingsError(
                f"{pattern!r} is not a regular expression: {e}; write \\ before literal special characters",
                value=pattern,
            ) from e


def judge(
    patterns: Mapping[str, RestartPattern], restarts: Mapping[str, int], tracebacks: Sequence[str]
) -> list[Verdict]:
    """Decide about one Task in error on one network where it is actioned.

    Parameters
    ----------
    patterns : mapping
        Patterns of the network.
    restarts : mapping
        How often each pattern has restarted the Task since it was actioned; 0 if missing.
    tracebacks : sequence of str
        Tracebacks of the Task's latest failed result.

    Returns
    -------
    list of Verdict
        One "restarted" per matching pattern, or a single "cancelled"; empty without patterns.
    """
    if not patterns:
        return []
    found = sorted(pattern for pattern in patterns if _is_found(pattern, tracebacks))
    if not found:
        what = "no restart pattern matched" if tracebacks else "the failure left no traceback to match"
        return [Verdict("cancelled", None, what)]
    used_up = [pattern for pattern in found if restarts.get(pattern, 0) + 1 > patterns[pattern].max_retries]
    if used_up:
        allowed = patterns[used_up[0]].max_retries
        return [Verdict("cancelled", used_up[0], f"pattern {used_up[0]!r} matched: {_used_up(allowed)}")]
    return [
        Verdict(
            "restarted",
            pattern,
            f"pattern {pattern!r} matched: restart {restarts.get(pattern, 0) + 1} of {patterns[pattern].max_retries}",
        )
        for pattern in found
    ]


def _is_found(pattern: str, tracebacks: Sequence[str]) -> bool:
    """Search in linear time; only patterns with look-around or back-references may take longer."""
    # strip one final newline, since Python's `$` matches before it and Rust's does not
    ends = [text[-SEARCHED_CHARACTERS:].removesuffix("\n") for text in tracebacks]
    try:
        return bool(pl.Series(ends, dtype=pl.String).str.contains(pattern).any())
    except pl.exceptions.ComputeError:
        compiled = _compiled(pattern)
        return any(compiled.search(text) for text in ends)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _used_up(n: int) -> str:
    return "its 1 restart is used up" if n == 1 else f"its {n} restarts are used up"
