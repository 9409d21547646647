"""From an error to one clear line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ..errors import LakeError

__all__ = ["INTERRUPTED", "LakeGroup", "say"]

#: Exit code of a command that Ctrl-C ended.
INTERRUPTED = 130
_DEBUG = "ALCHEMISCALE_LAKE_DEBUG"


def say(text: str, **style: Any) -> None:
    """Tell the user something, on stderr."""
    click.secho(text, err=True, **style)


class LakeGroup(click.Group):
    """A group whose commands may raise `LakeError` and be interrupted."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program. After a flow, leave without Python's last rites."""
        try:
            return self.main(*args, **kwargs)
        except SystemExit as e:
            if "prefect" not in sys.modules or not isinstance(e.code, int):
                raise
            # all of ours is closed by now; what is left are background threads of Prefect's, which keep
            # objects alive that duckdb then prints pages about
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(e.code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours becomes one line, unless ALCHEMISCALE_LAKE_DEBUG is set."""
        try:
            return super().invoke(ctx)
        except LakeError as e:
            if os.environ.get(_DEBUG):
                raise
            say(f"Error: {e}", fg="red")
            ctx.exit(1)
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # the reader of our output has gone, as `head` does; Python must not complain at exit either
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
