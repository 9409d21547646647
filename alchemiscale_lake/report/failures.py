"""Causes of failures, as a table and as sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from ..plurals import count
from .table import Table

__all__ = ["causes_table", "failure_lines", "failures_table"]

#: Hosts that a sentence names.
_HOSTS: Final = 2
#: Lines of an exception that a sentence shows.
_EXCEPTION_LINES: Final = 3


def failures_table(causes: pl.DataFrame) -> Table:
    """Build a table of causes as `query.group_failures` returns them, with counts and Transformations."""
    others = pl.col("n_transformations") - 1
    where = pl.when(others > 0).then(pl.format("{} and {} more", "transformation_name", others))
    shown = causes.with_columns(transformations=where.otherwise(pl.col("transformation_name")))
    return Table.of(shown.select("n", "tasks", "exception", "unit", "transformations", "last_ended_at"))


def causes_table(causes: pl.DataFrame) -> Table:
    """Build a table of causes with everything that `failure_lines` says, for a file or a pipe."""
    hosts = [_hosts(row) for row in causes["hosts"].to_list()]
    shown = causes.with_columns(hosts=pl.Series(hosts, dtype=pl.String))
    columns = ("tasks", "n", "cause", "unit", "place", "hosts", "n_transformations", "first_ended_at", "last_ended_at")
    return Table.of(shown.select(*columns, "task", "attempt"))


def failure_lines(cause: Mapping[str, Any], width: int) -> list[str]:
    """Describe one cause: how many Tasks, where, since when, and the newest of them.

    Parameters
    ----------
    cause : mapping
        One row of `query.group_failures`.
    width : int
        Columns of the terminal.
    """
    head = f"{count(cause['tasks'], 'Task')}: {_flat(cause['cause'])}, {_hosts_in_words(cause)}"
    lines = textwrap.wrap(head, width, subsequent_indent="  ", max_lines=_EXCEPTION_LINES, placeholder=" ...")
    where = [f"unit {cause['unit']}" if cause["unit"] else "outside of any unit"]
    if cause["place"]:
        where.append(cause["place"])
    where.append(_transformations(cause))
    if cause["n"] > cause["tasks"]:
        where.append(count(cause["n"], "attempt"))
    first, last = cause["first_ended_at"], cause["last_ended_at"]
    began, ended = f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"
    since = ended if began == ended else f"{began} to {ended}"
    lines += textwrap.wrap("; ".join([*where, since]), width, initial_indent="  ", subsequent_indent="  ")
    return [*lines, f"  alchemiscale-lake logs {cause['attempt']}"]


def _transformations(cause: Mapping[str, Any]) -> str:
    others, name = cause["n_transformations"] - 1, cause["transformation_name"] or cause["transformation"]
    return f"{name} and {others} more" if others else str(name)


def _flat(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())


def _hosts_in_words(cause: Mapping[str, Any]) -> str:
    known = [host for host in cause["hosts"] or [] if host["hostname"] is not None]
    if not known:
        return "on an unknown host"
    if len(known) == 1 and known[0]["count"] == cause["n"]:
        return f"{'all ' if cause['tasks'] > 1 else ''}on {known[0]['hostname']}"
    named = [f"{host['hostname']} ({host['count']} of {cause['n']})" for host in known[:_HOSTS]]
    more = len(known) - _HOSTS
    return f"on {', '.join(named)}" + (f" and {count(more, 'more host')}" if more > 0 else "")


def _hosts(hosts: Sequence[Mapping[str, Any]] | None) -> str:
    return ", ".join(f"{host['hostname'] or 'unknown'} ({host['count']})" for host in hosts or [])
