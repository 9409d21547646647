"""The command of a queue job or a pod: it runs a stored assignment."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.execution.__main__ import main
from alchemiscale_lake.execution.stored_assignment import store_assignment
from tests.execution.bench import Bench
from tests.execution.scripted import scripted


def test_the_command_runs_a_stored_assignment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    good, bad = bench.spec(scripted("pass")), bench.spec(scripted("raise ValueError"))
    stored = store_assignment(bench.lake, bench.assignment(good, bad))
    assert main(["--lake", bench.lake.url, "--assignment", stored]) == 0
    assert "2 of 2 attempts" in capsys.readouterr().err
    assert (bench.receipt(good).result["ok"], bench.receipt(bad).result["ok"]) == (True, False)


def test_the_command_names_what_it_did_not_find(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["--lake", str(tmp_path / "nowhere"), "--assignment", "x"]) == 1
    assert "there is no lake" in capsys.readouterr().err
    assert main(["--lake", bench.lake.url, "--assignment", "x"]) == 1
    assert "no object assignments/x.json" in capsys.readouterr().err
