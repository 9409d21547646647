"""Archives taken into lakes: the same answers, whatever was there, killed or damaged."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gufe
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alchemiscale_lake.archives import import_archive, read_manifest, write_archive
from alchemiscale_lake.archives.container import ArchiveFiles
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import (
    AmbiguousScopeError,
    ArchiveError,
    InvalidNetworkError,
    LakeVersionError,
    PermissionDeniedError,
)
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.rounds import advance_network
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.lake_verification import verify_lake
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.archives.archived_campaigns import ADA, SCOPE, answers, real_campaign
from tests.campaign import Campaign
from tests.lakes import KeptFolder, new_lake
from tests.long import LONG, drawn
from tests.networks import harmonic_network
from tests.round_campaign import round_campaign

OTHER = "published-tyk2-lake"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, str, Path]]:
    """A lake whose network ran, the network, and its archive."""
    folder = tmp_path_factory.mktemp("archived")
    lake = new_lake(folder / "lake")
    network = real_campaign(lake, folder / "work")
    write_archive(lake, [network], folder / "archive.zip")
    return lake, network, folder / "archive.zip"


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, str, Path]:
    folder = tmp_path_factory.mktemp("rounds")
    lake, network = round_campaign(folder / "lake", n_rounds=2)
    gather_network(lake, network)
    write_archive(lake, [network], folder / "archive.zip")
    return lake, network, folder / "archive.zip"


def assert_same_answers(one: Lake, other: Lake, *, apart_from: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    before, after = answers(one), answers(other)
    for name in before.keys() - apart_from:
        assert_frame_equal(before[name], after[name])


def test_an_empty_lake_then_has_the_same_answers(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    source, network, archive = real

    done = import_archive(lake, archive, caller=ADA)

    assert (done.networks, done.n_new_networks, done.n_without_object) == ((network,), 1, 0)
    # one Task was running, and waits again
    assert_same_answers(source, lake, apart_from={"states", "history"})
    assert answers(lake)["states"].filter(status="running").is_empty()
    before, after = answers(source)["history"], answers(lake)["history"]
    assert_frame_equal(after.filter(pl.col("event") != "released"), before)
    (released,) = after.filter(pl.col("event") == "released").select("reason", "actor").rows()
    assert released == ("it was running when it was archived", "ada")
    assert not verify_lake(lake).flaws


def test_twice_is_once(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    _, _, archive = real
    import_archive(lake, archive, caller=ADA)
    before = answers(lake)

    again = import_archive(lake, archive, caller=ADA)

    assert (again.n_new_networks, again.n_new_objects, set(again.n_new.values())) == (0, 0, {0})
    for name, rows in answers(lake).items():
        assert_frame_equal(rows, before[name])


def test_an_archive_of_the_import_is_the_archive(lake: Lake, rounds: tuple[Lake, str, Path], tmp_path: Path) -> None:
    _, network, archive = rounds
    import_archive(lake, archive, state=None, caller=ADA)

    write_archive(lake, [network], tmp_path / "again.zip")

    with ArchiveFiles(archive) as first, ArchiveFiles(tmp_path / "again.zip") as second:
        different = {name for name in first.names if first.digests[name] != second.digests.get(name)}
        assert set(first.names) ^ set(second.names) <= {name for name in second.names if "imports/" in name}
    # numbers of commits are those of the lake
    numbered = {"task_log", "network_log", "transformation_estimates", "network_estimates", "strategy_rounds"}
    # this campaign was made without objects
    numbered |= {"results", "imports", "unit_results"}
    assert {Path(name).stem for name in different} <= {
        *numbered,
        "free_energies",
        "tasks",
        "archive",
        "benzanilides",
        "README",
    }


def test_calculations_go_on(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    _, network, archive = real
    import_archive(lake, archive, caller=ADA)
    assert claim_tasks(lake, "here", 10, lease_s=60, caller=ADA) == [], "inactive"

    set_network_state(lake, [network], "active", caller=ADA)

    assert len(claim_tasks(lake, "here", 10, lease_s=60, caller=ADA)) == 3
    assert not gather_network(lake, network).new_round, "nothing has changed"


def test_estimates_gathered_later_are_newer(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    """Although the lake that they came from has counted many more commits."""
    source, _, archive = real
    import_archive(lake, archive, caller=ADA)
    rows = lake.table("transformation_estimates").scan().collect()
    assert rows["as_of_seq"].max() <= lake.task_log.states().seq  # type: ignore[operator]
    before = source.table("transformation_estimates").scan().collect()
    joined = rows.join(before, on=["transformation", "results_digest"])
    assert (joined["as_of_seq"] - joined["as_of_seq_right"]).n_unique() == 1, "shifted together"


def test_rounds_go_on_under_the_same_strategy(lake: Lake, rounds: tuple[Lake, str, Path]) -> None:
    source, network, archive = rounds
    import_archive(lake, archive, state=None, caller=ADA)
    assert_same_answers(source, lake, apart_from={"results", "units", "failures"})  # made without objects

    done = advance_network(lake, network, caller=ADA, now=True)

    assert done.round == 3
    newest = lake.table("strategy_rounds").scan().collect()
    assert newest["plan_seq"].n_unique() == 1, "rounds of the same Strategy"


def test_another_scope(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    source, network, archive = real

    done = import_archive(lake, archive, scope=Scope.from_str(OTHER), caller=ADA)

    assert done.networks == (network.replace(SCOPE, OTHER),)
    found, before = answers(lake), answers(source)
    assert_frame_equal(found["ranking"].drop("scope", "network"), before["ranking"].drop("scope", "network"))
    assert not any(SCOPE in text for rows in found.values() for text in _texts(rows))
    assert not verify_lake(lake).flaws


def test_a_lake_with_other_networks_and_results_of_this_one(real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    """It had the network with fewer results, and goes on with its own estimates of all."""
    source, network, archive = real
    lake = new_lake(tmp_path / "filled")
    Campaign(lake).network("other", [("a", "b")])
    submit_network(lake, harmonic_network(3, 3, n_samples=20, name="triangle"), SCOPE, caller=ADA)

    done = import_archive(lake, archive, caller=ADA)

    assert done.n_new_networks == 0
    assert done.n_new["results"] == 3
    assert done.n_new["network_estimates"] == 0
    gather_network(lake, network)
    columns = ["ligand", "value_kcal_mol", "uncertainty_kcal_mol"]
    assert_frame_equal(answers(lake)["ranking"].select(columns), answers(source)["ranking"].select(columns))
    assert lake.network_log.states().get(network) is None, "active, as it was"


def test_a_calculation_with_another_key_is_recognised(real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    _, network, archive = real
    lake = new_lake(tmp_path / "renamed")
    renamed = harmonic_network(3, 3, n_samples=20, name="renamed")
    edges = [gufe.Transformation(e.stateA, e.stateB, e.protocol, mapping=e.mapping, name="x") for e in renamed.edges]
    submit_network(lake, gufe.AlchemicalNetwork(edges=edges, name="renamed"), SCOPE, caller=ADA)
    stored = set(lake.table("transformations").scan().collect()["transformation"])

    done = import_archive(lake, archive, caller=ADA)

    assert done.n_recognised == 3
    assert set(lake.table("transformations").scan().collect()["transformation"]) == stored
    assert set(lake.table("results").scan().collect()["transformation"]) == stored
    gather_network(lake, network)
    assert len(answers(lake)["ranking"]) == 3


@pytest.mark.parametrize("n_points", [4, pytest.param(100, marks=LONG)])
def test_killed_between_any_two_writes_an_import_is_completed_by_repeating_it(
    real: tuple[Lake, str, Path], tmp_path: Path, n_points: int
) -> None:
    source, _, archive = real
    points: list[str] = []
    with fault_hook(points.append):
        import_archive(new_lake(tmp_path / "counted"), archive, caller=ADA)
    own = [point for point in points if point.startswith("import:")]
    assert len(own) > 20
    empty = KeptFolder.of(Path(str(new_lake(tmp_path / "empty").local_path)))
    for n, point in enumerate(drawn(own, n_points)):
        empty.write(tmp_path / str(n))
        lake = Lake.open(tmp_path / str(n))

        def die(name: str, point: str = point) -> None:
            if name == point:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), fault_hook(die):
            import_archive(lake, archive, caller=ADA)
        import_archive(Lake.open(tmp_path / str(n)), archive, caller=ADA)

        assert_same_answers(source, Lake.open(tmp_path / str(n)), apart_from={"states", "history"})
        shutil.rmtree(tmp_path / str(n))


def test_a_dry_run_writes_nothing(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    _, _, archive = real
    before = KeptFolder.of(Path(str(lake.local_path)))

    done = import_archive(lake, archive, dry_run=True)

    assert (done.n_new_networks, done.n_new["results"]) == (1, 3)
    assert KeptFolder.of(Path(str(lake.local_path))).files == before.files


def test_results_without_object_keep_their_numbers(lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    source, network, _ = real
    write_archive(source, [network], tmp_path / "numbers.zip", objects=False, outputs=False)

    done = import_archive(lake, tmp_path / "numbers.zip", caller=ADA)

    assert done.n_without_object == 3
    assert_frame_equal(answers(lake)["ranking"], answers(source)["ranking"])
    assert not verify_lake(lake).flaws
    (row,) = lake.table("imports").scan().collect().to_dicts()
    assert (row["format"], row["n_results"], row["imported_by"]) == ("archive", 3, "ada")


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["flipped", "missing", "cut", "empty", "no checksums", "other name"])
def test_no_damaged_archive_is_imported(lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path, damage: str) -> None:
    _, _, archive = real
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        kept = file.read_bytes()
        if damage == "no checksums" and file.name != "SHA256SUMS":
            continue
        _break(file, damage)
        before = KeptFolder.of(Path(str(lake.local_path))).files
        with pytest.raises(ArchiveError, match=r"not a whole archive|is damaged"):
            import_archive(lake, folder, caller=ADA)
        assert KeptFolder.of(Path(str(lake.local_path))).files == before, f"{damage} {file.name}"
        file.write_bytes(kept)
    import_archive(lake, folder, caller=ADA)


def _break(file: Path, damage: str) -> None:
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 8
        file.write_bytes(data)
    elif damage in ("missing", "no checksums", "other name"):
        file.unlink()
    else:
        file.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")


def test_a_cut_zip_and_other_files_are_refused(lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    _, _, archive = real
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:-100])
    (tmp_path / "other.zip").write_bytes(b"not a zip")
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as foreign:
        foreign.writestr("data.csv", "a,b\n")
    for name in ("cut.zip", "other.zip", "foreign.zip"):
        with pytest.raises(ArchiveError, match=f"{name} is not a whole archive"):
            import_archive(lake, tmp_path / name)
    with pytest.raises(ArchiveError, match="there is no file"):
        import_archive(lake, tmp_path / "absent.zip")


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "a\\b"])
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("SHA256SUMS", f"{'0' * 64}  {name}\n")
    with pytest.raises(ArchiveError, match="malformed"):
        ArchiveFiles(tmp_path / "a.zip")


@pytest.mark.parametrize("newer", ["archive_format", "lake_format"])
def test_an_archive_of_a_newer_version_is_refused(
    lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path, newer: str
) -> None:
    import hashlib

    with zipfile.ZipFile(real[2]) as packed:
        packed.extractall(tmp_path / "newer")
    file, sums = tmp_path / "newer/archive.json", tmp_path / "newer/SHA256SUMS"
    old = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {newer: 99, "package_version": "7.1"}))
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(file.read_bytes()).hexdigest()))
    with pytest.raises(LakeVersionError, match=r"written by alchemiscale-lake 7\.1.*upgrade"):
        import_archive(lake, tmp_path / "newer")
    with pytest.raises(LakeVersionError):
        read_manifest(tmp_path / "newer")


def test_another_object_under_one_key_is_refused(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    source, _, archive = real
    (row,) = source.table("gufe_objects").scan().collect().head(1).to_dicts()
    lake.table("gufe_objects").append_new([row | {"digest": "0" * 64}])

    with pytest.raises(InvalidNetworkError, match=f"another object with the key {row['key']}"):
        import_archive(lake, archive)
    assert lake.table("networks").scan().collect().is_empty()


def test_another_network_with_the_name_is_refused(lake: Lake, real: tuple[Lake, str, Path]) -> None:
    Campaign(lake).network("triangle", [("a", "b")])
    with pytest.raises(AmbiguousScopeError, match="another network with the name 'triangle'"):
        import_archive(lake, real[2])
    import_archive(lake, real[2], scope=OTHER, caller=ADA)


def test_rights_are_needed(lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    source, network, archive = real
    reader = Caller("eve", ((Scope.from_str(SCOPE), "read"),))
    with pytest.raises(PermissionDeniedError, match="'write'"):
        import_archive(lake, archive, caller=reader)
    write_archive(source, [network], tmp_path / "a.zip", caller=reader)
    with pytest.raises(PermissionDeniedError, match="'read'"):
        write_archive(source, [network], tmp_path / "b.zip", caller=Caller("eve", ()))
    assert not (tmp_path / "b.zip").exists()


def _texts(rows: pl.DataFrame) -> Iterator[str]:
    for column in rows.select(pl.col(pl.String)):
        yield from column.drop_nulls()
