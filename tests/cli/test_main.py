"""The command group: lazy, quiet, one line per error."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import COMMANDS, main
from alchemiscale_lake.errors import MissingDependencyError
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network

IMPORTS = """
import sys
from click.testing import CliRunner
from alchemiscale_lake.cli import main
assert CliRunner().invoke(main, sys.argv[1:]).exit_code == 0
heavy = {"prefect", "distributed", "polars", "deltalake", "duckdb", "gufe", "numpy"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS, *arguments], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of all its subcommands."""
    if path:
        yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)


@pytest.mark.parametrize("path", commands(main), ids=" ".join)
def test_every_command_shows_an_example_of_itself(path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*path, "--help"])

    assert said.exit_code == 0
    assert "\\b" not in said.stdout
    examples = said.stdout.partition("Example")[2].replace("\\\n", " ").splitlines()[1:]
    own = [line.strip() for line in examples if line.startswith(f"    alchemiscale-lake {' '.join(path)}")]
    assert own, "no example of the command itself"
    for line in own:
        _, *words = shlex.split(line, comments=True)
        assert_options_exist(words)


def assert_options_exist(words: list[str]) -> None:
    """Follow the words to their command; each option must be one of its, or of a group on the way."""
    command: click.Command = main
    known: set[str] = set()
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            command = found if found is not None else command
        known |= {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"} - known
    assert not {word for word in unknown if not word[1:2].isdigit()}


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(main, ["nosuch"]).exit_code == 2


def test_an_error_is_one_line_without_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALCHEMISCALE_LAKE_DEBUG", raising=False)
    done = CliRunner().invoke(main, ["dispatch", "--lake", str(tmp_path / "nosuch")])

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: there is no lake at ")
    assert done.stderr.count("\n") == 1


def test_debugging_shows_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMISCALE_LAKE_DEBUG", "1")

    done = CliRunner().invoke(main, ["dispatch", "--lake", str(tmp_path / "nosuch")])

    assert type(done.exception).__name__ == "NotALakeError"


def test_an_interrupt_is_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(main), "get_command", lambda *_: interrupted)

    assert CliRunner().invoke(main, ["run"]).exit_code == 130


def test_init(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["init", "--lake", str(tmp_path / "lake")])
    again = CliRunner().invoke(main, ["init"], env={"ALCHEMISCALE_LAKE": str(tmp_path / "lake")})

    assert (made.exit_code, made.stdout) == (0, f"{(tmp_path / 'lake').as_uri()}\n")
    assert again.exit_code == 1
    assert "there is already a lake at" in again.stderr


def test_submit(tmp_path: Path) -> None:
    file, lake = tmp_path / "n.json", tmp_path / "lake"
    dump_network(harmonic_network(3, 2, name="two"), file)
    asked = ["submit", str(file), "--scope", "a-b-c", "--lake", str(lake)]

    first, second = CliRunner().invoke(main, [*asked, "-t", "2"]), CliRunner().invoke(main, asked)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == second.stdout
    assert first.stdout.endswith("-a-b-c\n")
    assert f"created a lake at {lake.as_uri()}" in first.stderr
    assert "two: 2 Transformations (2 new)" in first.stderr
    assert "4 Tasks created" in first.stderr
    assert "2 Transformations (0 new), 0 new objects" in second.stderr
    assert len(Lake.open(lake).task_log.states().tasks) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["submit", "nosuch.json", "--scope", "a-b-c"], 1, "nosuch.json"),
        (["submit", "nosuch.json", "--scope", "a-b-*"], 1, "wildcard"),
        (["run"], 2, "give a NETWORK, or --resume"),
        (["run", "nosuch.json", "--scope", "a-b-c"], 1, "there is no file, folder or network"),
        (["run", "pyproject.toml"], 2, "give --scope"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = CliRunner().invoke(main, [*arguments, "--lake", str(tmp_path / "lake")])

    assert done.exit_code == code
    assert said in done.stderr


def test_nothing_to_resume_is_said(lake: Lake) -> None:
    done = CliRunner().invoke(main, ["run", "--resume", "--lake", lake.url])

    assert done.exit_code == 0
    assert "has no unfinished run" in done.stderr


def test_missing_engines_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: Lake) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    from alchemiscale_lake.cli._launch import session

    with pytest.raises(MissingDependencyError, match=r"prefect and distributed; install alchemiscale-lake\[flows\]"):
        session(lake, say=print)
