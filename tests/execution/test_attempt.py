"""From an assignment to a receipt: what is run, what is left behind, how failures end."""

from __future__ import annotations

import math
import threading
import time
import uuid
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import zstandard

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.errors import NotALakeError, StorageError
from alchemiscale_lake.execution import Assignment, AttemptSpec, execute_assignment
from alchemiscale_lake.execution.executions import read_plan
from alchemiscale_lake.execution.release import read_release
from alchemiscale_lake.execution.stop_requests import ask_to_stop, is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.networks import read_result
from alchemiscale_lake.networks.shared_links import is_shared, shared_keys
from alchemiscale_lake.protocols.harmonic import true_difference_kcal_mol
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, attempt_folder
from tests.example_networks import harmonic_transformation
from tests.execution.bench import SCOPE, Bench, keeping, tries
from tests.execution.scripted import scripted
from tests.generations import GUFE1, without_openfe
from tests.real_data import real_file


def test_good_run_leaves_result_estimate_and_provenance(bench: Bench) -> None:
    transformation = harmonic_transformation(n_windows=2, n_samples=200)
    spec = bench.spec(transformation)

    receipt = bench.run(spec, cores=2)

    result, row = bench.result(receipt), receipt.result
    assert gufe_adapter.dag_ok(result)
    again = gufe_adapter.estimate(transformation, [result])
    assert (row["ok"], row["exception"], row["failed_unit"]) == (True, None, None)
    assert row["estimate_kcal_mol"] == again.value_kcal_mol
    assert row["uncertainty_kcal_mol"] == again.uncertainty_kcal_mol
    assert again.value_kcal_mol is not None
    assert again.uncertainty_kcal_mol is not None
    truth = true_difference_kcal_mol(transformation)
    assert abs(again.value_kcal_mol - truth) < 6 * again.uncertainty_kcal_mol
    assert row["n_units"] == 4
    assert row["cpu_time_s"] == pytest.approx(math.fsum(u["cpu_time_s"] for u in receipt.units))
    assert row["gpu_time_s"] is None
    assert row["gufe_version"] == gufe_adapter.gufe_version()
    assert row["host"] == receipt.host["host"]
    assert (receipt.units[0]["name"], receipt.units[-1]["name"]) == ("setup", "analyse")
    assert all(u["ok"] and u["exit_code"] == 0 and u["peak_memory_bytes"] > 0 for u in receipt.units)
    assert not bench.folder(spec).exists()


