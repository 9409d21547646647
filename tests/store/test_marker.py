"""`lake.json` is restored from the tables, and nothing else is turned into a lake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alchemiscale_lake.errors import LakeVersionError, NotALakeError
from alchemiscale_lake.schemas import FORMAT
from alchemiscale_lake.store import Lake, Location, restore_marker
from alchemiscale_lake.store.marker import MARKER


def lose(lake: Lake, left: bytes | None) -> None:
    if left is None:
        lake.objects.delete([MARKER])
    else:
        lake.objects.put(MARKER, left)


@pytest.mark.parametrize(
    "left", [None, b"", b"\0\0", b"[]", b'{"format": null}', b'{"format": 0}', b'{"format": 1, "made_by']
)
def test_a_lost_or_damaged_marker_is_written_again(place: str, left: bytes | None) -> None:
    lake = Lake.open(place)
    written = lake.objects.get(MARKER)
    lose(lake, left)
    with pytest.raises(NotALakeError, match="maintain --repair"):
        Lake.open(place)
    problem = "missing" if left is None else "damaged"
    assert restore_marker(Location.parse(place), dry_run=True) == problem
    with pytest.raises(NotALakeError):
        Lake.open(place)
    assert restore_marker(Location.parse(place)) == problem
    assert json.loads(lake.objects.get(MARKER)) == json.loads(written)
    assert Lake.open(place)
    assert restore_marker(Location.parse(place)) is None


def test_a_format_that_the_tables_do_not_have_is_put_right(lake: Lake) -> None:
    lose(lake, json.dumps({"format": FORMAT + 4, "made_by": "9"}).encode())
    with pytest.raises(LakeVersionError):
        Lake.open(lake.url)
    assert str(restore_marker(Location.parse(lake.url))).startswith("wrong: it has format")
    assert Lake.open(lake.url)


def test_a_lake_that_was_used_and_lost_its_marker_may_be_created_again(lake: Lake) -> None:
    """`init` and `submit` do what repair does."""
    lake.objects.put("pools/a.json", b"{}")
    lose(lake, None)
    assert Lake.create(lake.url).objects.exists("pools/a.json")


def test_what_was_never_finished_is_not_restored(tmp_path: Path) -> None:
    assert restore_marker(Location.parse(tmp_path / "nothing")) is None
    assert not (tmp_path / "nothing").exists()
