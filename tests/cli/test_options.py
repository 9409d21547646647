"""Options that a group of commands takes for its subcommands: `--lake` before or after any of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import COMMANDS, main
from alchemiscale_lake.cli._options import commands_here
from tests.campaign import small_campaign

#: Commands in groups, and text that only the lake of the campaign gives.
LISTS = (
    (("strategy", "show", "tyk2"), "no Strategy is set"),
    (("networks", "list"), "tyk2"),
    (("networks", "restart-patterns", "list", "tyk2"), "pattern"),
    (("tasks", "list", "--network=tyk2"), "Task-0003"),
    (("cost-model", "list"), ""),
    (("hosts", "list"), ""),
    (("status",), "tyk2"),
)
PLACES = [
    pytest.param(words[:k], words[k:], said, id=" ".join([*words[:k], "--lake", *words[k:]]))
    for words, said in LISTS
    for k in range(len(words) + 1)
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("options") / "lake"
    small_campaign(folder)
    return str(folder)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": "nowhere"})


@pytest.mark.parametrize(("before", "after", "said"), PLACES)
def test_lake_may_stand_anywhere(lake: str, before: tuple[str, ...], after: tuple[str, ...], said: str) -> None:
    done = call(*before, "--lake", lake, *after)

    assert (done.exit_code, said in done.stdout + done.stderr) == (0, True), done.output


def groups(command: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    yield path, command
    context = click.Context(command)
    for name in command.list_commands(context):
        sub = command.get_command(context, name)
        if isinstance(sub, click.Group):
            yield from groups(sub, (*path, name))


def takes(command: click.Command | None, option: str) -> bool:
    return command is not None and any(option in one.opts for one in command.params)


def test_every_group_takes_the_lake_of_its_subcommands() -> None:
    found = dict(groups(main))
    assert len(found) > 7
    for path, group in found.items():
        subcommands = [
            group.get_command(click.Context(group), name) for name in group.list_commands(click.Context(group))
        ]
        assert takes(group, "--lake") == any(takes(one, "--lake") for one in subcommands), path
    assert set(COMMANDS) >= {path[0] for path in found if path}


def test_summaries_of_subcommands_are_whole_sentences() -> None:
    for path, group in groups(main):
        listed = group.get_help(click.Context(group, terminal_width=80)).partition("Commands:")[2]
        assert listed, path
        assert "..." not in listed, path
        assert max(map(len, listed.splitlines())) <= 80


def test_lines_that_are_commands_get_the_lake_and_quoted_text_does_not(tmp_path: Path) -> None:
    with click.Context(main, obj=None) as ctx:
        ctx.meta["alchemiscale_lake.cli._options.lake"] = str(tmp_path)
        quoted, command = commands_here(["see `alchemiscale-lake status`, it said", "  alchemiscale-lake logs 12ab"])
    assert quoted == "see `alchemiscale-lake status`, it said"
    assert command == f"  alchemiscale-lake logs 12ab --lake {tmp_path}"


def test_the_option_nearest_to_the_end_counts_and_messages_name_its_lake(lake: str, tmp_path: Path) -> None:
    done = call(
        "--lake", str(tmp_path), "strategy", "--lake", lake, "--scope", "org-campaign-*", "set", "tyk2", "net-bfe"
    )

    assert done.exit_code == 0, done.output
    assert f"next: alchemiscale-lake strategy advance tyk2 --lake {lake}" in done.stderr
    other = call("strategy", "--lake", lake, "show", "--lake", str(tmp_path / "other"), "tyk2")
    assert f"there is no lake at {(tmp_path / 'other').as_uri()}" in other.stderr
    assert "no network" in call("strategy", "--lake", lake, "--scope", "a-b-c", "show", "tyk2").stderr


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (("hosts", "--tsv", "readmit", "node1"), "put --tsv after 'readmit'"),
        (("networks", "--state", "active", "list"), "put --state after 'list'"),
        (("tasks", "--limit", "3", "--network", "n", "list"), "put --network and --limit after 'list'"),
        (("cost-model", "-o", "x.tsv", "list"), "put -o after 'list'"),
    ],
    ids=lambda value: " ".join(itertools.chain(value)) if isinstance(value, tuple) else "",
)
def test_other_options_before_a_subcommand_are_refused(lake: str, arguments: tuple[str, ...], refused: str) -> None:
    done = call("--lake", lake, *arguments)

    assert (done.exit_code, refused in done.stderr) == (2, True), done.output
