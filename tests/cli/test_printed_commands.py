"""Commands in messages name the lake in use, whatever command prints them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import COMMANDS, main
from alchemiscale_lake.query import NetworkNames
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


def _runs(command: str) -> bool:
    """Return whether a command in a message can be tried here: nothing to fill in, and nothing that computes."""
    words = shlex.split(command)
    return words[1] not in ("run", "dispatch", "submit", "assays") and "FILE" not in words


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake whose networks have the same names in two Scopes."""
    folder = tmp_path_factory.mktemp("twins")
    campaign = small_campaign(folder / "lake")
    campaign.network("tyk2", [("p", "q"), ("q", "r")], scope="org-campaign-other")
    campaign.network("idle", [("p", "q")], scope="org-campaign-third")
    campaign.network("nothing", [], scope="org-campaign-third")
    return str(folder / "lake")


@pytest.mark.parametrize(
    "arguments",
    [
        ("gather", "tyk2", "--scope", SCOPE),
        ("gather", "tyk2", "--scope", "org-campaign-other"),
        ("gather", "tyk2", "--scope", "org-campaign-other", "--report", "ddg"),
        ("gather", "nothing"),
        ("gather", "nothing", "--report", "ddg"),
        ("gather", "idle", "--scope", "org-campaign-other", "--model", "robust"),
        ("rank", "idle", "--scope", "org-campaign-other"),
        ("compare", "idle", "--scope", "org-campaign-other"),
        ("compare", "--scope", "org-campaign-other"),
        ("compare", "tyk2", "--scope", SCOPE, "--against", "nothing"),
        ("view", "nothing", "-o", "-"),
        ("failures", "tyk2", "--scope", SCOPE),
        ("networks", "link", "tyk2", "a", "zzzz", "--uncertainty", "0.1", "--scope", SCOPE),
        ("networks", "link", "tyk2", "a", "c", "--uncertainty", "0.1", "--scope", SCOPE),
        ("networks", "link", f"{SCOPE}/tyk2", "a", "c", "--withdraw"),
        ("strategy", "set", f"{SCOPE}/tyk2", "org-campaign-other/tyk2", "connectivity"),
        ("strategy", "advance", f"{SCOPE}/idle"),
        (
            "networks",
            "merge",
            f"{SCOPE}/idle",
            "org-campaign-third/idle",
            "--name",
            "both",
            "--to",
            "org-campaign-both",
        ),
    ],
    ids=" ".join,
)
def test_a_printed_command_finds_the_network_though_others_have_its_name(
    twins: str, arguments: tuple[str, ...]
) -> None:
    said = CliRunner().invoke(main, [*arguments, "--lake", twins]).stderr
    assert "AlchemicalNetwork-" not in said
    commands = [command for command in EVERY.findall(said) if _runs(command)]
    for command in commands:
        done = CliRunner().invoke(main, shlex.split(command)[1:])
        assert (done.exit_code, "Error" in done.stderr) in ((0, False), (1, True)), command
        assert not re.search("matches|several networks|no network", done.stderr), command


def test_networks_to_choose_from_are_listed_as_they_are_typed(twins: str) -> None:
    done = CliRunner().invoke(main, ["gather", "tyk2", "--lake", twins])

    assert done.exit_code == 1
    assert done.stderr.splitlines()[1:] == [f"  tyk2 --scope {scope}" for scope in ("org-campaign-other", SCOPE)]


@pytest.mark.parametrize(
    "command",
    [
        "networks merge {} {} --name all --to org-campaign-all --dry-run",
        "compare {} --against {}",
        "networks set-weight {} {} 0.5",
        "strategy set {} {} connectivity",
        "dispatch --network {} --network {} --once",
    ],
)
def test_a_command_with_several_networks_lists_them_as_it_takes_them(twins: str, command: str) -> None:
    refused = CliRunner().invoke(main, [*shlex.split(command.format("tyk2", "tyk2")), "--lake", twins])
    listed = refused.stderr.splitlines()[1:3]
    assert (refused.exit_code, listed) == (1, [f"  {scope}/tyk2" for scope in ("org-campaign-other", SCOPE)])
    if command.startswith("dispatch"):
        return

    done = CliRunner().invoke(main, [*shlex.split(command.format(*map(str.strip, listed))), "--lake", twins])

    assert not re.search("matches|several networks|no network", done.stderr), done.stderr


def test_an_import_names_its_network_so_that_the_next_command_finds_it(tmp_path: Path) -> None:
    place = str(tmp_path / "lake")
    table = tmp_path / "edges.csv"
    table.write_text("ligand_i,ligand_j,DDG (kcal/mol),uncertainty (kcal/mol)\na,b,1.0,0.1\nb,c,-0.5,0.2\n")
    for scope in ("o-c-p", "o-c-q"):
        said = CliRunner().invoke(main, ["import-results", str(table), "--scope", scope, "--lake", place]).stderr
    (command,) = re.findall("next: (.*)", said)

    done = CliRunner().invoke(main, shlex.split(command)[1:])

    assert "edges --scope o-c-q" in command
    assert (done.exit_code, done.stdout[:6]) == (0, "ligand"), done.stderr


@pytest.mark.parametrize(
    ("name", "typed"), [("tyk2", "tyk2"), ("my net", "'my net'"), ("-x", "AlchemicalNetwork-1-o-c-p")]
)
def test_a_name_is_quoted_and_never_an_option(name: str, typed: str) -> None:
    assert NetworkNames([("o-c-p", "AlchemicalNetwork-1-o-c-p", name)]).arguments("AlchemicalNetwork-1-o-c-p") == typed


def test_a_name_shared_within_a_scope_is_not_used() -> None:
    names = NetworkNames([("o-c-p", f"AlchemicalNetwork-{k}-o-c-p", "tyk2") for k in (1, 2)])

    assert names.arguments("AlchemicalNetwork-2-o-c-p") == "AlchemicalNetwork-2-o-c-p"
    assert names.title("AlchemicalNetwork-2-o-c-p") == "AlchemicalNetwork-2-o-c-p"


def test_a_name_that_is_also_a_file_is_not_used_where_a_file_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tyk2").mkdir()
    names = NetworkNames([("o-c-p", "AlchemicalNetwork-1-o-c-p", "tyk2")])

    assert names.arguments("AlchemicalNetwork-1-o-c-p", unless_file=True) == "AlchemicalNetwork-1-o-c-p"
    assert names.arguments("AlchemicalNetwork-1-o-c-p") == "tyk2"
