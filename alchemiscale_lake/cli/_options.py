"""Options that commands share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import click
from click.core import ParameterSource

from ..hints import with_lake

if TYPE_CHECKING:
    from ..store import Lake

__all__ = [
    "as_of_option",
    "at_this_lake",
    "commands_here",
    "duplicates_option",
    "group_lake_option",
    "group_scope_option",
    "is_given",
    "is_on_command_line",
    "lake_of_pools",
    "lake_option",
    "open_lake",
    "pool_options",
    "pools_option",
    "refuse_before_subcommand",
    "scope_option",
    "tasks_option",
    "temperature_option",
    "verbose_option",
]

F = TypeVar("F", bound=Callable[..., object])

_LAKE: Final = f"{__name__}.lake"
#: Beginning of every ScopedKey of a network.
_NETWORK: Final = "AlchemicalNetwork-"
_COMMAND: Final = "alchemiscale-lake "


def _inherit(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Return the value, or the one given before the subcommand: a group's options hold for its subcommands."""
    name = str(option.name)
    key = f"{__name__}.given.{name}"
    if is_on_command_line(ctx, name):
        ctx.meta[key] = value
    elif key in ctx.meta:
        ctx.set_parameter_source(name, ParameterSource.COMMANDLINE)
        return str(ctx.meta[key])
    return value


def _keep_lake(ctx: click.Context, option: click.Parameter, value: str) -> str:
    ctx.meta[_LAKE] = lake = str(_inherit(ctx, option, value))
    return lake


_lake_option = partial(
    click.option,
    "--lake",
    envvar="ALCHEMISCALE_LAKE",
    default="./lake",
    show_default="ALCHEMISCALE_LAKE, else ./lake",
    metavar="FOLDER|URL",
    callback=_keep_lake,
    help="Lake to use.",
)
_scope_option = partial(
    click.option,
    "--scope",
    default=None,
    metavar="ORG-CAMPAIGN-PROJECT",
    callback=_inherit,
    help="Scope; '*' is the wildcard where one is allowed.",
)

#: `lake: str`
lake_option = _lake_option()

#: Of a group: adds no parameter, its subcommands get the value.
group_lake_option = _lake_option(expose_value=False)

#: `scope: str | None`
scope_option = _scope_option()

#: Of a group: adds no parameter, its subcommands get the value.
group_scope_option = _scope_option(expose_value=False)

#: `tasks_per_transformation: int | None`
tasks_option = click.option(
    "--tasks-per-transformation",
    "-t",
    type=click.IntRange(min=0),
    default=None,
    metavar="N",
    help="Number of independent Tasks per Transformation, including existing ones.",
)

#: `temperature: float`
temperature_option = click.option(
    "--temperature",
    type=click.FloatRange(250.0, 400.0),
    default=298.15,
    show_default=True,
    metavar="KELVIN",
    help="Temperature of experimental Kd, Ki, IC50 and of pKi, pIC50, if the file does not state it.",
)

#: `as_of: str | None`, for `open_lake`
as_of_option = click.option(
    "--as-of",
    default=None,
    metavar="TIME|COMMIT|TABLE@VERSION",
    help="Answer as of a date or time, a commit of the task log, or with one table at one of its versions.",
)

#: `duplicates: str`
duplicates_option = click.option(
    "--duplicates",
    type=click.Choice(["refuse", "geomean"], case_sensitive=False),
    default="refuse",
    show_default=True,
    help="Several experimental values of one ligand: refuse them, or take their geometric mean, with their standard "
    "deviation as uncertainty.",
)

#: `pools_file: str | None`
pools_option = click.option(
    "--pools",
    "pools_file",
    type=click.Path(dir_okay=False),
    default=None,
    show_default="ALCHEMISCALE_LAKE_POOLS, else pools.yaml if there is one",
    metavar="FILE",
    callback=_inherit,
    help="Pools file.",
)


def open_lake(lake: str, as_of: str | None = None) -> Lake:
    """Open a lake, as it is or as it was.

    Parameters
    ----------
    lake : str
        Value of `--lake`.
    as_of : str, optional
        Value of `--as-of`.
    """
    from ..store import Lake

    opened = Lake.open(lake)
    return opened if as_of is None else opened.as_of(as_of)


