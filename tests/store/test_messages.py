"""Messages in an attempt's folder: left, replaced, read, taken away, and none that stops its reader."""

from __future__ import annotations

import logging

import pytest

from alchemiscale_lake.store import Lake, attempt_folder, has_message, leave_message, read_message, remove_message

SCOPE = "org-campaign-project"


def test_the_last_one_left_is_read(lake: Lake) -> None:
    assert read_message(lake, SCOPE, "a", "beat.json") is None
    for n in (1, 2):
        leave_message(lake, SCOPE, "a", "beat.json", {"n": n})
    assert read_message(lake, SCOPE, "a", "beat.json") == {"n": 2}
    assert not has_message(lake, SCOPE, "a", "stop"), "each under its name"
    assert not has_message(lake, SCOPE, "b", "beat.json"), "each for its attempt"


def test_taken_away_it_is_gone_and_taking_it_away_again_harms_nothing(lake: Lake) -> None:
    leave_message(lake, SCOPE, "a", "stop", {})
    for _ in range(2):
        remove_message(lake, SCOPE, "a", "stop")
    assert not has_message(lake, SCOPE, "a", "stop")


@pytest.mark.parametrize("text", [b"{half", b"\xff\xfe", b"[]"])
def test_one_that_cannot_be_read_is_none(lake: Lake, caplog: pytest.LogCaptureFixture, text: bytes) -> None:
    lake.objects.put(f"{attempt_folder(SCOPE, 'a')}/ended.json", text)
    with caplog.at_level(logging.WARNING):
        assert read_message(lake, SCOPE, "a", "ended.json") is None
