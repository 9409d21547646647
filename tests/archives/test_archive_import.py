"""Archives taken into lakes: the same answers, whatever was there, killed or damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import gufe
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from alchemiscale_lake.archives import import_archive, read_manifest, write_archive
from alchemiscale_lake.archives.archived_history import task_history
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
from alchemiscale_lake.networks import read_result
from alchemiscale_lake.rounds import advance_network
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.lake_verification import verify_lake
from alchemiscale_lake.statestore.network_copies import copy_network
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import set_tasks_status
from alchemiscale_lake.store import Lake
from tests.archives.archived_campaigns import ADA, SCOPE, answers, real_campaign
from tests.campaign import Campaign
from tests.example_networks import harmonic_network
from tests.lakes import KeptFolder, new_lake
from tests.long import LONG, drawn
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


def assert_same_answers(one: Lake, other: Lake, *, apart_from: Collection[str] = ()) -> None:
    before, after = answers(one), answers(other)
    for name in before.keys() - set(apart_from):
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


def test_estimates_gathered_later_are_newer(tmp_path: Path) -> None:
    """Although the lake that they came from has counted many more commits, most of them of other networks."""
    source, lake = new_lake(tmp_path / "source"), new_lake(tmp_path / "lake")
    network = real_campaign(source, tmp_path / "work")
    busy = Campaign(source)
    busy.network("busy", [("a", "b")])
    for _ in range(20):
        busy.new_tasks("AlchemicalNetwork-busy-" + SCOPE, ["a_b_other"])
    lake_rows = source.table("network_estimates").scan().collect()
    late = lake_rows.with_columns(round=pl.lit(2, pl.Int64), as_of_seq=pl.lit(source.task_log.states().seq, pl.Int64))
    source.table("network_estimates").append_new(late)
    write_archive(source, [network], tmp_path / "a.zip")

    import_archive(lake, tmp_path / "a.zip", caller=ADA)

    rows = lake.table("network_estimates").scan().collect()
    assert max(rows["as_of_seq"]) == lake.task_log.states().seq
    by_round = rows.group_by("round").agg(pl.col("as_of_seq").first()).sort("round")["as_of_seq"]
    before = pl.concat([lake_rows, late]).group_by("round").agg(pl.col("as_of_seq").first()).sort("round")["as_of_seq"]
    assert by_round.diff().to_list() == before.diff().to_list(), "shifted together"


def test_a_task_that_was_given_up_here_stays_so(real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    source, network, archive = real
    lake = new_lake(tmp_path / "given-up")
    write_archive(source, [network], tmp_path / "early.zip")
    import_archive(lake, archive, caller=ADA)
    complete = answers(source)["states"].filter(status="complete")["task"].to_list()
    waiting = answers(lake)["states"].filter(status="waiting")["task"].to_list()
    set_tasks_status(lake, waiting[:1], "invalid", caller=ADA)
    log = source.table("task_log").scan().collect()
    ends = log.filter(event="completed").head(1)
    ended = ends.with_columns(task=pl.lit(waiting[0]), of_attempt=pl.lit("f" * 32))

    history = task_history(lake.task_log.states(), pl.concat([log, ended]), ADA)

    assert history.is_empty(), "all Tasks are known here; the invalid one is not completed, the complete ones are"
    assert set(complete) <= set(answers(lake)["states"].filter(status="complete")["task"])
    late = ended.with_columns(task=pl.lit(waiting[1]))
    (row,) = task_history(lake.task_log.states(), pl.concat([log, late]), ADA).to_dicts()
    assert (row["task"], row["status"], row["event"], row["at"]) == (waiting[1], "complete", "completed", late["at"][0])


def test_copied_results_are_read_where_their_own_scope_is_missing(
    real: tuple[Lake, str, Path], lake: Lake, tmp_path: Path
) -> None:
    source, network = copy_of(real[0], tmp_path), real[1]
    copied = copy_network(source, network, "org-campaign-copies", caller=ADA).network
    write_archive(source, [copied], tmp_path / "copy.zip")
    before = {row["task"]: read_result(source, row["object_path"], row["digest"]) for row in results_of(source, copied)}

    import_archive(lake, tmp_path / "copy.zip", caller=ADA)

    after = {row["task"]: read_result(lake, row["object_path"], row["digest"]) for row in results_of(lake, copied)}
    assert after == before
    assert len(after) == 3
    assert lake.table("networks").scan().collect()["network"].to_list() == [copied]
    assert not verify_lake(lake).flaws


def copy_of(lake: Lake, folder: Path) -> Lake:
    """Return a copy of a lake that other tests read."""
    return Lake.open(shutil.copytree(Path(str(lake.local_path)), folder / "copied"))


def results_of(lake: Lake, network: str) -> list[dict[str, object]]:
    scope = network.split("-", 2)[2]
    return lake.table("results").scan().filter(scope=scope).collect().to_dicts()


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


@pytest.mark.parametrize(
    "place",
    [
        "keys/receipts.json",
        "tables/tasks/_delta_log/00000000000000000099.json",
        "attempts/{scope}/{attempt}/receipt.arrow",
        "attempts/{scope}/{attempt}/unfinished.receipt",
        "attempts/{scope}/{attempt}/../../x",
        "imports/{scope}/{sha}.json.zst",
        "files/{scope}/{sha}/data",
        "unnamed",
    ],
)
def test_an_archive_writes_nothing_but_the_objects_of_its_networks(
    lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path, place: str
) -> None:
    """Made by hand: a row names the place, and the digests are right."""
    folder, content = tmp_path / "made", b"anything"
    with zipfile.ZipFile(real[2]) as packed:
        packed.extractall(folder)
    table = folder / "tables/results.parquet"
    rows = pl.read_parquet(table)
    where = place.format(scope=SCOPE, attempt=rows["attempt"][0], sha="0" * 64)
    rows = rows.with_columns(
        object_path=pl.when(pl.int_range(len(rows)) == 0).then(pl.lit(where)).otherwise("object_path")
    )
    if place != "unnamed":
        pq.write_table(rows.to_arrow(), table)
    sums = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    file = folder / "objects" / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    sums |= {f"objects/{where}": hashlib.sha256(content).hexdigest()}
    sums |= {"tables/results.parquet": hashlib.sha256(table.read_bytes()).hexdigest()}
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    before = KeptFolder.of(Path(str(lake.local_path))).files

    with pytest.raises(ArchiveError, match=r"not part of its networks|malformed"):
        import_archive(lake, folder, caller=ADA)

    assert KeptFolder.of(Path(str(lake.local_path))).files == before


def test_rows_of_other_scopes_need_rights_there(lake: Lake, real: tuple[Lake, str, Path], tmp_path: Path) -> None:
    source, network = copy_of(real[0], tmp_path), real[1]
    copied = copy_network(source, network, "org-campaign-rights", caller=ADA).network
    write_archive(source, [copied], tmp_path / "copy.zip")
    writer = Caller("eve", ((Scope.from_str("org-campaign-rights"), "write"),))

    with pytest.raises(PermissionDeniedError, match=f"'write' right in {SCOPE}"):
        import_archive(lake, tmp_path / "copy.zip", caller=writer)


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