def is_given(ctx: click.Context, option: str) -> bool:
    """Return whether the user gave an option, on the command line or in the environment.

    Parameters
    ----------
    ctx : click.Context
        Context of the command.
    option : str
        Name of the parameter, as in the function's signature.
    """
    return ctx.get_parameter_source(option) is not ParameterSource.DEFAULT


def is_on_command_line(ctx: click.Context, option: str) -> bool:
    """Return whether the user gave an option on the command line.

    Parameters
    ----------
    ctx : click.Context
        Context of the command.
    option : str
        Name of the parameter, as in the function's signature.
    """
    return ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE


def refuse_before_subcommand(ctx: click.Context, *inherited: str) -> None:
    """Refuse options of a group that were given before its subcommand, but for those that the subcommand inherits.

    Parameters
    ----------
    ctx : click.Context
        Context of the group.
    *inherited : str
        Names of parameters with `lake_option`, `scope_option` or `pools_option`.
    """
    refused = [
        option.opts[0]
        for option in ctx.command.params
        if option.name not in inherited and is_on_command_line(ctx, str(option.name))
    ]
    if refused:
        raise click.UsageError(f"put {' and '.join(refused)} after '{ctx.invoked_subcommand}'")


def at_this_lake(text: str) -> str:
    """Return a message with names of networks for their ScopedKeys, and with `--lake` in its commands where needed."""
    default = os.environ.get("ALCHEMISCALE_LAKE") or "./lake"
    ctx = click.get_current_context(silent=True)
    place = default if ctx is None else ctx.meta.get(_LAKE, default)
    return with_lake(_by_name(text, place), place, default)


def commands_here(lines: Iterable[str]) -> list[str]:
    """Return lines of a report; those that are commands get `--lake` where needed.

    Parameters
    ----------
    lines : iterable of str
        Others are returned as they are, since they may quote what a Task printed.
    """
    return [at_this_lake(line) if line.lstrip().startswith(_COMMAND) else line for line in lines]


def _by_name(text: str, place: str) -> str:
    if _NETWORK not in text:
        return text
    from ..query import NetworkNames
    from ..store import Lake

    # the message may be about the lake that cannot be read
    with contextlib.suppress(Exception):
        return NetworkNames.of(Lake.open(place)).in_message(text)
    return text


def lake_of_pools(ctx: click.Context, lake: str, pools_file: str | None) -> str:
    """Return the lake named in the pools file, unless --lake was given.

    Parameters
    ----------
    ctx : click.Context
        Context of the command.
    lake : str
        Value of `--lake`, or its default.
    pools_file : str or None
        Path of the pools file, None if there is none.
    """
    from ..pools_file import find_pools_file, load_pools

    if is_given(ctx, "lake"):
        return lake
    path = find_pools_file(pools_file)
    named = None if path is None else load_pools(path).lake
    ctx.meta[_LAKE] = found = named or lake
    return found


#: `verbose: bool`
verbose_option = click.option("--verbose", "-v", is_flag=True, help="Show the logs of Prefect and Dask.")


def pool_options(command: F) -> F:
    """Add `pools_file`, `workers`, `cores_per_task`, `timeout_s` and `unit_retries`."""
    options = (
        pools_option,
        click.option(
            "--workers",
            "-n",
            type=click.IntRange(min=1),
            default=None,
            show_default="as many as the cores allow",
            metavar="N",
            help="Number of Tasks run at a time, without a pools file.",
        ),
        click.option(
            "--cores-per-task",
            type=click.IntRange(min=1),
            default=None,
            show_default="1",
            metavar="N",
            help="Cores per Task, without a pools file.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0, min_open=True),
            default=None,
            show_default="the pool's, else none",
            metavar="SECONDS",
            help="Fail a Task attempt that runs longer than this.",
        ),
        click.option(
            "--unit-retries",
            type=click.IntRange(min=0),
            default=None,
            show_default="the pool's, else 1",
            metavar="N",
            help="Number of retries of a failed ProtocolUnit within an attempt.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
