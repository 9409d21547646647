"""Names of hosts, users, paths and Scopes, removed."""

from __future__ import annotations

import json

import polars as pl
import pytest
import zstandard

from alchemiscale_lake.archives.scrubbing import SCRUBBED, Scrubber, renamed
from alchemiscale_lake.errors import ArchiveError

SCOPE = "org-campaign-project"


def scrubber(*kinds: str) -> Scrubber:
    return Scrubber(kinds, scopes=[SCOPE], hosts=["gpu-17", "gpu-2"], users=["ada", "bo"])


def scrubbed(one: Scrubber, **row: object) -> dict[str, object]:
    return one.rows(pl.DataFrame({name: [value] for name, value in row.items()})).to_dicts()[0]


def test_hosts_have_one_name_everywhere() -> None:
    row = {"hostname": "gpu-17", "reason": "lost gpu-17 (gpu-171)", "queue_job": "4711", "n": 3}
    assert scrubbed(scrubber("hosts"), **row) == {
        "hostname": "host-1",
        "reason": "lost host-1 (gpu-171)",
        "queue_job": None,
        "n": 3,
    }


def test_users_have_one_name_everywhere_and_short_ones_only_where_they_stand_alone() -> None:
    row = {"creator": "ada", "actor": "bo", "reason": "ada asked bo to go to Canada"}
    assert scrubbed(scrubber("users"), **row) == {
        "creator": "user-1",
        "actor": "user-2",
        "reason": "user-1 asked bo to go to Canada",
    }


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("/home/ada/work/net.json", ".../net.json"),
        ('File "/opt/env/lib/x.py", line 3', 'File ".../x.py", line 3'),
        ("cannot read ~/data/a b.json now", "cannot read .../a b.json now"),
        ("s3://bucket/prefix/lake", ".../lake"),
        ("a/b is a ratio, and 3/4 too", "a/b is a ratio, and 3/4 too"),
        ("no path", "no path"),
    ],
)
def test_of_paths_the_last_part_is_kept(text: str, without: str) -> None:
    assert scrubbed(scrubber("paths"), traceback=text) == {"traceback": without}


def test_paths_of_objects_within_the_archive_are_kept() -> None:
    row = {"object_path": "attempts/a-b-c/1/result.json.zst", "settings_json": '{"a": "/b/c"}'}
    assert scrubbed(scrubber("paths"), **row) == row


def test_scopes_are_renamed_in_keys_paths_lists_and_texts() -> None:
    frame = pl.DataFrame(
        {
            "scope": [SCOPE, None],
            "task": [f"Task-1-{SCOPE}", f"Task-2-{SCOPE}x"],
            "object_path": [f"attempts/{SCOPE}/1/r", "imports/2"],
            "legs": [[f"T-1-{SCOPE}", f"T-2-{SCOPE}"], []],
            "reason": [f"in {SCOPE}, as {SCOPE}.", SCOPE],
            "weight": [0.5, None],
        }
    )

    found = renamed(frame, {SCOPE: "a-b-c"})

    assert found.schema == frame.schema
    assert found.rows() == [
        ("a-b-c", "Task-1-a-b-c", "attempts/a-b-c/1/r", ["T-1-a-b-c", "T-2-a-b-c"], "in a-b-c, as a-b-c.", 0.5),
        (None, f"Task-2-{SCOPE}x", "imports/2", [], "a-b-c", None),
    ]
    assert scrubber("scopes").scopes == {SCOPE: "archive-network-n1"}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"a": "on gpu-17"}, "hosts"),
        ({"a": "gpu-171"}, None),
        ({"a": "by ada"}, "users"),
        ({"a": "bo"}, None),
        ({"file": "/scratch/run-1/x.nc"}, "paths"),
        ({"file": "shared/x.nc", "unit": "kcal/mol"}, None),
        ({"task": f"Task-1-{SCOPE}"}, "scopes"),
    ],
)
def test_objects_with_such_a_name_are_found(content: dict[str, str], found: str | None) -> None:
    data = zstandard.compress(json.dumps(content).encode())
    assert scrubber(*SCRUBBED).finds(data, "x") == found
    assert scrubber().finds(data, "x") is None


def test_only_known_kinds_can_be_scrubbed() -> None:
    with pytest.raises(ArchiveError, match="'ligands' cannot be scrubbed; hosts, users, paths, scopes can"):
        scrubber("ligands")
