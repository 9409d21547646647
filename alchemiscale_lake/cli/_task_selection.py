"""Selection of Tasks on the command line: by ScopedKey or name, from standard input, or by filters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..caller import Caller
from ._options import lake_option, scope_option

if TYPE_CHECKING:
    import polars as pl

    from ..store import Lake

__all__ = ["chosen_tasks", "retry_options", "select_tasks", "selection_options"]

F = TypeVar("F", bound=Callable[..., object])

_STATUSES = ("waiting", "running", "complete", "error", "invalid", "deleted")


_status_option = click.option(
    "--status", type=click.Choice(_STATUSES), multiple=True, help="Only Tasks with this status."
)
_OPTIONS = (
    lake_option,
    scope_option,
    click.option("--network", default=None, help="Only Tasks of this network (name, ScopedKey or a prefix of it)."),
    _status_option,
    click.option("--transformation", default=None, help="Only Tasks of this Transformation (name or ScopedKey)."),
)


def selection_options(command: F) -> F:
    """Add `lake`, `scope`, `network`, `status` and `transformation`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def retry_options(command: F) -> F:
    """Add `lake`, `scope`, `network` and `transformation`."""
    for option in reversed([option for option in _OPTIONS if option is not _status_option]):
        command = option(command)
    return command


def select_tasks(
    lake: Lake, *, scope: str | None, network: str | None, status: Sequence[str], transformation: str | None
) -> pl.DataFrame:
    """Return the matching Tasks, sorted by Transformation and repeat.

    Parameters
    ----------
    lake : Lake
    scope : str or None
        Only Tasks of this Scope (wildcards allowed).
    network : str or None
        Only Tasks of this network, by name, ScopedKey or a prefix of it.
    status : sequence of str
        Only Tasks with one of these; empty for all.
    transformation : str or None
        Only Tasks of this Transformation, by name or ScopedKey.
    """
    import polars as pl

    from ..query import ask, connect_for, find_network, require_scope
    from ..statestore.task_names import repeat_numbers
    from ..statestore.task_operations import network_transformations
    from ..statestore.transformation_names import find_transformations

    require_scope(lake, scope)
    connection = connect_for(lake, "task_states", "transformations")
    rows = ask(connection, "task_states", scope=scope)
    names = connection.sql("select transformation, name as transformation_name from transformations").pl()
    rows = rows.join(repeat_numbers(lake).drop("transformation"), on="task", how="left")
    if status:
        rows = rows.filter(pl.col("status").is_in(status))
    if network is not None:
        members = network_transformations(lake, find_network(lake, network, scope=scope))
        rows = rows.filter(pl.col("transformation").is_in(members))
    rows = rows.join(names, on="transformation", how="left")
    if transformation is not None:
        rows = rows.filter(pl.col("transformation").is_in(find_transformations(lake, transformation, scope=scope)))
    return rows.sort("scope", "transformation_name", "transformation", "repeat", "task")


def chosen_tasks(
    tasks: Sequence[str], selection: dict[str, Any], *, needs_network: bool = False
) -> tuple[Lake, Caller, str, list[str]]:
    """Return lake, user, network (or '') and the Tasks that were named, piped in or selected.

    Parameters
    ----------
    tasks : sequence of str
        ScopedKeys or names; `-` for standard input; empty if they are selected.
    selection : dict
        Values of `selection_options`; its `lake` is removed.
    needs_network : bool, default False
        Whether the network must be found.
    """
    from ..query import find_network
    from ..store import Lake

    lake = Lake.open(selection.pop("lake"))
    network = ""
    if needs_network:
        network = find_network(lake, selection["network"], scope=selection["scope"])
    if "-" in tasks:
        lines = sys.stdin.read().splitlines()
        first_column = (line.split("\t")[0].strip() for line in lines)
        tasks = [word for word in first_column if word not in ("", "task")]  # skip the header of a piped table
    elif not tasks:
        if not any(selection.values()):
            raise click.UsageError("give Tasks, or select them with --network, --status, --transformation or --scope")
        tasks = select_tasks(lake, **selection)["task"].to_list()
    else:
        tasks = _found(lake, tasks)
    return lake, Caller.this_user(), network, list(dict.fromkeys(tasks))


def _found(lake: Lake, words: Sequence[str]) -> list[str]:
    """Return the ScopedKeys of Tasks named on the command line; a misspelt one is an error before anything changes."""
    from ..statestore.task_attempts import find_task

    known = lake.task_log.states().of(words)
    return [word if word in known else find_task(lake, word)[0] for word in words]
