"""Causes of failures: what is common to many, without what differs between them.

Two failures have one cause if they raised the same exception at the same place of the same unit, whatever its numbers,
addresses, paths, keys and times. Codes of errors are not numbers in this sense: `CUDA error 700` is not `CUDA error 2`.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

import polars as pl

__all__ = ["cause_of", "group_failures", "place_of"]

_PARTICULAR: Final = re.compile(
    r"""
    (?P<code>\b(?:error|errno|code|signal|status|exit|http)\b[\s:=#(\[]*-?\d{1,5}(?![.\d]*\d|[.]\d|e[+-]?\d))
    | \d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)? # times
    | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}                                    # UUIDs
    | 0x[0-9a-f]+ | [0-9a-f]{32,64}                                                  # addresses, keys
    | (?:[a-z0-9]+:/)?/[^\s'")\],;]+                                                 # paths, URLs
    | \d+(?:\.\d+)?(?:e[+-]?\d+)?
    """,
    re.IGNORECASE | re.VERBOSE,
)
_FRAME: Final = re.compile(r'^\s*File "([^"]+)", line \d+,? in (\S+)', re.MULTILINE)
#: Heading of the stack that Python prints when a signal ends it: innermost first.
_INNERMOST_FIRST: Final = "most recent call first"


def cause_of(exception: str) -> str:
    """Return an exception with `#` for whatever differs between failures of one cause.

    Examples
    --------
    >>> cause_of("NaN at step 1200 of /scratch/ab/traj.nc"), cause_of("CUDA error 700 at 0x7f01")
    ('NaN at step # of #', 'CUDA error 700 at #')
    """
    return _PARTICULAR.sub(lambda found: found["code"] or "#", exception)


def place_of(traceback: str | None) -> str | None:
    """Return the file and function that raised; None if the traceback does not say.

    Examples
    --------
    >>> place_of('  File "/a/b.py", line 3, in run')
    'b.py, in run'
    """
    text = traceback or ""
    before, heading, after = text.rpartition(_INNERMOST_FIRST)
    frames = _FRAME.findall(after if heading else before or text)
    if not frames:
        return None
    file, function = frames[0] if heading else frames[-1]
    return f"{PurePath(file).name}, in {function}"


def group_failures(failures: pl.DataFrame) -> pl.DataFrame:
    """Group the result of the named query `failures` by cause, most Tasks first.

    Returns
    -------
    polars.DataFrame
        One row per cause: the columns of its newest failure, and `cause`, `place`, `n` (attempts), `tasks`,
        `n_transformations`, `hosts` (list of host and number of attempts, most first), `first_ended_at`,
        `last_ended_at`.
    """
    keyed = failures.with_columns(
        cause=_mapped(failures["exception"], cause_of),
        place=_mapped(failures["traceback"], place_of),
        unit_kind=pl.col("unit").fill_null("").str.replace_all(r"\d+", "#"),
    )
    hosts = pl.col("hostname").value_counts(sort=True) if "hostname" in keyed.columns else pl.lit(None)
    newest = pl.all().exclude("cause", "place", "unit_kind").sort_by("ended_at").last()
    if failures.is_empty():
        keyed = keyed.with_columns(pl.col("cause", "place").cast(pl.String))
    grouped = keyed.group_by("cause", "place", "unit_kind").agg(
        newest,
        n=pl.len(),
        tasks=pl.col("task").n_unique(),
        n_transformations=pl.col("transformation").n_unique(),
        n_texts=pl.col("exception").n_unique(),
        hosts=hosts,
        first_ended_at=pl.col("ended_at").min(),
        last_ended_at=pl.col("ended_at").max(),
    )
    # what is the same in all is shown as it is
    same = pl.when(pl.col("n_texts") == 1).then("exception").otherwise("cause")
    return grouped.with_columns(cause=same).sort("tasks", "n", "last_ended_at", "cause", descending=True)


def _mapped(texts: pl.Series, change: object) -> pl.Series:
    """Map every distinct text once: most failures of a campaign have few."""
    assert callable(change)
    known = {text: change(text) for text in texts.unique().to_list() if text is not None}
    return pl.Series([known.get(text) for text in texts.to_list()], dtype=pl.String)
