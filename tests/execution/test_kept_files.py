"""Files of attempts that stay in the lake: which, up to which size, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import NotWritableError, StorageError
from alchemiscale_lake.execution import execute_assignment, kept_files, patience
from alchemiscale_lake.execution.stored_assignment import store_assignment
from alchemiscale_lake.schemas.receipt import Receipt
from alchemiscale_lake.store import Lake, keep_content
from tests.execution.bench import SCOPE, Bench, keeping, wait_for
from tests.execution.scripted import scripted
from tests.s3 import Way

KEPT = ("path", "kept_by")


def rows(receipt: Receipt) -> list[tuple[Any, ...]]:
    return [tuple(file[name] for name in KEPT) for file in receipt.files]


def content(bench: Bench, receipt: Receipt) -> dict[str, bytes]:
    return {file["path"]: bench.lake.objects.get(file["object_path"], digest=file["digest"]) for file in receipt.files}


# --- which files ----------------------------------------------------------------------------------


def test_files_of_the_permanent_folder_are_kept(bench: Bench) -> None:
    text = "(permanent / 'deep').mkdir(); (permanent / 'deep' / 'a.nc').write_bytes(b'trajectory')"
    receipt = bench.run(bench.spec(scripted(text)))

    assert rows(receipt) == [("permanent/00-only/deep/a.nc", "permanent")]
    assert content(bench, receipt) == {"permanent/00-only/deep/a.nc": b"trajectory"}
    assert receipt.files[0]["unit"] == receipt.units[0]["unit"]


def test_a_registered_file_is_moved_from_scratch_and_read_by_later_units(bench: Bench) -> None:
    first = "(scratch / 'a.dat').write_bytes(b'1'); outputs['at'] = permanent.register('a.dat')"
    second = "at = inputs['before'][0].outputs['at']; outputs['read'] = permanent.load(at).decode()"
    receipt = bench.run(bench.spec(scripted({"first": first, "second": second})))

    assert rows(receipt) == [("permanent/00-first/a.dat", "permanent")]
    outputs = [result.outputs for result in bench.result(receipt).protocol_unit_results]
    assert {"read": "1"} in outputs


def test_a_unit_that_did_not_write_what_it_registered_fails(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("permanent.register('a.dat')")))
    assert not receipt.result["ok"]
    assert "a.dat" in receipt.result["exception"]


def test_a_failed_unit_keeps_what_there_is(bench: Bench) -> None:
    text = "(scratch / 'a').touch(); permanent.register('a'); permanent.register('b'); raise ValueError('its own')"
    receipt = bench.run(bench.spec(scripted(text)))
    assert "its own" in receipt.result["exception"]
    assert rows(receipt) == [("permanent/00-only/a", "permanent")]


@pytest.mark.parametrize("cores", [1, 2], ids=["one process", "a process each"])
def test_patterns_keep_files_of_shared_and_scratch(bench: Bench, cores: int) -> None:
    text = "[(f / n).write_text(n) for f in (shared, scratch) for n in ('a.nc', 'a.log', 'b')]"
    units = {"first": text, "second": "raise ValueError"} if cores == 1 else {"first": text, "second": text}
    spec = bench.spec(scripted(units, chained=cores == 1))
    receipt = bench.run(spec, files=keeping("*.nc", scratch=("*.log",)), cores=cores)

    first = [("shared/00-first/a.nc", "shared:*.nc"), ("scratch/00-first-1/a.log", "scratch:*.log")]
    assert [row for row in rows(receipt) if "first" in row[0]] == first
    assert content(bench, receipt)["scratch/00-first-1/a.log"] == b"a.log"


def test_patterns_are_those_of_the_protocol(bench: Bench) -> None:
    rules = keeping("*").model_copy(update={"keep": keeping("a").keep | {"ScriptedProtocol": keeping("b").keep["*"]}})
    spec = bench.spec(scripted("[(shared / n).touch() for n in 'ab']"))
    assert rows(bench.run(spec, files=rules)) == [("shared/00-only/b", "shared:b")]


def test_links_are_not_followed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of another user")
    at = f"import os; at = {str(tmp_path)!r}"
    text = f"{at}; os.symlink(at, permanent / 'd'); os.symlink(at + '/secret', permanent / 'f')"
    receipt = bench.run(bench.spec(scripted(text)), files=keeping("**/*"))
    assert (receipt.result["ok"], receipt.files, receipt.refused) == (True, [], [])


def test_the_next_attempt_keeps_files_of_units_that_an_earlier_one_ran(bench: Bench) -> None:
    flag = bench.work / "flag"
    units = {
        "first": "(permanent / 'a').write_text('a')",
        "second": f"import pathlib; pathlib.Path({str(flag)!r}).read_text()",
    }
    failed = bench.spec(scripted(units))
    assert not bench.run(failed, unit_retries=0).result["ok"]
    flag.write_text("")
    again = bench.run(bench.spec(failed.transformation, like=failed))
    assert again.result["ok"]
    assert rows(again) == [("permanent/00-first/a", "permanent")]


def test_a_clean_start_forgets_files(bench: Bench) -> None:
    text = "(permanent / ('y' if list(permanent.iterdir()) else 'x')).touch(); raise ValueError"
    receipt = bench.run(bench.spec(scripted(text)), unit_retries=2, fail_fast_s=0.0)
    # the third try starts in empty folders
    assert rows(receipt) == [("permanent/00-only/x", "permanent")]


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "earlier", "word"),
    [
        ({"per_file_bytes": 2**20}, (0, None), "per_file"),
        ({"per_task_bytes": 2**21}, (2**20, None), "per_task"),
        ({"per_scope_bytes": 2**21}, (0, 2**20), "per_scope"),
    ],
)
def test_a_limit_fails_the_file_and_not_the_result(
    bench: Bench, limits: dict[str, int], earlier: tuple[int, int | None], word: str
) -> None:
    from dataclasses import replace

    text = "(permanent / 'a').write_bytes(bytes(1000)); (permanent / 'b').write_bytes(bytes(2**20 + 1))"
    spec = replace(bench.spec(scripted(text)), kept_bytes=earlier[0], scope_kept_bytes=earlier[1])
    receipt = bench.run(spec, files=keeping(**limits))

    assert receipt.result["ok"]
    assert rows(receipt) == [("permanent/00-only/a", "permanent")]
    (refused,) = receipt.refused
    assert (refused["path"], refused["n_bytes"], refused["kept_by"]) == ("permanent/00-only/b", 2**20 + 1, "permanent")
    assert word in refused["reason"]


def test_too_many_files_are_one_row(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "MOST_FILES", 2)
    receipt = bench.run(bench.spec(scripted("[(permanent / n).write_text(n) for n in 'abcd']")))
    assert [file["path"][-1] for file in receipt.files] == ["a", "b"]
    (refused,) = receipt.refused
    assert (refused["path"][-1], refused["n_bytes"]) == ("c", 2)
    assert "2 files beyond the first 2" in refused["reason"]


# --- storage --------------------------------------------------------------------------------------


def test_the_same_content_is_stored_once(bench: Bench) -> None:
    name = os.urandom(8).hex()
    transformation = scripted(f"(permanent / 'a').write_text({name!r}); (permanent / 'b').write_text({name!r})")
    first = bench.run(spec := bench.spec(transformation))
    second = bench.run(bench.spec(spec.transformation))
    assert len({file["object_path"] for receipt in (first, second) for file in receipt.files}) == 1


def test_a_lake_that_forbids_files_gets_the_result(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotWritableError("permission denied")

    monkeypatch.setattr(type(bench.lake.objects), "put_stream", refuse)
    receipt = bench.run(bench.spec(scripted(f"(permanent / 'a').write_text({os.urandom(8).hex()!r})")))
    assert (receipt.result["ok"], receipt.files) == (True, [])
    assert "permission denied" in receipt.refused[0]["reason"]


def test_a_lake_that_does_not_accept_files_is_waited_for_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def refuse(*_: object, **__: object) -> None:
        calls.append(_)
        raise StorageError("no answer")

    monkeypatch.setattr(type(bench.lake.objects), "put_stream", refuse)
    monkeypatch.setattr(patience, "_PATIENCE_S", 0.0)
    receipt = bench.run(
        bench.spec(scripted(f"[(permanent / n).write_text(n + {os.urandom(8).hex()!r}) for n in 'ab']"))
    )
    assert receipt.result["ok"]
    assert [len(calls), len(receipt.refused)] == [1, 2]


def patient(call: Callable[[], object]) -> object:
    """Call again if the storage does not answer, as a worker does; a busy machine sends parts slowly."""
    for _ in range(20):
        with contextlib.suppress(StorageError):
            return call()
    return call()


def test_uploads_to_a_bucket_survive_refusals(bucket_lake: str, way: Way, tmp_path: Path) -> None:
    lake, path, data = Lake.open(bucket_lake), tmp_path / "a.nc", os.urandom(20 * 2**20)
    path.write_bytes(data)
    rules = [way.misbehave("unavailable", method=method, path="/files/", times=2) for method in ("PUT", "POST")]

    kept = keep_content(lake.objects, SCOPE, "0" * 32, path, patiently=patient)

    assert [rule.applied for rule in rules] == [2, 2]
    assert kept.digest == hashlib.sha256(data).hexdigest()
    assert b"".join(lake.objects.read_stream(kept.object_path)) == data
    assert b"".join(lake.objects.read_stream(kept.object_path, start=15 * 2**20)) == data[15 * 2**20 :]


# --- a worker that is killed ----------------------------------------------------------------------

_WORKER = """
    import sys
    from alchemiscale_lake.execution import execute_assignment
    from alchemiscale_lake.execution.stored_assignment import load_assignment
    from alchemiscale_lake.faults import fault_hook
    from alchemiscale_lake.store import Lake
    import os, signal

    seen = 0
    def kill(name):
        global seen
        seen += name == "objects:block-copied"
        if seen == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    lake = Lake.open(sys.argv[1])
    with fault_hook(kill):
        execute_assignment(load_assignment(lake, sys.argv[2]))
