"""Archives that open anywhere, twice the same."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import duckdb
import polars as pl
import pytest

from alchemiscale_lake.archives import SCRUBBED, Author, Deposit, read_manifest, write_archive
from alchemiscale_lake.archives.container import ArchiveFiles
from alchemiscale_lake.errors import ArchiveError, NotFoundError
from alchemiscale_lake.statestore.network_copies import copy_network
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.archives.archived_campaigns import ADA, SCOPE, real_campaign
from tests.example_networks import harmonic_network
from tests.lakes import new_lake


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, str]:
    folder = tmp_path_factory.mktemp("archived")
    lake = new_lake(folder / "lake")
    return lake, real_campaign(lake, folder / "work")


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder


def test_twice_the_same_bytes_and_a_folder_has_the_same_files(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    for name in ("one.zip", "two.zip", "folder"):
        write_archive(lake, [network], tmp_path / name)

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with ArchiveFiles(tmp_path / "one.zip") as packed, ArchiveFiles(tmp_path / "folder") as folder:
        assert packed.digests == folder.digests
    assert [path.name for path in tmp_path.glob(".*")] == []
    write_archive(lake, [network], tmp_path / "folder")  # goes on where it was interrupted


def test_statements_of_its_readme_run_in_plain_duckdb(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    write_archive(lake, [network], tmp_path / "a.zip")
    folder = unpacked(tmp_path / "a.zip", tmp_path / "unpacked")
    readme = (folder / "README.md").read_text()
    statements = re.findall(r"```sql\n(.*?)```", readme, re.DOTALL)
    connection = duckdb.connect(config={"file_search_path": str(folder)})

    found = [connection.sql(statement).fetchall() for statement in statements]

    assert [len(rows) for rows in found] == [3, 3, 3, 0]
    assert "| triangle | 3 | 6 | 3 | 0 |" in readme
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    listed = set(re.findall(r"^\| `([a-z]+/\w+\.parquet)`", readme, re.MULTILINE))
    assert listed == {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    assert set(json.loads((folder / "schema.json").read_bytes())) == {p.stem for p in (folder / "tables").iterdir()}
    assert "triangle" in (folder / "pages/triangle.html").read_text()


def test_the_manifest_counts(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    done = write_archive(lake, [network], tmp_path / "a.zip")

    (one,) = done.manifest.networks
    assert (one.network, one.name, one.state) == (network, "triangle", "active")
    assert (one.n_transformations, one.n_tasks, one.n_results, one.n_failed) == (3, 6, 3, 0)
    assert read_manifest(tmp_path / "a.zip") == done.manifest
    with ArchiveFiles(tmp_path / "a.zip") as archive:
        assert done.manifest.n_objects == sum(name.startswith("objects/") for name in archive.names) >= 3
        for name, n_rows in done.manifest.rows.items():
            assert len(pl.read_parquet(io.BytesIO(archive.read(f"tables/{name}.parquet")))) == n_rows


def test_what_is_not_asked_for_is_said(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    done = write_archive(lake, [network], tmp_path / "a.zip", objects=False, outputs=False)
    assert done.manifest.n_objects == 0
    assert done.manifest.left_out["result objects"] == "not asked for"
    assert "- result objects: not asked for" in zipfile.ZipFile(tmp_path / "a.zip").read("README.md").decode()


def test_objects_that_are_missing_or_damaged_are_said(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    network = real_campaign(lake, tmp_path / "work")
    gone, broken, _ = lake.table("results").scan().collect()["object_path"]
    lake.objects.delete([gone])
    lake.objects.put(broken, b"other")

    done = write_archive(lake, [network], tmp_path / "a.zip", outputs=False)

    why = {what: why for what, why in done.manifest.left_out.items() if "object" in what}
    assert why == {"objects that are damaged in the lake": "1", "objects that are missing in the lake": "1"}


def test_nothing_of_what_was_scrubbed_is_left(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    hosts = set(lake.table("hosts").scan().collect()["hostname"])

    done = write_archive(lake, [network], tmp_path / "a.zip", scrub=SCRUBBED)

    assert done.manifest.networks[0].network.endswith("-archive-network-n1")
    with ArchiveFiles(tmp_path / "a.zip") as archive:
        for name in archive.names:
            data = archive.read(name)
            assert SCOPE.encode() not in data, name
            texts = [data.decode("utf-8", "replace")]
            if name.endswith(".parquet"):
                frame = pl.read_parquet(io.BytesIO(data)).select(pl.col(pl.String))
                texts = [text for column in frame for text in column.drop_nulls()]
            for text in texts:
                assert not any(re.search(rf"\b{re.escape(host)}\b", text) for host in hosts if len(host) > 2), name
                assert str(lake.local_path) not in text, name
                assert "ada" not in text.split(), name


def test_scopes_that_networks_were_copied_from_are_scrubbed_too(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = Lake.open(shutil.copytree(Path(str(real[0].local_path)), tmp_path / "copied")), real[1]
    copied = copy_network(lake, network, "org-campaign-copies", caller=ADA).network

    write_archive(lake, [copied], tmp_path / "a.zip", scrub=["scopes"])

    with ArchiveFiles(tmp_path / "a.zip") as archive:
        for name in archive.names:
            assert SCOPE not in name
            if name.endswith(".parquet"):
                frame = pl.read_parquet(io.BytesIO(archive.read(name)))
                assert SCOPE not in str(frame.select(pl.col(pl.String, pl.List(pl.String))).to_dicts()), name


def test_gufe_objects_with_names_are_counted(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    network = submit_network(lake, harmonic_network(2, name="of ada"), SCOPE, caller=ADA).network

    done = write_archive(lake, [network], tmp_path / "a.zip", scrub=["users"])

    assert done.manifest.left_out["scrubbing of gufe objects"].startswith("1 contain such names")


def test_the_description_for_a_repository(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    deposit = Deposit("Three ligands", [Author("Lovelace, Ada")], license="CC-BY-4.0")
    write_archive(lake, [network], tmp_path / "a.zip", deposit=deposit)
    with ArchiveFiles(tmp_path / "a.zip") as archive:
        content = json.loads(archive.read(".zenodo.json"))
    assert (content["title"], content["creators"]) == ("Three ligands", [{"name": "Lovelace, Ada"}])
    assert "3 Transformations and 3 good results" in content["description"]


def test_what_cannot_be_archived_is_refused_and_leaves_nothing(real: tuple[Lake, str], tmp_path: Path) -> None:
    lake, network = real
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    for path, networks, error in [
        (tmp_path / "a.zip", [], ArchiveError),
        (tmp_path / "a.zip", [network.replace(SCOPE, "a-b-c")], NotFoundError),
        (tmp_path / "full", [network], ArchiveError),
        (tmp_path / "absent/a.zip", [network], ArchiveError),
    ]:
        with pytest.raises(error):
            write_archive(lake, networks, path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["full", "notes.txt"]


def test_a_zip_appears_whole_or_not_at_all(
    real: tuple[Lake, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, network = real
    write_archive(lake, [network], tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("alchemiscale_lake.archives.archive_writing.guide", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_archive(lake, [network], tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
