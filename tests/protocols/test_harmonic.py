"""HarmonicProtocol compared with exact results, and each of its options."""

from __future__ import annotations

import faulthandler
import logging
import math
import multiprocessing
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.protocols.harmonic import (
    HarmonicProtocol,
    HarmonicSettings,
    true_difference_kcal_mol,
)
from alchemiscale_lake.protocols.noop import NoOpProtocol, NoOpSettings
from tests import example_networks
from tests.contracts.protocol_contract import FOLDERS, run_dag
from tests.generations import gufe1


def test_estimates_scatter_around_the_truth_as_their_uncertainties_say(tmp_path: Path) -> None:
    errors = []
    for seed in range(40):
        transformation = example_networks.harmonic_transformation(seed=seed, n_samples=100, protocol_seed=seed)
        found = gufe_adapter.estimate(transformation, [run_dag(transformation, tmp_path / str(seed))])
        errors.append((found.value_kcal_mol - true_difference_kcal_mol(transformation)) / found.uncertainty_kcal_mol)

    # of 40 standard normal numbers the mean has a standard deviation of 0.16, and their spread one of 0.11
    assert abs(statistics.fmean(errors)) < 3 * 0.16
    assert abs(statistics.pstdev(errors) - 1.0) < 3 * 0.11


def test_seed_gives_the_same_numbers_in_every_execution(tmp_path: Path) -> None:
    seeded = example_networks.harmonic_transformation(n_samples=10, protocol_seed=5)

    found = [gufe_adapter.estimate(seeded, [run_dag(seeded, tmp_path / str(i))]) for i in range(2)]

    assert found[0] == found[1]


def test_without_a_seed_executions_differ(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=10)

    found = {gufe_adapter.estimate(transformation, [run_dag(transformation, tmp_path / str(i))]) for i in range(3)}

    assert len(found) == 3


def test_non_transformation_is_exactly_zero(tmp_path: Path) -> None:
    transformation = example_networks.non_transformation(n_samples=10)

    found = gufe_adapter.estimate(transformation, [run_dag(transformation, tmp_path)])

    assert found == gufe_adapter.Estimate(0.0, 0.0)


# --- extending and gathering --------------------------------------------------------------------


def test_extending_adds_samples_and_lowers_the_uncertainty(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=200)
    first = run_dag(transformation, tmp_path / "1")
    second = run_dag(transformation, tmp_path / "2", extends=first)
    third = run_dag(transformation, tmp_path / "3", extends=second)

    found = [gufe_adapter.estimate(transformation, [result]) for result in (first, third)]

    assert [_outputs(r, "analyse")["n_samples"] for r in (first, second, third)] == [600, 1200, 1800]
    assert found[1].uncertainty_kcal_mol == pytest.approx(found[0].uncertainty_kcal_mol / math.sqrt(3), rel=0.25)


def test_seeded_extension_draws_other_numbers(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5, protocol_seed=1)
    first = run_dag(transformation, tmp_path / "1")
    second = run_dag(transformation, tmp_path / "2", extends=first)

    works = _outputs(second, "sample-000")["w_f"]

    assert works[:5] == _outputs(first, "sample-000")["w_f"]
    assert not set(works[:5]) & set(works[5:])


def test_an_extended_result_is_not_counted_twice(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=20)
    first = run_dag(transformation, tmp_path / "1")
    second = run_dag(transformation, tmp_path / "2", extends=first)
    other = run_dag(transformation, tmp_path / "3")

    assert gufe_adapter.estimate(transformation, [first, second]) == gufe_adapter.estimate(transformation, [second])
    assert gufe_adapter.estimate(transformation, [first, first]) == gufe_adapter.estimate(transformation, [first])
    assert gufe_adapter.estimate(transformation, [second, other]) != gufe_adapter.estimate(transformation, [second])


def test_mean_of_independent_results(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=20)
    results = [run_dag(transformation, tmp_path / str(i)) for i in range(4)]

    each = [gufe_adapter.estimate(transformation, [result]) for result in results]
    found = gufe_adapter.estimate(transformation, results)

    assert found.value_kcal_mol == pytest.approx(statistics.fmean(e.value_kcal_mol for e in each))
    assert found.uncertainty_kcal_mol == pytest.approx(math.hypot(*(e.uncertainty_kcal_mol for e in each)) / 4)


def test_other_windows_cannot_be_extended(tmp_path: Path) -> None:
    first = run_dag(example_networks.harmonic_transformation(n_windows=2, n_samples=5), tmp_path)

    with pytest.raises(SettingsError, match="n_windows=3"):
        gufe_adapter.create_protocol_dag(example_networks.harmonic_transformation(n_windows=3), extends=first)


@gufe1
def test_estimates_are_quantities(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5)

    gathered = transformation.gather([run_dag(transformation, tmp_path)])

    assert str(gathered.get_estimate().u) == "kilocalorie_per_mole"
    assert gathered.n_protocol_dag_results == 1


# --- settings -----------------------------------------------------------------------------------


def test_settings_are_frozen_once_attached() -> None:
    settings = HarmonicProtocol.default_settings()
    settings.n_samples = 7
    protocol = HarmonicProtocol(settings)

    with pytest.raises(AttributeError, match="immutable"):
        protocol.settings.n_samples = 8

    settings.n_samples = 9
    assert protocol.settings.n_samples == 7
    assert protocol.settings.unfrozen_copy() == protocol.settings


@pytest.mark.parametrize("wrong", [{"n_sample": 5}, {"n_samples": 1}, {"fail": "explode"}, {"duration_s": -1}])
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        HarmonicProtocol.with_settings(**wrong)


