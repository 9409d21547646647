"""`alchemiscale-lake files`: list, copy, measure and prune kept files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from ..amounts import rounded_bytes
from ..caller import Caller
from ..plurals import count
from ._bar import StepLine
from ._errors import LakeGroup, put_out, say
from ._options import group_lake_option, lake_option, scope_option
from ._show import output_options, show_table

__all__ = ["command"]

_pattern_option = click.option(
    "--pattern", default="*", show_default=True, metavar="GLOB", help="Only files whose path matches, as in '*.nc'."
)


def _duration(_: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from ..amounts import parse_seconds

    try:
        return None if value is None else float(parse_seconds(value))
    except ValueError as e:
        raise click.BadParameter(str(e), param=parameter) from e


@click.group("files", cls=LakeGroup)
@group_lake_option
def command() -> None:
    """List and copy the kept files of a Task, and delete those that are too old.

    TASK is a ScopedKey, the beginning of one, a name such as tyk2_a_b_complex-r0, or the id of an attempt.

    \b
    Examples:
      alchemiscale-lake files list tyk2_a_b_complex-r0
      alchemiscale-lake files get tyk2_a_b_complex-r0 --pattern '*.nc' -o kept
      alchemiscale-lake files prune --older-than 90d --pattern '*.nc'
    """


@command.command("list")
@click.argument("task")
@lake_option
@_pattern_option
@output_options
def list_command(task: str, lake: str, pattern: str, tsv: bool, output: str | None) -> None:
    """List the kept files of a Task, and those that were not kept or were deleted later, with the reason.

    \b
    Example:
      alchemiscale-lake files list tyk2_a_b_complex-r0
    """
    from ..report import Table
    from ..statestore.task_attempts import find_task
    from ..statestore.task_files import task_files
    from ..store import Lake

    opened = Lake.open(lake)
    found, attempt = find_task(opened, task)
    rows = task_files(opened, found, attempt=attempt, pattern=pattern)
    table = replace(Table.of(rows.select("path", "n_bytes", "kept_by", "reason", "attempt", "digest")), keep=("path",))
    show_table(table, tsv=tsv, output=output, empty=f"no files of {found} are kept")


@command.command("get")
@click.argument("task")
@lake_option
@_pattern_option
@click.option(
    "-o",
    "--output-dir",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files.",
)
@click.option(
    "--url", "url_for", default=None, metavar="DURATION", help="Print URLs instead, valid for this long, as in 1h."
)
def get_command(task: str, lake: str, pattern: str, output_dir: Path, url_for: str | None) -> None:
    """Copy the kept files of the newest attempt that has some.

    Paths within the attempt stay. A file appears when it is complete and its digest is right; an interrupted copy is
    continued, and a file that is there is not copied again. URLs are only available for a lake in a bucket.

    \b
    Example:
      alchemiscale-lake files get tyk2_a_b_complex-r0 --pattern '*.nc' -o kept
    """
    from ..amounts import parse_seconds
    from ..errors import NotFoundError
    from ..statestore.task_attempts import find_task
    from ..statestore.task_files import copy_file, task_files
    from ..store import Lake

    try:
        valid_s = None if url_for is None else float(parse_seconds(url_for))
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="--url") from e
    opened = Lake.open(lake)
    found, attempt = find_task(opened, task)
    rows = [row for row in task_files(opened, found, attempt=attempt, pattern=pattern).to_dicts() if row["object_path"]]
    if not rows:
        raise NotFoundError(f"no kept file of {found} matches {pattern}; `alchemiscale-lake files list {found}`")
    chosen = [row for row in rows if row["attempt"] == rows[0]["attempt"]]
    if valid_s is not None:
        put_out("\n".join(opened.objects.signed_url(row["object_path"], valid_s=valid_s) for row in chosen))
        return
    with click.progressbar(length=sum(row["n_bytes"] for row in chosen), file=sys.stderr) as bar:
        copied = [copy_file(opened, row, output_dir / row["path"], tell=bar.update) for row in chosen]
    say(f"copied {count(sum(copied), 'file')} to {output_dir}, {len(copied) - sum(copied)} were there")


@command.command("usage")
@lake_option
@scope_option
@click.option(
    "--by",
    type=click.Choice(["task", "network", "scope"], case_sensitive=False),
    default="network",
    show_default=True,
    help="One row for each of these.",
)
@click.option("--network", default=None, help="Only Tasks of this network (name or ScopedKey), with --by task.")
@output_options
def usage_command(lake: str, scope: str | None, by: str, network: str | None, tsv: bool, output: str | None) -> None:
    """Show how much space kept files and results take up, the largest first.

    Content that several files share is stored, and counts, once in each row; shared_bytes are those that other rows
    count too.

    \b
    Example:
      alchemiscale-lake files usage --by task --network tyk2
    """
    from ..query import find_network, require_scope
    from ..report.storage import storage_table
    from ..store import Lake

    if network is not None and by != "task":
        raise click.UsageError("--network needs --by task")
    opened = Lake.open(lake)
    require_scope(opened, scope)
    key = None if network is None else find_network(opened, network, scope=scope)
    show_table(storage_table(opened, by, scope=scope, network=key), tsv=tsv, output=output, empty="no results")


@command.command("prune")
@lake_option
@scope_option
@click.option(
    "--network", "networks", multiple=True, help="Only files of this network (name or ScopedKey); repeatable."
)
@_pattern_option
@click.option(
    "--older-than",
    default=None,
    metavar="DURATION",
    callback=_duration,
    help="Give up files of attempts that ended longer ago, as in 90d.",
)
@click.option("--yes", is_flag=True, help="Do it; without this, only print what would be done.")
@output_options
def prune_command(
    lake: str,
    scope: str | None,
    networks: tuple[str, ...],
    pattern: str,
    older_than: float | None,
    yes: bool,
    tsv: bool,
    output: str | None,
) -> None:
    """Give up old kept files, and delete content that no other file needs.

    Without --older-than, no file is given up: only content that attempts left without a result, more than 30 days ago,
    is deleted. Files of Tasks that unfinished Tasks extend are kept. Writers can continue meanwhile, and the command
    may be killed at any time.

    \b
    Examples:
      alchemiscale-lake files prune
      alchemiscale-lake files prune --older-than 90d --network tyk2 --pattern '*.nc' --yes
    """
    from ..query import find_network, require_scope
    from ..report import Table
    from ..statestore.file_pruning import Retention, prune_files
    from ..store import Lake

    if older_than is None and (networks or pattern != "*"):
        raise click.UsageError("--network and --pattern need --older-than")
    opened = Lake.open(lake)
    require_scope(opened, scope)
    retention = Retention(
        keep_s=older_than,
        scopes=() if scope is None else (scope,),
        networks=tuple(find_network(opened, network, scope=scope) for network in networks),
        pattern=pattern,
    )
    with StepLine() as step:
        done = prune_files(opened, retention, caller=Caller.this_user(), dry_run=not yes, tell=step)
    columns = ("path", "n_bytes", "ended_at", "task", "attempt")
    show_table(
        replace(Table.of(done.rows.select(columns)), keep=("path",)), tsv=tsv, output=output, empty="no old files"
    )
    would = "" if yes else "would be "
    say(f"{count(len(done.rows), 'file')} {would}given up, {rounded_bytes(int(done.rows['n_bytes'].sum()))}")
    say(f"{count(done.n_deleted, 'object')} {would}deleted, {rounded_bytes(done.deleted_bytes)}")
    if done.n_spared:
        say(f"{count(done.n_spared, 'old file')} kept, since unfinished Tasks extend theirs")
    if not yes and (len(done.rows) or done.n_deleted):
        say("nothing has been changed; the same command with --yes does it")
