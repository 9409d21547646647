"""Commands in messages name the lake in use, whatever command prints them."""

from __future__ import annotations

import re
import shlex

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import COMMANDS, main
from tests.campaign import SCOPE, small_campaign

EVERY = re.compile(r"alchemiscale-lake (?:" + "|".join(COMMANDS) + r")\b[^`\n]*")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("printed") / "my lake"
    small_campaign(folder)
    return str(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ("failures",),
        ("failures", "tyk2"),
        ("rank", "tyk2"),
        ("status", "nosuch"),
        ("gather", "idle", "--as-is"),
        ("gather", "idle", "--as-is", "--report", "ddg"),
        ("compare", "idle"),
        ("cost-model", "show", "nosuch"),
        ("tasks", "retry", "--network", "tyk2"),
        ("tasks", "create", "--network", "tyk2", "--transformation", "nosuch"),
        ("hosts", "quarantine", "node1", "--for", "1h", "--reason", "dust"),
        ("usage", "--scope", f"{SCOPE}x"),
    ],
    ids=" ".join,
)
def test_a_printed_command_names_the_lake(place: str, arguments: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*arguments, "--lake", place]).stderr

    for command in EVERY.findall(said):
        words = shlex.split(command)
        assert words[-2:] == ["--lake", place], command


def test_a_command_that_fails_says_what_to_do_in_the_same_lake(place: str) -> None:
    done = CliRunner().invoke(main, ["status", "qqqqqq", "--lake", place])

    assert done.exit_code == 1
    assert f"`alchemiscale-lake status --lake {shlex.quote(place)}`" in done.stderr


def test_the_lake_of_the_environment_is_not_repeated(place: str) -> None:
    done = CliRunner().invoke(main, ["failures"], env={"ALCHEMISCALE_LAKE": place})

    assert "next: alchemiscale-lake tasks retry\n" in done.stderr