"""


def test_a_worker_killed_in_the_middle_of_an_upload_is_continued(bench: Bench) -> None:
    big = f"(permanent / 'a').write_bytes(bytes.fromhex({os.urandom(8).hex()!r}) * 2**20)"
    text = f"{big}; (permanent / 'b').write_text('b')"
    first = bench.spec(scripted(text))
    stored = store_assignment(bench.lake, bench.assignment(first))
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_WORKER), bench.lake.url, stored], check=False, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL
    (part,) = [o for o in bench.lake.objects.list_with_times("files") if o.is_temporary]
    assert part.n_bytes == 5 * 2**20
    (run,) = (bench.folder(first) / "runs").glob("00-only-*")

    second = bench.spec(first.transformation, like=first)
    receipt = bench.run(second)

    assert [file["path"] for file in receipt.files] == ["permanent/00-only/a", "permanent/00-only/b"]
    assert all(content(bench, receipt).values())
    assert [o.path for o in bench.lake.objects.list_with_times("files") if o.is_temporary] == []
    assert run.name == "00-only-1", "the unit did not run again"


_KEEPER = """
    import sys
    from pathlib import Path
    from alchemiscale_lake.store import Lake, keep_content
    objects = Lake.open(sys.argv[1]).objects
    keep_content(objects, sys.argv[2], "0" * 32, Path(sys.argv[3]), patiently=lambda call: call())
