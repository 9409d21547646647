"""`alchemiscale-lake init`: create an empty lake."""

from __future__ import annotations

import click

from ._errors import put_out, say
from ._options import lake_option

__all__ = ["command"]


@click.command("init")
@lake_option
def command(lake: str) -> None:
    """Create an empty lake, and print its URL.

    `submit` and `run` also create a lake if needed, so this is only needed to choose its location beforehand.

    \b
    Example:
      alchemiscale-lake init --lake s3://bucket/prefix
    """
    from ..store import Lake

    made = Lake.create(lake)
    put_out(made.url)
    say("next: alchemiscale-lake submit NETWORK --scope org-campaign-project")
