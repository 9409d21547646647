"""`alchemiscale-lake up`: a local Prefect server that serves the deployments."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from . import _launch
from ._errors import say
from ._options import lake_option, verbose_option

__all__ = ["command"]


@click.command("up")
@lake_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=4200,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@verbose_option
def command(lake: str, host: str, port: int, verbose: bool) -> None:
    """Serve the Prefect UI and the deployments of a lake, and print the UI's address.

    Runs until Ctrl-C. Meanwhile, other commands on this lake report their runs to the same UI. Flow runs
    started from the UI run on this machine; they end with this command, and their Tasks are released.
    Anyone who logs in to the UI can run code as you: the login is in a file that only you can read, and is
    shown on a terminal. With PREFECT_API_URL set, the deployments are served to that server instead.

    \b
    Example:
      alchemiscale-lake up --port 4200
    """
    _launch.require_port(host, port)  # before the lake is created: bad input must not leave an empty lake behind
    place = _launch.open_lake(lake, say)

    def ready(ui_url: str, login: Path | None) -> None:
        click.echo(ui_url)
        say("the Prefect UI is at this address and the deployments are served; Ctrl-C stops both")
        if login is not None:
            say(_how_to_log_in(login))

    say("starting a Prefect server (a few seconds)")
    _launch.up(place, host=host, port=port, verbose=verbose, say=say, ready=ready)


def _how_to_log_in(login: Path) -> str:
    if not sys.stderr.isatty():  # others may read a log
        return f"log in with the line in {login}"
    return f"log in with {login.read_text().strip()} (stored in {login}, readable only by you)"