"""


def test_a_worker_killed_in_the_middle_of_an_upload_to_a_bucket_starts_it_anew(
    bucket_lake: str, way: Way, tmp_path: Path
) -> None:
    lake, path, data = Lake.open(bucket_lake), tmp_path / "a.nc", os.urandom(30 * 2**20)
    path.write_bytes(data)
    third_part = way.misbehave("stall", method="PUT", path="/data", after=2)
    command = [sys.executable, "-c", textwrap.dedent(_KEEPER), bucket_lake, SCOPE, str(path)]
    with subprocess.Popen(command) as worker:
        wait_for(lambda: third_part.applied)
        worker.kill()
    assert worker.returncode == -signal.SIGKILL
    found = [name.rpartition("/")[2] for name in lake.objects.list("files")]
    assert found == [f"{'0' * 32}.use"], "a file appears whole or not at all"

    kept = keep_content(lake.objects, SCOPE, "0" * 32, path, patiently=patient)

    assert kept.new
    assert b"".join(lake.objects.read_stream(kept.object_path)) == data


def test_memory_does_not_grow_with_a_file(bench: Bench) -> None:
    """A sparse file of 2 GB: peak resident memory of the process that stores it."""
    big = bench.work / "big"
    big.parent.mkdir(parents=True, exist_ok=True)
    with big.open("wb") as file:
        file.write(b"head")
        file.truncate(2 * 2**30)
    code = """
        import resource, sys
        from pathlib import Path
        from alchemiscale_lake.store import Lake, keep_content
        lake = Lake.open(sys.argv[1])
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        kept = keep_content(lake.objects, "a-b-c", "0" * 32, Path(sys.argv[2]), patiently=lambda call: call())
        print(peak() - before, kept.n_bytes, kept.object_path)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), bench.lake.url, str(big)],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    grown_kib, n_bytes, path = done.stdout.split()
    assert int(n_bytes) == 2 * 2**30
    assert int(grown_kib) < 64 * 1024, f"{grown_kib} KiB"
    assert bench.lake.local_path is not None
    assert (bench.lake.local_path / path).stat().st_blocks * 512 < 2**24, "holes stay holes"


def test_an_old_worker_folder_is_used(bench: Bench) -> None:
    spec = bench.spec(scripted("pass"))
    bench.folder(spec).mkdir(parents=True)
    assert execute_assignment(bench.assignment(spec)) == [spec.attempt]
