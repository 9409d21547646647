"""Paths of files that commands read and write, checked before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from ..suggestions import did_you_mean_file

__all__ = ["ExistingFile", "PlotFile", "TargetFile"]

_PLOTS: Final = (".png", ".pdf", ".svg")


class ExistingFile(click.Path):
    """A file to read, or a folder; a misspelt one is refused with the similar file of its folder."""

    def __init__(self, *, dir_okay: bool = False) -> None:
        super().__init__(exists=True, dir_okay=dir_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path.

        Parameters
        ----------
        value : object
            As given on the command line.
        param : click.Parameter, optional
        ctx : click.Context, optional
            For the message of a mistake.
        """
        if not Path(value).exists():
            self.fail(f"there is no file {str(value)!r}{did_you_mean_file(value)}", param, ctx)
        return str(super().convert(value, param, ctx))


class TargetFile(click.Path):
    """A file to write, in a folder that exists."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(dir_okay=False, allow_dash=allow_dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path.

        Parameters
        ----------
        value : object
            As given on the command line.
        param : click.Parameter, optional
        ctx : click.Context, optional
            For the message of a mistake.
        """
        path = str(super().convert(value, param, ctx))
        folder = Path(path).parent
        if path != "-" and not folder.is_dir():
            self.fail(f"there is no folder {folder}; create it first", param, ctx)
        return path


class PlotFile(TargetFile):
    """A plot to write, in a format that matplotlib writes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path.

        Parameters
        ----------
        value : object
            As given on the command line.
        param : click.Parameter, optional
        ctx : click.Context, optional
            For the message of a mistake.
        """
        path = super().convert(value, param, ctx)
        if Path(path).suffix.lower() not in _PLOTS:
            self.fail(f"{path} does not end in {', '.join(_PLOTS[:-1])} or {_PLOTS[-1]}", param, ctx)
        return path
