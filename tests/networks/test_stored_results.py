"""Results of a lake, with what they share with their network put back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import zstandard

from alchemiscale_lake.errors import DamagedError, NotFoundError, ResultFileError
from alchemiscale_lake.networks import read_chain_text, read_result
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.result_files import read_raw, read_result_file
from alchemiscale_lake.networks.shared_links import share_links
from alchemiscale_lake.networks.stored_results import StoredResults
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, plain_chain

PATH = f"attempts/{SCOPE}/1/result.json.zst"


@pytest.fixture
def result(lake: Lake) -> bytes:
    """Return a result that was stored as a worker does."""
    submit_network(lake, plain_chain([("a", "b")]), SCOPE)
    stored = read_chain_text(lake.table("gufe_objects").scan(), SCOPE, "Transformation-a_b")
    whole = stored[:-1] + b', ["ProtocolDAGResult-1", {"__qualname__": "ProtocolDAGResult"}]]'
    shared = share_links(whole, stored)
    assert shared is not None
    lake.objects.put(PATH, zstandard.compress(shared))
    return whole


def test_a_result_is_read_as_it_was_written(lake: Lake, result: bytes) -> None:
    digest = hashlib.sha256(lake.objects.get(PATH)).hexdigest()

    assert read_result(lake, PATH, digest) == result
    with pytest.raises(DamagedError):
        read_result(lake, PATH, "0" * 64)


def test_one_of_an_earlier_version_is_read(lake: Lake) -> None:
    lake.objects.put(PATH, zstandard.compress(b'[["a", {}]]'))

    assert read_result(lake, PATH) == b'[["a", {}]]'


def test_shared_objects_are_read_once(lake: Lake, result: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = StoredResults(lake)
    assert stored.read(PATH) == result
    monkeypatch.setattr(lake, "table", lambda name: pytest.fail(f"reads {name} again"))

    assert stored.read(PATH) == result


def test_an_object_that_the_lake_lacks_is_named(lake: Lake, result: bytes) -> None:
    lake.objects.put("attempts/org-campaign-other/1/result.json.zst", lake.objects.get(PATH))

    with pytest.raises(NotFoundError, match=r"Scope org-campaign-other has no object \w+-"):
        read_result(lake, "attempts/org-campaign-other/1/result.json.zst")
    assert json.loads(result)


def test_a_stored_object_is_refused_by_imports_with_the_way_out(lake: Lake, result: bytes, tmp_path: Path) -> None:
    file = tmp_path / "result.json.zst"
    file.write_bytes(lake.objects.get(PATH))

    with pytest.raises(ResultFileError, match="as a lake stores it"):
        read_result_file(read_raw(file), ObjectPool())
