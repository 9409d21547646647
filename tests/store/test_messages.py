"""Messages in an attempt's folder: written, replaced, read, removed, and none that breaks its reader."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from alchemiscale_lake.store import Lake, attempt_folder, has_message, leave_message, read_message, remove_message

SCOPE = "org-campaign-project"


@dataclass(frozen=True, slots=True)
class Note:
    n: int
    text: str = ""
    at: datetime = datetime(2025, 1, 1, tzinfo=UTC)


def test_the_last_one_left_is_read(lake: Lake) -> None:
    assert read_message(lake, SCOPE, "a", "beat.json", Note) is None
    for n in (1, 2):
        leave_message(lake, SCOPE, "a", "beat.json", {"n": n})
    assert read_message(lake, SCOPE, "a", "beat.json", Note) == Note(2)
    assert not has_message(lake, SCOPE, "a", "stop"), "each under its name"
    assert not has_message(lake, SCOPE, "b", "beat.json"), "each for its attempt"


def test_taken_away_it_is_gone_and_taking_it_away_again_harms_nothing(lake: Lake) -> None:
    leave_message(lake, SCOPE, "a", "stop", {})
    for _ in range(2):
        remove_message(lake, SCOPE, "a", "stop")
    assert not has_message(lake, SCOPE, "a", "stop")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{half",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"NaN",
        b"{}",
        b'{"n": null}',
        b'{"n": []}',
        b'{"n": NaN}',
        b'{"n": 1, "at": "yesterday"}',
        b'{"n": 1, "at": "2025-01-01T00:00:00"}',
        b'{"n": 1, "at": "0001-01-01T00:00:00+00:00"}',
        b'{"n": 9223372036854775808}',
        b'{"n": 1' + b"0" * 5000 + b"}",
        b'{"n": ' + b"[" * 100_000,
        b'{"n": 1, "text": "' + b"x" * 100_000 + b'"}',
    ],
    ids=lambda text: repr(text[:40]),
)
def test_one_that_cannot_be_read_is_none(lake: Lake, caplog: pytest.LogCaptureFixture, text: bytes) -> None:
    lake.objects.put(f"{attempt_folder(SCOPE, 'a')}/ended.json", text)
    with caplog.at_level(logging.WARNING):
        assert read_message(lake, SCOPE, "a", "ended.json", Note) is None
    assert "ended.json" in caplog.text


def test_text_in_a_message_is_storable(lake: Lake) -> None:
    lake.objects.put(f"{attempt_folder(SCOPE, 'a')}/ended.json", b'{"n": 1, "text": "a\\ud800b\\u0000", "newer": []}')
    said = read_message(lake, SCOPE, "a", "ended.json", Note)
    assert said == Note(1, "a\\ud800b\N{REPLACEMENT CHARACTER}")


def _anything(draw: random.Random, depth: int = 0) -> Any:
    kinds: list[Any] = [
        None,
        True,
        0,
        -1,
        2**70,
        1e400,
        float("nan"),
        "",
        "x\ud800",
        "2025-06-01T00:00:00+00:00",
        "9" * 50,
    ]
    if depth < 3 and draw.random() < 0.4:
        if draw.random() < 0.5:
            return [_anything(draw, depth + 1) for _ in range(draw.randrange(3))]
        names = ["n", "text", "at", "kind", "reason", "hostname", "started_at", "progress_at", "units_done", "x"]
        return {name: _anything(draw, depth + 1) for name in draw.sample(names, draw.randrange(len(names)))}
    return draw.choice(kinds)


def test_no_json_ends_its_reader(lake: Lake) -> None:
    from alchemiscale_lake.execution.heartbeat import Beat, read_beat
    from alchemiscale_lake.execution.release import Release, read_release

    draw, folder, n_read = random.Random(1), attempt_folder(SCOPE, "a"), 0
    good = {"at": datetime(2025, 6, 1, tzinfo=UTC).isoformat(), "hostname": "h", "kind": "stopped", "reason": "r"}
    good |= {"started_at": good["at"], "progress_at": good["at"]}
    for i in range(2000):
        content = _anything(draw) if i % 2 else {**good, **{k: _anything(draw) for k in draw.sample(sorted(good), 1)}}
        text = json.dumps(content).encode()
        if i % 5 == 0:
            text = bytes(draw.choice([b, b, b, b, draw.randrange(256)]) for b in text)
        for name in ("beat.json", "ended.json"):
            lake.objects.put(f"{folder}/{name}", text)
        beat, release = read_beat(lake, SCOPE, "a"), read_release(lake, SCOPE, "a")
        assert isinstance(beat, Beat | None)
        assert isinstance(release, Release | None)
        n_read += beat is not None
        if beat is not None:
            assert datetime.now(UTC) > beat.at, "it can be computed with"
            (beat.hostname + str(beat.units_done)).encode()
    assert 0 < n_read < 2000
