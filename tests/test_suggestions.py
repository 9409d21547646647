"""Misspelt names lead to the intended one."""

from __future__ import annotations

import ast
import itertools
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from alchemiscale_lake.suggestions import did_you_mean, did_you_mean_file
from tests.plain import SCOPE, plain_chain

ROOT = Path(__file__).parents[1]


def test_the_nearest_is_suggested_and_nothing_far_off() -> None:
    assert did_you_mean("Tyk", ["TYK2", "mcl1"]) == "; did you mean 'TYK2'?"
    assert did_you_mean("tik2", ["mcl1-2024", "tyk2-2024"]) == "; did you mean 'tyk2-2024'?"
    assert did_you_mean("abcdef", ["TYK2", "mcl1"]) == did_you_mean("x", []) == ""


def test_a_misspelt_key_is_suggested_and_no_key_of_another_object() -> None:
    key, other = f"Task-{'0123456789abcdef' * 2}-o-c-p", f"Task-{'fedcba9876543210' * 2}-o-c-p"

    assert did_you_mean(key.replace("89ab", "89ba", 1), [key, other]) == f"; did you mean {key!r}?"
    assert did_you_mean(key, [other]) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["staus"], "no such command 'staus'; did you mean 'status'?"),
        (["status", "tky2"], "no network has the name or ScopedKey 'tky2'; did you mean 'tyk2'?"),
        (["status", "--scope", f"{SCOPE}s"], f"there is no network in Scope {SCOPE}s; did you mean '{SCOPE}'?"),
        (["tasks", "list", "--scope", "x-y-z"], f"there is no network in Scope x-y-z; there are: {SCOPE}"),
        (["failures", "--scope", f"{SCOPE}s"], f"did you mean '{SCOPE}'?"),
        (["usage", "--scope", f"{SCOPE}s"], f"did you mean '{SCOPE}'?"),
        (["networks", "list", "--scope", f"{SCOPE}s"], f"did you mean '{SCOPE}'?"),
        (["gather", "--scope", f"{SCOPE}s"], f"did you mean '{SCOPE}'?"),
        (["rank", "tik2"], "did you mean 'tyk2'?"),
        (["compare", "tik2"], "did you mean 'tyk2'?"),
        (["view", "tik2"], "did you mean 'tyk2'?"),
        (["failures", "tik2"], "did you mean 'tyk2'?"),
        (["estimate-cost", "tik2"], "did you mean 'tyk2'?"),
        (["estimate-cost", "tyk2", "--gpu", "RTX 409O"], "as in --gpu \"0.8 x RTX 4090\"; did you mean 'RTX 4090'?"),
        (["dispatch", "--network", "tik2"], "did you mean 'tyk2'?"),
        (["tasks", "create", "--network", "tik2"], "did you mean 'tyk2'?"),
        (["tasks", "--transformation", "a_c"], "the lake has no Transformation 'a_c'"),
        (["networks", "set-weight", "tik2", "0.5"], "did you mean 'tyk2'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_suggest_the_intended_name_and_fail(tmp_path: Path, arguments: list[str], said: str) -> None:
    lake = Lake.create(tmp_path / "lake")
    submit_network(lake, plain_chain([("a", "b")]), SCOPE, name="tyk2")
    done = CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": lake.url})
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    assert said in done.stderr


SOURCES = [
    file for room in ("alchemiscale_lake", "estimators", "flows") for file in sorted((ROOT / room).rglob("*.py"))
]


def suggestions_in_the_middle(code: str) -> list[int]:
    """Return the lines of f-strings in which text goes on after the question mark of a suggestion."""

    def asks(node: ast.AST) -> bool:
        named = [getattr(part, "func", part) for part in ast.walk(node)]
        return any(getattr(part, "id", "") in ("did_you_mean", "did_you_mean_file", "meant") for part in named)

    return [
        before.lineno
        for string in ast.walk(ast.parse(code))
        if isinstance(string, ast.JoinedStr)
        for before, after in itertools.pairwise(string.values)
        if isinstance(before, ast.FormattedValue) and asks(before)
        if isinstance(after, ast.Constant) and re.match("[;,.:]", str(after.value))
    ]


def test_nothing_follows_the_question_mark_of_a_suggestion() -> None:
    assert suggestions_in_the_middle('f"no {x}{did_you_mean(x, all)}; " "see this"') == [1]
    assert suggestions_in_the_middle('f"no {x}, see this{did_you_mean(x, all)}"') == []
    found = {str(file): suggestions_in_the_middle(file.read_text()) for file in SOURCES}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_the_nearest_file_of_the_folder_is_suggested(tmp_path: Path) -> None:
    for name in ("network.json", "results.json"):
        (tmp_path / name).touch()

    assert did_you_mean_file(tmp_path / "nework.json") == f"; did you mean '{tmp_path / 'network.json'}'?"
    assert did_you_mean_file(tmp_path / "tyk2.json") == did_you_mean_file(tmp_path / "none" / "network.json") == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", "nework.json", "--scope", SCOPE],
        ["run", "nework.json", "--scope", SCOPE],
        ["run", "tyk2", "--scope", SCOPE, "--assays", "nework.json"],
        ["estimate-cost", "network.json", "--scope", SCOPE, "--pools", "nework.json"],
        ["assays", "nework.json", "--scope", SCOPE],
        ["import-results", "nework.json", "--scope", SCOPE],
        ["import-results", "network.json", "--scope", SCOPE, "--network-file", "nework.json"],
        ["fortify", "tyk2", "--pairs", "nework.json"],
        ["networks", "extend", "tyk2", "nework.json", "--name", "new"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_commands_suggest_the_intended_file_and_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("network.json").write_text(json.dumps(plain_chain([("a", "b")])))
    submit_network(Lake.create(tmp_path / "lake"), plain_chain([("a", "b")]), SCOPE, name="tyk2")
    done = CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": "lake"})
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    assert done.stderr.count("Error: ") == 1
    assert "; did you mean 'network.json'?" in done.stderr


@pytest.mark.parametrize("scope", [SCOPE, f"{SCOPE}s"])
def test_run_suggests_the_intended_network_or_scope(tmp_path: Path, scope: str) -> None:
    lake = Lake.create(tmp_path / "lake")
    submit_network(lake, plain_chain([("a", "b")]), SCOPE, name="tyk2")
    done = CliRunner().invoke(main, ["run", "tik2", "--scope", scope], env={"ALCHEMISCALE_LAKE": lake.url})
    assert done.exit_code == 1
    assert "there is no file or folder 'tik2', and " in done.stderr
    assert f"did you mean '{'tyk2' if scope == SCOPE else SCOPE}'?" in done.stderr
