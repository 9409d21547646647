"""Unusual names of folders and prefixes: they work the same everywhere, or are rejected before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, Location, ObjectStore
from alchemiscale_lake.store.table import LakeTable
from tests.campaign import T0

WORK = [
    "a=b",
    "scope=x",
    "network=n/scope=y",
    "a=b=c",
    " lead",
    "trail ",
    "100%",
    "#h",
    "q?",
    "st*r",
    "{a}",
    "~tilde",
    "it's",
    '"q"',
    "`a`<a>$HOME",
    "a&b+c:d;e,f@g!(h)",
    "\u00e9e\u0301\U0001f9ea",
    "..dots",
    ".dot",
    "dot.",
    "-dash",
    "L" * 200,
    "a//b",
    "slash/",
]
ONLY_IN_A_BUCKET = ["[x]", "a[b", "a]b", "^", "|", "back\\slash"]
NOWHERE = ["new\nline", "tab\there", "nul\0", "\x1b[31m", "\x7f", "par\u2028agraph", "a%2520b", "L" * 5000]
ONLY_IN_A_FOLDER = ["a/../b", "./b"]
#: In the URL of a bucket these are percent-encoded names, as in any URL.
ONLY_ENCODED = ["a%20b", "50%ab", "x%2Fy"]


def write_and_read(location: Location) -> None:
    """Run everything that our clients do at a location."""
    objects = ObjectStore(location)
    table = LakeTable(location, TABLES["network_log"], objects)
    assert objects.put_exclusive("attempts/o-c-p/1/receipt.arrow", b"receipt")
    assert not objects.put_exclusive("attempts/o-c-p/1/receipt.arrow", b"another")
    table.create()
    rows = [_row("o-c-p", "n1", 1), _row("o-c-q", "n2", 2)]
    assert table.append_new(rows) == 2
    assert table.append_new(rows) == 0
    objects.put("attempts/o-c-p/1/log.txt", b"log")
    assert objects.list("attempts") == ["attempts/o-c-p/1/log.txt", "attempts/o-c-p/1/receipt.arrow"]
    assert objects.get("attempts/o-c-p/1/receipt.arrow") == b"receipt"
    objects.delete(["attempts/o-c-p/1/log.txt"])
    assert not objects.exists("attempts/o-c-p/1/log.txt")
    frame = table.scan()
    assert frame.sort("scope").collect().rows(named=True) == rows
    assert frame.filter(scope="o-c-q").select("network", "scope").collect().rows() == [("n2", "o-c-q")]
    # a column without statistics in the log, and of a partition that was not requested
    assert frame.filter(network="n1").select("scope").collect().rows() == [("o-c-p",)]


def _row(scope: str, network: str, seq: int) -> dict[str, object]:
    empty = dict.fromkeys(TABLES["network_log"].names)
    said = {"event": "state", "state": "active", "weight": 0.5, "actor": "ada", "commit_id": "1", "at": T0}
    return empty | said | {"scope": scope, "network": network, "seq": seq, "idx": 0}


@pytest.mark.parametrize("name", WORK)
def test_a_folder_of_any_printable_name_works(name: str, tmp_path: Path) -> None:
    (tmp_path / "roots").mkdir()
    place = f"{tmp_path}/roots/{name}/lake"
    location = Location.parse(place)

    assert Location.parse(location.url) == location
    Path(place).mkdir(parents=True)
    write_and_read(location)

    assert list((tmp_path / "roots").iterdir()) == [tmp_path / "roots" / name.partition("/")[0]]
    assert location.path == Path(place)


@pytest.mark.parametrize("name", [*WORK, *ONLY_IN_A_BUCKET])
def test_a_prefix_of_any_printable_name_works(name: str, bucket: str) -> None:
    root = bucket.rpartition("/a/prefix")[0]
    location = Location.parse(f"{root}/{name}/lake")

    assert Location.parse(location.url) == location
    write_and_read(location)

    tidy = "/".join(part for part in name.split("/") if part)
    assert {key.partition("/lake/")[0] for key in ObjectStore(Location(root)).list("")} == {tidy}


def test_a_percent_encoded_prefix_is_the_same_place() -> None:
    assert Location.parse("s3://bucket/a b/\u00e9#1").url == Location.parse("s3://bucket/a%20b/%C3%A9%231").url
    assert Location.parse("s3a://bucket/x/").url == "s3://bucket/x"
    assert Location.parse("s3://bucket").url == "s3://bucket"


@pytest.mark.parametrize("name", [*ONLY_IN_A_BUCKET, *NOWHERE, *ONLY_ENCODED])
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "behind a link"])
def test_other_folders_are_refused_before_anything_is_made(name: str, linked: bool, tmp_path: Path) -> None:
    place = tmp_path / name / "lake"
    if linked:
        if "\0" in name or len(name) > 255:
            pytest.skip("no file system has such a name")
        (tmp_path / name).mkdir()
        (tmp_path / "link").symlink_to(tmp_path / name)
        place = tmp_path / "link" / "lake"

    with pytest.raises(SettingsError, match="give ") as refused:
        Lake.create(place)

    assert str(refused.value).isprintable()
    assert set(tmp_path.rglob("*")) == ({tmp_path / name, tmp_path / "link"} if linked else set())


@pytest.mark.parametrize("name", [*NOWHERE, *ONLY_IN_A_FOLDER])
def test_other_prefixes_are_refused_before_anything_is_made(name: str, bucket: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Lake.create(f"{bucket}/{name}/lake")

    assert str(refused.value).isprintable()
    assert ObjectStore(Location.parse(bucket)).list("") == []


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("gs://bucket/x", "not a location for a lake"),
        ("http://host/x", "not a location for a lake"),
        ("s3:/bucket/x", "not a location for a lake"),
        ("s3://", "not a bucket name"),
        ("s3:///prefix", "not a bucket name"),
        ("s3://[x]/prefix", "not a bucket name"),
        ("s3://two words/prefix", "not a bucket name"),
        ("s3://id:secret@bucket/x", "credentials"),
        ("file://host/x", "three slashes"),
        ("s3://bucket/\udcff", "not UTF-8"),
        ("/tmp/\udcff", "not UTF-8"),
    ],
)
def test_an_invalid_location_is_refused_with_the_reason(place: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        Location.parse(place)

    assert "secret" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_folders_are_found_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "there" / "deep")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Location.parse("lake").path == tmp_path / "lake"
    assert Location.parse("a:b/lake").path == tmp_path / "a:b" / "lake"
    assert Location.parse("~/lake").path == tmp_path / "lake"
    assert Location.parse("~nobody-of-this-name/lake").path == tmp_path / "~nobody-of-this-name" / "lake"
    assert Location.parse(f"/{tmp_path}/lake").path == tmp_path / "lake"
    assert Location.parse("link/lake").path == tmp_path / "link" / "lake"
    assert Location.parse("link/../lake").path == tmp_path / "there" / "lake"
    assert Location.parse(f"file:{tmp_path}/a%20b").path == tmp_path / "a b"
    assert Location.parse(f"file://localhost{tmp_path}/a%20b").path == tmp_path / "a b"


def test_no_folder_to_start_from_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(SettingsError, match="give an absolute path"):
        Location.parse("lake")