@pytest.mark.parametrize("shares", [True, False])
def test_what_the_lake_has_of_a_result_is_not_stored_again(
    bench: Bench, shares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformation = harmonic_transformation(n_windows=2, n_samples=20)
    spec = bench.spec(transformation)
    with monkeypatch.context() as patch:
        patch.setattr("alchemiscale_lake.execution.receipt._SHARING", bench.lake.format + (not shares))
        receipt = bench.run(spec)

    path = receipt.result["object_path"]
    content = zstandard.ZstdDecompressor().decompress(bench.lake.objects.get(path))
    assert is_shared(content) == shares
    assert not shares or {str(transformation.stateA.key), str(transformation.stateB.key)} <= set(
        shared_keys(content, path)
    )
    result = gufe_adapter.loads_chain(read_result(bench.lake, path))
    assert gufe_adapter.dumps_chain(result) == read_result(bench.lake, path)
    assert gufe_adapter.estimate(transformation, [result]).value_kcal_mol == receipt.result["estimate_kcal_mol"]


def test_independent_units_run_side_by_side_within_the_cores(bench: Bench) -> None:
    look = (
        "import os, time; outputs['threads'] = [os.environ['OMP_NUM_THREADS'], os.environ['OPENMM_CPU_THREADS']]\n"
        "time.sleep(0.6)"
    )
    units = dict.fromkeys(("a", "b", "c"), look)

    receipt = bench.run(bench.spec(scripted(units, chained=False)), cores=2)

    assert _most_at_once(receipt.units) == 2
    threads = {r.name: r.outputs["threads"] for r in bench.result(receipt).protocol_unit_results}
    assert threads["a"] == threads["b"] == ["1", "1"]


def test_units_that_hold_a_gpu_run_one_at_a_time(bench: Bench) -> None:
    units = dict.fromkeys(("a", "b", "c"), "import time; time.sleep(0.1)")

    receipt = bench.run(bench.spec(scripted(units, chained=False)), cores=3, gpus=1.0)

    assert _most_at_once(receipt.units) == 1
    assert receipt.result["gpu_time_s"] == pytest.approx(receipt.result["wall_time_s"])


def test_a_lone_unit_may_use_all_cores(bench: Bench) -> None:
    text = "import os; outputs['threads'] = os.environ['OMP_NUM_THREADS']"
    receipt = bench.run(bench.spec(scripted(text)), cores=3)
    assert bench.result(receipt).protocol_unit_results[0].outputs["threads"] == "3"


def test_output_and_logging_of_every_unit_are_kept(bench: Bench) -> None:
    receipt = bench.run(bench.spec(harmonic_transformation(n_windows=1, n_samples=5, talk=True)))
    for unit in receipt.units:
        assert bench.text(unit["stdout_path"]) == f"{unit['name']} speaks on stdout\n"
        assert bench.text(unit["stderr_path"]) == f"{unit['name']} speaks on stderr\n"
        assert f"INFO alchemiscale_lake.protocols._injection: {unit['name']} speaks" in bench.text(unit["log_path"])


def test_output_of_programs_that_a_unit_runs_is_kept_and_cut_to_size(bench: Bench) -> None:
    text = "import subprocess; subprocess.run('echo begin; seq 300000; echo end', shell=True, check=True)"
    receipt = bench.run(bench.spec(scripted(text)))
    kept = bench.text(receipt.units[0]["stdout_path"])
    assert kept.startswith("begin\n1\n")
    assert kept.endswith("300000\nend\n")
    assert "bytes omitted" in kept
    assert len(kept) < 2**20 + 100
    assert receipt.units[0]["stderr_path"] is None


DEATHS = {
    "raise": ("raise ValueError('bad input')", "ValueError", "bad input", "ValueError: bad input"),
    "memory": ("raise MemoryError('no more')", "MemoryError", "no more", "Traceback"),
    "exit": ("import sys; sys.exit(3)", "SystemExit", "3", "Traceback"),
    "os-exit": ("import os; os._exit(7)", "ProcessDied", "exited with code 7", "without output"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "ProcessDied", "signal 11 (SIGSEGV)", "Segmentation fault"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "ProcessDied", "lack of memory", "without output"),
    "not-json": ("outputs['x'] = object()", "Error", "JSON", "Traceback"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_crash_is_a_failed_result(bench: Bench, death: str) -> None:
    text, kind, message, traced = DEATHS[death]
    units = {"first": "pass", "second": f"print('about to fail')\n{text}", "third": "pass"}
    spec = bench.spec(scripted(units))

    receipt = bench.run(spec)

    row = receipt.result
    assert not row["ok"]
    assert row["failed_unit"] == "second"
    assert kind in row["exception"]
    assert message in row["exception"]
    assert tries(receipt) == [("first", 1, True), ("second", 1, False)]
    assert traced in receipt.units[1]["traceback"]
    assert bench.text(receipt.units[1]["stdout_path"]) == "about to fail\n"
    assert row["estimate_kcal_mol"] is None
    assert not gufe_adapter.dag_ok(bench.result(receipt))
    assert bench.folder(spec).exists()


def test_exit_codes_are_on_record(bench: Bench) -> None:
    codes = {}
    for death in ("exit", "os-exit", "kill"):
        receipt = bench.run(bench.spec(scripted(DEATHS[death][0])))
        codes[death] = receipt.units[0]["exit_code"]
    assert codes == {"exit": 3, "os-exit": 7, "kill": -9}


def test_a_hanging_unit_ends_by_timeout(bench: Bench) -> None:
    text = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('stuck'); time.sleep(600)"

    # the timeout counts from the start of the attempt, and start-up takes long on a busy machine
    for timeout_s in (2, 12, 72):
        spec = bench.spec(scripted({"good": "pass", "stuck": text}))
        receipt = bench.run(spec, timeout_s=float(timeout_s), kill_grace_s=0.3)
        if receipt.result["failed_unit"] == "stuck":
            break

    assert receipt.result["exception"] == f"TimeoutError: timeout after {timeout_s} s"
    assert receipt.result["failed_unit"] == "stuck"
    assert tries(receipt) == [("good", 1, True), ("stuck", 1, False)]
    assert bench.text(receipt.units[1]["stdout_path"]) == "stuck\n"
    assert receipt.units[1]["exit_code"] == -9
    assert receipt.result["object_path"] is not None
    assert receipt.result["wall_time_s"] < timeout_s + 60


def test_a_hanging_create_ends_by_timeout(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("pass", in_create="import time; time.sleep(600)")), timeout_s=6.0)
    assert receipt.result["exception"] == "TimeoutError: timeout after 6 s"
    assert receipt.result["failed_unit"] == "create"
    assert receipt.result["n_units"] == 0
    assert "in _create" in receipt.units[0]["traceback"]


def test_a_failing_unit_ends_those_beside_it(bench: Bench) -> None:
    units = {"bad": "import time; time.sleep(0.3); raise ValueError('no')", "slow": "import time; time.sleep(600)"}

    receipt = bench.run(bench.spec(scripted(units, chained=False)), cores=2)

    assert receipt.result["failed_unit"] == "bad"
    by_name = {unit["name"]: unit for unit in receipt.units}
    assert by_name["slow"]["exception"] == "Cancelled: unit bad failed"


def test_a_stopped_attempt_leaves_no_receipt(bench: Bench) -> None:
    spec = bench.spec(scripted("import time; time.sleep(600)"))
    asked: list[str] = []

    def stop(attempt: str) -> bool:
        asked.append(attempt)
        return len(asked) > 2

    started = time.monotonic()
    assert execute_assignment(bench.assignment(spec), stop=stop) == []
    assert time.monotonic() - started < 120.0
    assert set(asked) == {spec.attempt}
    assert not bench.lake.objects.exists(f"{attempt_folder(SCOPE, spec.attempt)}/receipt.arrow")


def test_an_attempt_is_stopped_through_the_lake(bench: Bench) -> None:
    """Without a `stop` function, a worker checks the attempt's folder."""
    spec = bench.spec(scripted("import time; time.sleep(600)"))
    timer = threading.Timer(1.5, ask_to_stop, (bench.lake, spec))
    timer.start()
    started = time.monotonic()
    assert execute_assignment(bench.assignment(spec)) == []
    assert time.monotonic() - started < 120.0
    timer.join()
    folder = attempt_folder(SCOPE, spec.attempt)
    left = {path.rpartition("/")[2] for path in bench.lake.objects.list(folder)}
    assert left - {"stderr.txt"} == {"ended.json", "stop", "unfinished.receipt"}, "a unit may have written to stderr"
    release = read_release(bench.lake, SCOPE, spec.attempt)
    assert release is not None
    assert (release.kind, release.reason) == ("stopped", "the attempt was stopped")


def test_a_silent_storage_has_not_asked_to_stop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(path: str) -> bool:
        raise StorageError("no answer")

    spec = AttemptSpec("a", "Task-1", "Transformation-1", SCOPE)
    monkeypatch.setattr(bench.lake.objects, "exists", silent)
    assert not is_asked_to_stop(bench.lake, spec)


def test_attempts_stopped_before_their_turn_are_not_begun(bench: Bench) -> None:
    first, second = bench.spec(scripted("pass")), bench.spec(scripted("pass"))
    done = execute_assignment(bench.assignment(first, second), stop=lambda attempt: attempt == first.attempt)
    assert done == [second.attempt]
    assert not bench.folder(first).exists()


def test_an_exception_in_create_is_a_failed_result(bench: Bench) -> None:
    spec = bench.spec(scripted("pass", in_create="print('on stdout'); raise ValueError('cannot plan')"))
    receipt = bench.run(spec)
    assert receipt.result["exception"] == "ValueError: cannot plan"
    assert receipt.result["failed_unit"] == "create"
    assert receipt.result["object_path"] is None
    assert tries(receipt) == [("create", 1, False)]
    assert "cannot plan" in receipt.units[0]["traceback"]
    assert bench.text(receipt.units[0]["stdout_path"]) == "on stdout\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [("raise ValueError('cannot gather')", "cannot gather"), ("import os; os.kill(os.getpid(), 11)", "SIGSEGV")],
)
def test_a_failing_gather_keeps_the_good_result(bench: Bench, text: str, said: str) -> None:
    receipt = bench.run(bench.spec(scripted("pass", in_gather=text)))
    assert receipt.result["ok"]
    assert receipt.result["estimate_kcal_mol"] is None
    assert said in receipt.result["exception"]
    assert receipt.result["failed_unit"] == "gather"
    assert receipt.result["n_units"] == 1
    assert gufe_adapter.dag_ok(bench.result(receipt))
    assert tries(receipt) == [("only", 1, True), ("gather", 1, False)]


@without_openfe
def test_a_protocol_that_cannot_be_imported_fails_at_once_naming_class_and_package(bench: Bench) -> None:
    file = real_file("rbfe_lig_ejm_31_solvent_lig_ejm_46_solvent.json")
    submit_network(bench.lake, file, SCOPE)
    stored = bench.lake.table("transformations").scan().collect()
    key = stored.filter(stored["protocol_qualname"] == "RelativeHybridTopologyProtocol")["transformation"][0]

    started = time.monotonic()
    receipt = bench.run(bench.spec(key))

    assert time.monotonic() - started < 120.0
    assert receipt.result["failed_unit"] == "create"
    assert receipt.result["exception"].startswith("MissingClassError: ")
    assert "RelativeHybridTopologyProtocol" in receipt.result["exception"]
    assert "openfe" in receipt.result["exception"]


def test_a_transformation_that_is_not_there_is_a_failed_result(bench: Bench) -> None:
    receipt = bench.run(bench.spec(f"Transformation-{uuid.uuid4().hex}-{SCOPE}"))
    assert receipt.result["failed_unit"] == "prepare"
    assert receipt.result["exception"].startswith("NotFoundError: ")
    assert receipt.units[0]["traceback"]


def test_a_result_is_extended(bench: Bench) -> None:
    stored = bench.store(harmonic_transformation(n_windows=1, n_samples=10))
    first = bench.run(bench.spec(stored))
    spec = bench.spec(stored)
    spec = AttemptSpec(spec.attempt, spec.task, spec.transformation, SCOPE, first.result["object_path"])

    second = bench.run(spec)

    outputs = next(r.outputs for r in bench.result(second).protocol_unit_results if r.name == "analyse")
    assert outputs["n_samples"] == 20


def test_a_damaged_result_is_not_extended_and_the_attempt_names_it(bench: Bench) -> None:
    stored = bench.store(scripted("pass"))
    first = bench.run(bench.spec(stored)).result
    path, digest = first["object_path"], first["digest"]
    damaged = bytearray(bench.lake.objects.get(path, digest=digest))
    damaged[-1] ^= 1
    bench.lake.objects.put(path, bytes(damaged))

    receipt = bench.run(replace(bench.spec(stored), extends_result=path, extends_digest=digest))

    assert not receipt.result["ok"]
    assert receipt.result["failed_unit"] == "prepare"
    assert receipt.result["exception"].startswith(f"DamagedError: {path} in the lake is damaged")


def test_an_attempt_with_a_receipt_is_not_run_again(bench: Bench) -> None:
    spec = bench.spec(scripted("pass"))
    first = bench.run(spec)
    folder = attempt_folder(SCOPE, spec.attempt)
    listed = bench.lake.objects.list(folder)
    assert bench.run(spec) == first
    assert bench.lake.objects.list(folder) == listed


@pytest.mark.parametrize("place", ["before-result", "before-receipt"])
def test_a_crash_before_the_receipt_is_repaired_by_running_again(bench: Bench, place: str) -> None:
    spec = bench.spec(scripted("pass"))

    def crash(name: str) -> None:
        if name == f"execution:{place}":
            raise KeyboardInterrupt

    with fault_hook(crash), pytest.raises(KeyboardInterrupt):
        execute_assignment(bench.assignment(spec))
    receipt = bench.run(spec)

    assert gufe_adapter.dag_ok(bench.result(receipt))
    assert tries(receipt) == [("only", 1, True)]


def test_two_executions_of_one_attempt_leave_one_whole_receipt(bench: Bench, tmp_path: Path) -> None:
    spec = bench.spec(scripted("import time; time.sleep(0.3)"))
    done: list[list[str]] = []

    def run(work: Path) -> None:
        done.append(execute_assignment(bench.assignment(spec, work_root=str(work))))

    threads = [threading.Thread(target=run, args=(tmp_path / name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [[spec.attempt], [spec.attempt]]
    receipt = bench.receipt(spec)
    keys = {str(r.source_key) for r in bench.result(receipt).protocol_unit_results}
    assert keys == {unit["unit"] for unit in receipt.units}


def test_files_asked_for_are_kept(bench: Bench) -> None:
    text = "deep = shared / 'deep'; deep.mkdir(); (deep / 'a.nc').write_bytes(b'trajectory'); (deep / 'b').touch()"
    receipt = bench.run(bench.spec(scripted(text)), files=keeping("**/*.nc"))
    assert len(receipt.files) == 1
    kept = receipt.files[0]
    assert (kept["path"], kept["kept_by"]) == ("shared/00-only/deep/a.nc", "shared:**/*.nc")
    assert kept["unit"] == receipt.units[0]["unit"]
    assert bench.lake.objects.get(kept["object_path"]) == b"trajectory"


def test_a_lake_that_does_not_answer_leaves_the_attempt_without_receipt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise StorageError("no answer")

    spec = bench.spec(scripted("pass"))
    monkeypatch.setattr("alchemiscale_lake.execution.attempt.transformation_chain", refuse)
    assert execute_assignment(bench.assignment(spec)) == []
    assert read_plan(bench.folder(spec)) is None


def test_a_lake_that_comes_back_gets_the_result(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = bench.spec(scripted("pass"))
    put, refused = type(bench.lake.objects).put_exclusive, []

    def sometimes(self: object, path: str, data: bytes) -> bool:
        if path.endswith("result.json.zst") and not refused:
            refused.append(path)
            raise StorageError("no answer")
        return put(self, path, data)  # type: ignore[arg-type]

    monkeypatch.setattr(type(bench.lake.objects), "put_exclusive", sometimes)
    assert bench.run(spec).result["ok"]
    assert refused


def test_no_lake_no_execution(tmp_path: Path, bench: Bench) -> None:
    assignment = Assignment(str(tmp_path / "nowhere"), "pool", (bench.spec(scripted("pass")),))
    with pytest.raises(NotALakeError):
        execute_assignment(assignment)


def test_work_lies_in_the_folder_of_a_lake_by_default(tmp_path: Path) -> None:
    bench = Bench(Lake.create(tmp_path / "lake"), tmp_path / "lake" / "work")
    spec = bench.spec(scripted("raise ValueError"))
    bench.run(spec, work_root=None)
    assert bench.folder(spec).is_dir()


def test_a_unit_that_ran_twice_is_twice_in_the_result(bench: Bench) -> None:
    text = "mark = shared / 'mark'\nif not mark.exists(): mark.touch(); raise ValueError('once')"
    receipt = bench.run(bench.spec(scripted(text)), unit_retries=1)
    assert tries(receipt) == [("only", 1, False), ("only", 2, True)]
    assert receipt.result["ok"]
    # gufe 0.4 keeps only one per unit
    assert len(bench.result(receipt).protocol_unit_results) == (2 if GUFE1 else 1)


def _most_at_once(units: object) -> int:
    moments: list[tuple[datetime, int]] = []
    for unit in units:  # type: ignore[attr-defined]
        moments += [(unit["started_at"], 1), (unit["ended_at"], -1)]
    running = most = 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    return most