def test_settings_of_another_protocol_are_refused() -> None:
    with pytest.raises(SettingsError, match="HarmonicSettings, not NoOpSettings"):
        HarmonicProtocol(NoOpSettings())


def test_protocols_are_equal_by_settings_and_type() -> None:
    assert HarmonicProtocol(HarmonicSettings(n_samples=5)) == HarmonicProtocol.with_settings(n_samples=5)
    assert HarmonicProtocol.with_settings(n_samples=5) != HarmonicProtocol.with_settings(n_samples=6)
    assert HarmonicProtocol(HarmonicSettings()) != NoOpProtocol(NoOpSettings())
    assert len({HarmonicProtocol.with_settings(n_samples=5) for _ in range(3)}) == 1


# --- injection ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "exit_code"), [("segfault", -signal.SIGSEGV), ("kill", -signal.SIGKILL), ("exit", 3), ("hang", None)]
)
def test_units_die_as_asked(kind: str, exit_code: int | None, tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(fail=kind, fail_in="setup")
    fresh = multiprocessing.get_context("spawn")  # a fork would inherit locks of this process's threads
    began = fresh.Event()
    process = fresh.Process(target=_run_quietly, args=(transformation, tmp_path, began))

    process.start()
    assert began.wait(120.0)
    process.join(1.5 if kind == "hang" else 120.0)

    try:
        assert process.exitcode == exit_code
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("place", ["setup", "sample", "analyse"])
def test_the_unit_asked_for_fails(place: str, tmp_path: Path) -> None:
    dag_result = run_dag(example_networks.harmonic_transformation(n_samples=5, fail="raise", fail_in=place), tmp_path)

    (failure,) = [r for r in dag_result.protocol_unit_results if not gufe_adapter.unit_ok(r)]

    assert failure.name.partition("-")[0] == place
    assert gufe_adapter.unit_exception(failure)[0].startswith("InjectedFailureError(")


def test_fails_only_the_first_times(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5, fail="raise", fail_in="setup", fail_times=2)
    unit = gufe_adapter.units_in_order(gufe_adapter.create_protocol_dag(transformation))[0]

    went_well = [gufe_adapter.unit_ok(_execute(unit, tmp_path)) for _ in range(4)]

    assert went_well == [False, False, True, True]


def test_failures_can_be_counted_over_attempts(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(
        n_samples=5, fail="raise", fail_times=1, fail_folder=str(tmp_path)
    )

    went_well = [gufe_adapter.dag_ok(run_dag(transformation, tmp_path / str(i))) for i in range(2)]

    assert went_well == [False, True]


def test_noise_and_duration(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(
        n_samples=5, n_windows=2, noise_bytes=1001, duration_s=0.1
    )

    start = time.monotonic()
    dag_result = run_dag(transformation, tmp_path)

    assert time.monotonic() - start >= 0.2
    assert [len(_outputs(dag_result, f"sample-00{k}")["noise"]) for k in range(2)] == [1001, 1001]


def test_talk_reaches_every_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5, n_windows=1, talk=True)

    with caplog.at_level(logging.INFO):
        run_dag(transformation, tmp_path)

    captured = capsys.readouterr()
    assert captured.out.splitlines() == [f"{n} speaks on stdout" for n in ("setup", "sample-000", "analyse")]
    assert "setup speaks on stderr" in captured.err
    assert "sample-000 speaks through logging" in caplog.messages


@gufe1
def test_files_for_stdout_and_stderr_are_captured(tmp_path: Path) -> None:
    dag_result = run_dag(example_networks.harmonic_transformation(n_samples=5, talk=True), tmp_path)

    setup = next(r for r in dag_result.protocol_unit_results if r.name == "setup")

    assert setup.stdout == {"setup.txt": b"setup writes a file for stdout\n"}
    assert setup.stderr == {"setup.txt": b"setup writes a file for stderr\n"}


def test_works_travel_through_shared_files(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5, n_windows=1, keep_file=True)
    setup, sample, analyse = gufe_adapter.units_in_order(gufe_adapter.create_protocol_dag(transformation))
    results = {}
    for unit in (setup, sample):
        results[str(unit.key)] = _execute(unit, tmp_path, results)
    file = results[str(sample.key)].outputs["works_file"]

    assert len(file.read_text().splitlines()) == 5
    assert gufe_adapter.unit_ok(_execute(analyse, tmp_path, results))

    file.unlink()
    assert gufe_adapter.unit_exception(_execute(analyse, tmp_path, results))[0].startswith("FileNotFoundError(")


# --- manners ------------------------------------------------------------------------------------


def test_import_does_not_load_pymbar_and_analysis_prints_nothing() -> None:
    code = """
import logging, sys
from alchemiscale_lake.protocols import harmonic
assert not [name for name in sys.modules if name.partition(".")[0] == "pymbar"]
logging.basicConfig(level=logging.WARNING)
import numpy
before = numpy.geterr()
assert harmonic._bar([1.0, 2.0, 1.5], [-1.0, -1.2, -0.9])[1] > 0
assert numpy.geterr() == before
"""
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _run_quietly(transformation: Any, folder: Path, began: Any) -> None:
    faulthandler.disable()  # pytest's would report the requested death
    began.set()
    run_dag(transformation, folder)


def _execute(unit: Any, folder: Path, results: dict[str, Any] | None = None) -> Any:
    folders = {name: folder / name for name in FOLDERS}
    for path in folders.values():
        path.mkdir(exist_ok=True)
    return gufe_adapter.execute_unit(unit, results=results or {}, **folders)


def _outputs(dag_result: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r.outputs for r in dag_result.protocol_unit_results if r.name == name)
    return found
