"""`alchemiscale-lake hosts`: reliability and quarantine of hosts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..caller import Caller
from ..plurals import count
from ._errors import LakeGroup, say
from ._options import lake_option, pools_option, refuse_before_subcommand
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..settings import QuarantineRules

__all__ = ["command"]


@click.group("hosts", cls=LakeGroup, invoke_without_command=True)
@lake_option
@pools_option
@output_options
@click.pass_context
def command(ctx: click.Context, lake: str, pools_file: str | None, tsv: bool, output: str | None) -> None:
    """Show the reliability of hosts, and which are quarantined.

    A host with fast consecutive failures is quarantined for a while, by the rules under `hosts` in the pools
    file. Results of the last two weeks are counted. A host that lacks a resource, such as disk space, pauses
    itself until it is available; the reason column shows it.

    \b
    Examples:
      alchemiscale-lake hosts
      alchemiscale-lake hosts quarantine node17 --for 24h --reason "a broken fan"
      alchemiscale-lake hosts readmit node17
    """
    if ctx.invoked_subcommand is None:
        _list(lake, pools_file, tsv, output)
    else:
        refuse_before_subcommand(ctx, "lake", "pools_file")


@command.command("list")
@lake_option
@pools_option
@output_options
def list_command(lake: str, pools_file: str | None, tsv: bool, output: str | None) -> None:
    """List hosts, quarantined ones first.

    \b
    Example:
      alchemiscale-lake hosts list
    """
    _list(lake, pools_file, tsv, output)


@command.command("quarantine")
@click.argument("hostnames", nargs=-1, required=True, metavar="HOST...")
@click.option("--for", "duration", required=True, metavar="TIME", help="Duration, as in 90m, 24h or 7d.")
@click.option("--unseen", is_flag=True, help="Accept hosts on which no Task has run yet.")
@click.option("--reason", default=None, help="Reason; kept in the log.")
@lake_option
def quarantine_command(hostnames: tuple[str, ...], duration: str, unseen: bool, reason: str | None, lake: str) -> None:
    """Quarantine hosts: they get no new Tasks for a while. Running Tasks continue.

    A name that the lake does not know is refused, as it may be misspelt, unless --unseen is given.

    \b
    Example:
      alchemiscale-lake hosts quarantine node17 node18 --for 7d --reason "to be repaired"
    """
    from ..statestore.host_records import quarantine_host, require_known_host
    from ..store import Lake, now_utc

    until = now_utc() + timedelta(seconds=_seconds(duration))
    opened = Lake.open(lake)
    for hostname in () if unseen else hostnames:  # all of them, before anything changes
        require_known_host(opened, hostname, otherwise=" (--unseen accepts hosts on which no Task has run yet)")
    for hostname in hostnames:
        quarantine_host(opened, hostname, until, caller=Caller.this_user(), reason=reason)
        say(f"{hostname} is quarantined until {until:%Y-%m-%d %H:%M} UTC")


@command.command("readmit")
@click.argument("hostnames", nargs=-1, required=True, metavar="HOST...")
@click.option("--reason", default=None, help="Reason; kept in the log.")
@lake_option
def readmit_command(hostnames: tuple[str, ...], reason: str | None, lake: str) -> None:
    """End the quarantine of hosts and ignore their earlier failures.

    \b
    Example:
      alchemiscale-lake hosts readmit node17
    """
    from ..statestore.host_records import readmit_host, require_known_host
    from ..store import Lake

    opened = Lake.open(lake)
    for hostname in hostnames:  # all of them, before anything changes
        require_known_host(opened, hostname)
    for hostname in hostnames:
        readmit_host(opened, hostname, caller=Caller.this_user(), reason=reason)
        say(f"{hostname} is no longer quarantined; its earlier failures are ignored")


def _list(lake: str, pools_file: str | None, tsv: bool, output: str | None) -> None:
    from ..report.hosts import hosts_table
    from ..statestore.host_records import host_records, paused_hosts
    from ..store import Lake, now_utc

    opened, rules = Lake.open(lake), _rules(pools_file)
    table = hosts_table(opened, host_records(opened, rules), rules, now_utc(), paused_hosts(opened))
    show_table(table, tsv=tsv, output=output, counted=count(len(table.rows), "host"))


def _rules(pools_file: str | None) -> QuarantineRules:
    """Return the rules of the pools file; the defaults without one."""
    from ..pools_file import find_pools_file, load_pools
    from ..settings import QuarantineRules

    found = find_pools_file(pools_file)
    return QuarantineRules() if found is None else load_pools(found).hosts


def _seconds(duration: str) -> float:
    from ..amounts import parse_seconds

    try:
        seconds = float(parse_seconds(duration))
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="--for") from e
    if not 0 < seconds < 1e9:
        raise click.BadParameter(f"{duration!r} is not a positive duration below 30 years", param_hint="--for")
    return seconds
