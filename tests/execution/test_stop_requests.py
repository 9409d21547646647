"""Requests to stop reach one attempt, and a storage that does not answer asks nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.execution.stop_requests import ask_to_stop, is_asked_to_stop
from alchemiscale_lake.store import Lake
from tests.execution.messages import SPEC


def test_only_the_attempt_that_was_asked_stops(own_lake: Lake) -> None:
    assert not is_asked_to_stop(own_lake, SPEC)
    ask_to_stop(own_lake, SPEC)
    ask_to_stop(own_lake, SPEC)

    assert is_asked_to_stop(own_lake, SPEC)
    assert not is_asked_to_stop(own_lake, replace(SPEC, attempt="next"))


def test_a_silent_storage_stops_nothing(own_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(path: str) -> bool:
        raise StorageError("no answer")

    ask_to_stop(own_lake, SPEC)
    monkeypatch.setattr(own_lake.objects, "exists", silent)

    assert not is_asked_to_stop(own_lake, SPEC)
