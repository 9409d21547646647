"""`alchemiscale-lake pools`: show and check the pools of `pools.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..plurals import count
from ._errors import LakeGroup, put_out, say
from ._show import is_for_people, output_options, show_table

if TYPE_CHECKING:
    from ..pools_file import PoolsFile

__all__ = ["command"]

_file_argument = click.argument("file", required=False, metavar="[FILE]")
#: Placeholder for the command that the dispatcher puts into a job script.
_JOB_COMMAND = "python -m alchemiscale_lake.execution --lake LAKE --assignment ID"


@click.group("pools", cls=LakeGroup)
def command() -> None:
    """Show and check the pools of a pools file.

    The default of FILE is ALCHEMISCALE_LAKE_POOLS, else ./pools.yaml.

    \b
    Examples:
      alchemiscale-lake pools check pools.yaml
      alchemiscale-lake pools list
    """


@command.command("list")
@_file_argument
@output_options
def list_command(file: str | None, tsv: bool, output: str | None) -> None:
    """List pools in order of preference; on a terminal, side by side.

    \b
    Example:
      alchemiscale-lake pools list
    """
    from ..report.pools import pools_sheet, pools_table

    read = _read(file)
    table = pools_sheet(read.pools) if is_for_people(tsv, output) else pools_table(read.pools)
    show_table(table, tsv=tsv, output=output, counted=count(len(read.pools.pools), "pool"))


@command.command("check")
@_file_argument
def check_command(file: str | None) -> None:
    """Check a pools file, and describe each pool.

    All mistakes are printed with their line numbers, with exit code 1. Otherwise each pool is described in one
    sentence, with the directives of its jobs; settings that are valid but probably unintended are printed on
    stderr as warnings. Nothing is submitted.

    \b
    Example:
      alchemiscale-lake pools check pools.yaml
    """
    from ..engines.registry import engine_of
    from ..errors import MissingDependencyError, SettingsError
    from ..report.pools import pool_sentence
    from ..tasks.pool_doubts import doubts

    read = _read(file)
    missing = set()
    for name, pool in read.pools.pools.items():
        put_out(pool_sentence(name, pool))
        engine = engine_of(pool.kind)
        try:
            lines = [] if engine.job_script is None else _directives(engine.job_script(name, pool, _JOB_COMMAND))
        except MissingDependencyError:
            missing.add(engine.requirement)
        except SettingsError as e:
            raise SettingsError(f"{read.where('pools', name)}: {e}", **e.facts) from e
        else:
            put_out("".join(f"    {line}\n" for line in lines), nl=False)
    for requirement in sorted(missing):
        say(f"the directives of jobs are not shown here; to see them, install {requirement}")
    for doubt in doubts(read.pools):
        say(f"Warning: {read.where(*doubt.key)}: {doubt.text}", fg="yellow")
    say(f"{read.path} has {count(len(read.pools.pools), 'pool')} and no mistakes")


def _read(file: str | None) -> PoolsFile:
    from ..errors import SettingsError
    from ..pools_file import POOLS_VARIABLE, find_pools_file, read_pools_file

    found = find_pools_file(file)
    if found is None:
        raise SettingsError(
            f"there is no ./pools.yaml, and {POOLS_VARIABLE} is not set; name a file, or copy one of "
            "deployments/pools/ to ./pools.yaml"
        )
    return read_pools_file(found)


def _directives(script: str) -> list[str]:
    """Return the directive lines of a job script, or the whole script for a queue without directives."""
    headers = [line for line in script.splitlines() if line.startswith("#") and not line.startswith("#!")]
    return headers or [line for line in script.splitlines() if line.strip()]
