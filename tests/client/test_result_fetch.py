"""Results are fetched ahead within a window, in order, through the cache; what they share is fetched once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import zstandard

from alchemiscale_lake.client import result_fetch
from alchemiscale_lake.client.result_cache import ResultCache
from alchemiscale_lake.client.result_fetch import ResultFetch
from alchemiscale_lake.errors import DamagedError
from alchemiscale_lake.networks.shared_links import share_links

STORED = b'[["P-1", {"__qualname__": "P", "pdb": "ATOM"}]]'


class Told:
    """A transport that answers from memory, and notes what it was asked."""

    place = "told"

    def __init__(self, n: int) -> None:
        self.whole = [STORED[:-1] + b', ["R-%d", {"__qualname__": "R"}]]' % number for number in range(n)]
        self.objects = [zstandard.compress(share_links(one, STORED) or b"") for one in self.whole]
        self.asked: list[str] = []
        self.lock = threading.Lock()

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        return [
            {
                "transformation": "T-1-o-c-p",
                "attempt": str(number),
                "object_path": f"attempts/o-c-p/{number}/result.json.zst",
                "digest": hashlib.sha256(data).hexdigest(),
                "n_bytes": len(data),
            }
            for number, data in enumerate(self.objects)
        ]

    def call(self, name: str, /, **arguments: Any) -> Any:
        with self.lock:
            self.asked.append(name)
        if name == "result_object":
            return self.objects[int(arguments["attempt"])]
        assert (name, arguments["keys"]) == ("result_shared_objects", ["P-1"])
        return {"P-1": zstandard.compress(b'{"__qualname__": "P", "pdb": "ATOM"}')}


def test_results_come_in_order_and_what_they_share_once() -> None:
    told = Told(100)

    assert list(ResultFetch(told, None).chains(told.rows)) == told.whole
    assert told.asked.count("result_object") == 100
    assert told.asked.count("result_shared_objects") == 1


@pytest.mark.parametrize(("name", "limit", "most"), [("_AHEAD", 5, 5), ("_AHEAD_BYTES", 1, 1)])
def test_no_more_than_a_window_is_fetched_ahead(
    name: str, limit: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_fetch, name, limit)
    told = Told(40)

    for number, _ in enumerate(ResultFetch(told, None).chains(told.rows), start=1):
        assert told.asked.count("result_object") < number + most
    assert list(ResultFetch(told, None).chains([])) == []


def test_an_iteration_that_is_left_fetches_no_more() -> None:
    told = Told(500)
    chains = ResultFetch(told, None).chains(told.rows)
    next(chains)
    chains.close()

    assert told.asked.count("result_object") <= 33


def test_what_is_in_the_cache_is_not_asked_for(tmp_path: Path) -> None:
    told, cache = Told(10), ResultCache(tmp_path)
    list(ResultFetch(told, cache).chains(told.rows))
    told.asked.clear()

    assert list(ResultFetch(told, ResultCache(tmp_path)).chains(told.rows)) == told.whole
    assert told.asked == []


def test_an_entry_with_another_content_is_not_believed(tmp_path: Path) -> None:
    told, cache = Told(1), ResultCache(tmp_path)
    cache.put(f"result {told.rows[0]['digest']}", zstandard.compress(b"[]"))

    assert list(ResultFetch(told, cache).chains(told.rows)) == told.whole


def test_what_was_damaged_on_its_way_is_refused() -> None:
    told = Told(2)
    rows = told.rows
    told.objects[1] = told.objects[0]

    with pytest.raises(DamagedError, match="result 1 was damaged on its way"):
        list(ResultFetch(told, None).chains(rows))
