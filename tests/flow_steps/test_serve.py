from __future__ import annotations

import contextlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.cli.up import _how_to_log_in
from alchemiscale_lake.flow_steps import serve as _serve
from alchemiscale_lake.prefect_api import stale_runs as _stale
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.store import Lake


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_who_listens_to_others_is_warned(lake: Lake, monkeypatch: pytest.MonkeyPatch, host: str, warned: bool) -> None:
    @contextlib.contextmanager
    def server(*_: Any, **__: Any) -> Iterator[Api]:
        yield Api("http://machine:4200/api", "http://machine:4200", ours=True, login=Path("login"))

    monkeypatch.setattr(_serve, "local_api", server)
    monkeypatch.setattr(_serve, "_serve", lambda lake, stop, ready: ready())
    monkeypatch.setattr(_stale, "close_stale_runs", lambda: None)
    said: list[str] = []
    ready: list[Any] = []

    _serve.up(lake, host=host, say=said.append, ready=lambda *told: ready.append(told))

    assert ready == [("http://machine:4200", Path("login"))]
    assert any("unencrypted" in each for each in said) == warned


@pytest.mark.parametrize("terminal", [True, False])
def test_the_login_is_shown_to_people_and_goes_into_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    (tmp_path / "login").write_text("lake:very-secret\n")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)

    said = _how_to_log_in(tmp_path / "login")

    assert ("very-secret" in said) == terminal
    assert str(tmp_path / "login") in said


def test_every_flow_that_people_start_is_served() -> None:
    flows = {entry.name for entry in importlib.metadata.entry_points(group="alchemiscale_lake.flows")}
    started_by_others = {"run-assignment", "raise-alert"}  # by dispatchers, and by an automation
    assert set(_serve.DEPLOYMENTS) == flows - started_by_others
