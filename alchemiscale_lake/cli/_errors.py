"""Turn an error into one clear line and an exit code.

A `LakeError` is printed as it is. Any other exception becomes one line too: the command, the type and first line of
the exception, and the file with the full traceback.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from ..errors import LakeError
from ..printable import printable
from ._options import at_this_lake

__all__ = ["INTERRUPTED", "LakeGroup", "put_out", "say"]

#: Exit code of a command that Ctrl-C ended.
INTERRUPTED = 130
_DEBUG = "ALCHEMISCALE_LAKE_DEBUG"
_LONGEST: Final = 300
#: Characters of the summary of a subcommand.
_NO_LIMIT: Final = 10_000


def say(text: str, **style: Any) -> None:
    """Print a message on stderr; commands in it get the lake in use. Terminal control sequences are escaped.

    Parameters
    ----------
    text : str
        Message, which may contain colours of click.
    **style : object
        Arguments of `click.style`.
    """
    click.secho(printable(at_this_lake(text)), err=True, **style)


def put_out(text: str, *, nl: bool = True, **style: Any) -> None:
    """Write to stdout. Terminal control sequences are escaped.

    Parameters
    ----------
    text : str
        Output, which may contain colours of click.
    nl : bool, default True
        End with a newline.
    **style : object
        Arguments of `click.style`.
    """
    click.secho(printable(text), nl=nl, **style)


class LakeGroup(click.Group):
    """A group whose commands may raise `LakeError` and be interrupted."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program. After a flow, exit without Python's interpreter shutdown."""
        try:
            return self.main(*args, **kwargs)
        except SystemExit as e:
            if "prefect" not in sys.modules or not isinstance(e.code, int):
                raise
            # everything of ours is closed; Prefect's background threads keep objects alive, about which duckdb
            # prints pages of errors at shutdown
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(e.code)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first sentence of each subcommand's help, wrapped; click would cut it at one line.

        Parameters
        ----------
        ctx : click.Context
        formatter : click.HelpFormatter
        """
        commands = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        rows = [(c.name or "", c.get_short_help_str(_NO_LIMIT)) for c in commands if c is not None and not c.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print an error as one line unless ALCHEMISCALE_LAKE_DEBUG is set."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit, GeneratorExit):
            raise
        except LakeError as e:
            if os.environ.get(_DEBUG):
                raise
            say(f"Error: {e}", fg="red")
            ctx.exit(1)
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # the reader closed the pipe, as `head` does; Python must not complain at exit either
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except BaseException as e:  # a panic of Rust code is not an Exception
            if os.environ.get(_DEBUG):
                raise
            click.secho(printable(_unforeseen(e, _doing(ctx))), err=True, fg="red")
            ctx.exit(1)


def _doing(ctx: click.Context) -> str:
    """Return the command name without its arguments, which may be secret."""
    called = ctx.invoked_subcommand
    return f"{ctx.command_path} {called}" if called else ctx.command_path


def _unforeseen(error: BaseException, doing: str) -> str:
    """Describe an unexpected error in one line, and save its traceback to a file."""
    from ..store.storage_errors import scrub

    kind = type(error)
    name = kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__name__}"
    first = next((line.strip() for line in _text(error).splitlines() if line.strip()), "no message")
    line = "".join(c if c.isprintable() else " " for c in scrub(first))
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
    kept = _keep(scrub(_traceback(error)))
    where = f"the traceback is in {kept}" if kept else f"set {_DEBUG}=1 to see the traceback"
    return f"Error: `{doing}` failed unexpectedly: {name}: {line}; {where}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # __str__ of a third-party exception may itself fail
        return ""


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return f"{type(error).__name__}: its traceback could not be formatted\n"


def _keep(text: str) -> Path | None:
    """Write a file readable by this user only, in the XDG state folder, else in the temporary folder."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    state = os.environ.get("XDG_STATE_HOME")
    with contextlib.suppress(OSError, RuntimeError):
        folder = (Path(state) if state else Path.home() / ".local/state") / "alchemiscale-lake" / "errors"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write(text, folder, stamp)
    with contextlib.suppress(OSError):
        return _write(text, Path(tempfile.gettempdir()), f"alchemiscale-lake-{stamp}")
    return None


def _write(text: str, folder: Path, stem: str) -> Path:
    # mkstemp creates with mode 0600
    handle, name = tempfile.mkstemp(prefix=f"{stem}-", suffix=".log", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(name)
