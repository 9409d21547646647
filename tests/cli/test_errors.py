"""Any exception from a library, in any command, becomes one line and a file with the traceback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import deltalake.exceptions
import duckdb
import httpx
import obstore.exceptions
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import COMMANDS, main

SECRET = "a-secret-of-somebody"


def panic() -> BaseException:
    """Return a panic of Rust code; those of polars are not Exceptions."""
    return pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value")


KINDS: dict[str, Callable[[], BaseException]] = {
    "PanicException": panic,
    "ComputeError": lambda: pl.exceptions.ComputeError("parquet: File out of specification"),
    "DeltaError": lambda: deltalake.exceptions.DeltaError("Generic error"),
    "GenericError": lambda: obstore.exceptions.GenericError("no answer"),
    "Error": lambda: duckdb.Error("INTERNAL Error"),
    "ArrowInvalid": lambda: pa.ArrowInvalid("not an Arrow file"),
    "ConnectError": lambda: httpx.ConnectError("[Errno 111] refused"),
    "OSError": lambda: OSError(28, "No space left on device"),
    "PermissionError": lambda: PermissionError(13, "Permission denied"),
    "ValueError": lambda: ValueError("a Protocol's setting\nsecond line"),
    "RecursionError": lambda: RecursionError("maximum recursion depth exceeded"),
    "MemoryError": MemoryError,
    "UnicodeEncodeError": lambda: UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    "AssertionError": AssertionError,
    "RuntimeError": lambda: RuntimeError(f"\x1b[31m{SECRET}"),
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("ALCHEMISCALE_LAKE_DEBUG", raising=False)
    return tmp_path / "state" / "alchemiscale-lake" / "errors"


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, (*path, name))
    else:
        yield path, command


def assert_told(done: Result, state: Path, kind: str, path: tuple[str, ...]) -> None:
    assert done.exit_code == 1
    assert done.stdout == ""
    assert re.fullmatch(r"Error: `.*` failed unexpectedly: .*; the traceback is in .*\n", done.stderr), done.stderr
    assert kind in done.stderr
    assert path[0] in done.stderr
    assert done.stderr[:-1].isprintable()
    (log,) = state.iterdir()
    assert str(log) in done.stderr
    assert log.stat().st_mode & 0o777 == 0o600
    assert kind in log.read_text()
    assert "Traceback" in log.read_text()
    assert SECRET not in log.read_text() + done.stderr
    log.unlink()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_shows_a_traceback(name: str, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top,) = [main.get_command(click.Context(main), name)]
    assert top is not None
    for path, command in leaves(top, (name,)):
        for kind, make in KINDS.items():

            def fails(*_: object, make: Callable[[], BaseException] = make, **__: object) -> None:
                raise make()

            with monkeypatch.context() as patch:
                patch.setattr(command, "callback", fails)
                patch.setattr(command, "params", [])
                assert_told(CliRunner().invoke(main, list(path)), state, kind, path)


def test_without_a_home_the_traceback_is_among_temporary_files(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    command = click.Command("status", callback=lambda: 1 / 0)
    monkeypatch.setattr(type(main), "get_command", lambda *_: command)

    done = CliRunner().invoke(main, ["status"])

    (log,) = tmp_path.glob("alchemiscale-lake-*.log")
    assert str(log) in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr


def test_debugging_shows_the_traceback(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMISCALE_LAKE_DEBUG", "1")
    monkeypatch.setattr(type(main), "get_command", lambda *_: click.Command("status", callback=lambda: 1 / 0))

    assert isinstance(CliRunner().invoke(main, ["status"]).exception, ZeroDivisionError)
    assert not state.exists()
