"""Files of an extended Task, in the work folder of the one that extends it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from alchemiscale_lake.errors import ContentError, DamagedError
from alchemiscale_lake.execution.assignment import AttemptSpec, ExtendedFile
from alchemiscale_lake.execution.fetched_files import fetch_extended_files
from alchemiscale_lake.execution.patience import StoppedError
from alchemiscale_lake.execution.stored_assignment import load_assignment, store_assignment
from alchemiscale_lake.execution.watch import Watch
from alchemiscale_lake.settings import FileRules
from alchemiscale_lake.statestore.extended_files import extended_files
from alchemiscale_lake.statestore.result_recording import GoodResult
from alchemiscale_lake.store import keep_content
from tests.execution.bench import SCOPE, Bench, keeping
from tests.execution.scripted import scripted

WRITE = (
    "(scratch / 'a.dat').write_bytes(b'from the first'); outputs['at'] = permanent.register('a.dat'); "
    "(shared / 'traj.nc').write_bytes(b'frames')"
)


def extending(bench: Bench, text: str) -> tuple[AttemptSpec, AttemptSpec]:
    """Run a Task that keeps two files; return it, and one that extends it."""
    first = bench.spec(scripted(WRITE))
    receipt = bench.run(first, files=keeping("*.nc"))
    bench.lake.table("result_files").append_new(receipt.files)
    path, digest = receipt.result["object_path"], receipt.result["digest"]
    files = extended_files(bench.lake, {first.task: GoodResult(path, digest, first.attempt)}, FileRules())
    spec = bench.spec(scripted(text))
    return first, replace(spec, extends_result=path, extends_digest=digest, extends_files=files[first.task])


def test_the_extending_task_loads_what_the_first_registered(bench: Bench) -> None:
    read = (
        "token = permanent.extended.name; "
        "outputs['loaded'] = permanent.load(token + '/00-only/a.dat').decode(); "
        "outputs['frames'] = (permanent.extended / '00-only' / 'traj.nc').read_text()"
    )
    first, spec = extending(bench, read)
    receipt = bench.run(spec)
    assert receipt.result["ok"], receipt.result["exception"]
    (unit,) = bench.result(receipt).protocol_unit_results
    assert unit.outputs == {"loaded": "from the first", "frames": "frames"}
    assert receipt.files == []  # they belong to the first
    assert spec.extends_files[0].location.startswith(f"{first.task.split('-')[1]}/00-only/")


def test_an_attempt_that_starts_clean_has_them_again(bench: Bench) -> None:
    spoils = "f = permanent.extended / '00-only' / 'a.dat'; f.read_text(); f.unlink(); raise ValueError('read')"
    _, spec = extending(bench, spoils)
    for one in (spec, replace(spec, attempt=bench.spec(spec.transformation, like=spec).attempt)):
        receipt = bench.run(one, unit_retries=0)
        assert "ValueError" in receipt.result["exception"]


def test_without_an_extended_task_there_is_no_folder(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("outputs['none'] = permanent.extended is None")))
    (unit,) = bench.result(receipt).protocol_unit_results
    assert unit.outputs == {"none": True}


@pytest.fixture
def file(bench: Bench, tmp_path: Path) -> ExtendedFile:
    (tmp_path / "a").write_bytes(b"content")
    kept = keep_content(bench.lake.objects, SCOPE, "1" * 32, tmp_path / "a", patiently=lambda call: call())
    return ExtendedFile("token/00-sim/a", kept.object_path, kept.digest, kept.n_bytes)


def test_a_file_that_is_gone_is_left_out_and_a_damaged_one_is_an_error(
    bench: Bench, file: ExtendedFile, tmp_path: Path
) -> None:
    watch = Watch(Future())
    gone = replace(file, location="token/00-sim/gone", object_path=f"{file.object_path}-{'2' * 32}")
    fetch_extended_files(bench.lake, (gone, file), tmp_path / "permanent", watch)
    found = [path.name for path in (tmp_path / "permanent").rglob("*") if path.is_file()]
    assert found == ["a"]
    with pytest.raises(DamagedError, match="SHA-256"):
        fetch_extended_files(bench.lake, [replace(file, digest="0" * 64)], tmp_path / "other", watch)


@pytest.mark.parametrize("location", ["../a", "/etc/passwd", "token/../../a", ""])
def test_a_location_is_never_outside(bench: Bench, file: ExtendedFile, tmp_path: Path, location: str) -> None:
    with pytest.raises(ContentError, match="not the location"):
        fetch_extended_files(bench.lake, [replace(file, location=location)], tmp_path / "permanent", Watch(Future()))


def test_a_stop_ends_the_copying(bench: Bench, file: ExtendedFile, tmp_path: Path) -> None:
    told: Future[None] = Future()
    told.set_result(None)
    with pytest.raises(StoppedError):
        fetch_extended_files(bench.lake, [file], tmp_path / "permanent", Watch(told))
    assert not (tmp_path / "permanent" / file.location).exists()


def test_a_stored_assignment_has_them(bench: Bench, file: ExtendedFile) -> None:
    spec = replace(bench.spec("Transformation-1-" + SCOPE), extends_files=(file,))
    stored = store_assignment(bench.lake, bench.assignment(spec))
    assert load_assignment(bench.lake, stored).attempts[0].extends_files == (file,)
