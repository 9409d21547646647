"""Names that command terminals, browsers or Markdown are shown as plain text wherever they appear."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from alchemiscale_lake.cli import main
from alchemiscale_lake.cli._errors import put_out, say
from alchemiscale_lake.printable import one_line, printable
from alchemiscale_lake.report import Table, lay_out
from alchemiscale_lake.store import Lake

NASTY = [
    "\x1b[2J\x1b[31mgone",
    "\x1b]0;title\x07",
    "a\rb\x08c",
    "\x9b31m",
    "abc\u202egpj.exe",
    "\u2066hidden\u2069",
    "two\nlines\tand\u2028more",
    "\ud800half",
    "[red]not red[/red]",
    "[/]",
]


def _is_safe(text: str) -> bool:
    """Return whether it has no control characters, directional marks or lone surrogates."""
    bad = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u2028\u2029\u061c\u200e\u200f"}
    bad |= {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), *map(chr, range(0xD800, 0xE000))}
    return not bad & set(text)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_is_left_that_commands(text: str) -> None:
    assert _is_safe(one_line(text))
    assert _is_safe(printable(text).replace("\n", "").replace("\t", ""))
    assert printable(text).count("\n") == text.count("\n")


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert printable(text) == one_line(text) == text


@pytest.mark.parametrize("name", NASTY)
def test_a_table_is_safe_and_tsv_has_one_line_per_row(name: str) -> None:
    table = Table((name, "n"), [(name, 1), ([name], 2), ({"k": name}, 3)], title=name)

    text = table.tsv()
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=200)
    console.print(lay_out(table, 200).rich())
    shown = console.file.getvalue()  # type: ignore[attr-defined]

    assert text.count("\n") == 4
    assert _is_safe(text.replace("\n", "").replace("\t", ""))
    assert _is_safe(shown.replace("\n", ""))
    if name.startswith("["):
        assert shown.count(name) >= 2


@pytest.mark.parametrize("name", NASTY)
def test_output_of_commands_is_safe(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"network {name}", fg="red")
    put_out(f"network {name}")

    said = capsys.readouterr()
    assert _is_safe(said.out.replace("\n", "").replace("\t", ""))
    assert _is_safe(said.err.replace("\n", "").replace("\t", ""))


def test_a_command_shows_foreign_text_safely(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    sql = "select chr(27) || '[2J' || chr(10) || 'x' as \"\x1b[31m\""

    asked = CliRunner().invoke(main, ["query", "--lake", str(lake.local_path), sql])
    refused = CliRunner().invoke(main, ["submit", str(tmp_path / "\x1b[2J.json"), "--scope", "a-b-c"])

    assert asked.stdout == '"\\u001b[31m"\n"\\u001b[2J\\nx"\n'
    assert refused.exit_code != 0
    assert "\x1b" not in refused.stderr


def test_what_is_logged_on_a_terminal_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    from alchemiscale_lake.flow_steps.launch import _WarningHandler

    _WarningHandler(say).emit(logging.LogRecord("a", logging.WARNING, "f", 1, "host %s", ("\x1b[2J",), None))

    assert "\\x1b[2J" in capsys.readouterr().err


def test_frames_are_shown_as_they_are() -> None:
    assert Table.of(pl.DataFrame({"a": ["x\\y", "é"]})).tsv() == "a\nx\\y\né\n"
