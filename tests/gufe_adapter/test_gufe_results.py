"""Estimates in kcal/mol from unit results."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import gufe
import pytest

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.errors import EstimationError, UnitConversionError
from tests import example_networks
from tests.contracts.protocol_contract import FOLDERS, run_dag
from tests.generations import GUFE1
from tests.gufe_adapter.absolute import AbsoluteSolvationProtocol
from tests.gufe_adapter.foreign import ForeignProtocol, ForeignResult
from tests.gufe_adapter.repeating import MedianProtocol, RepeatingProtocol, WholeProtocol


@pytest.fixture
def foreign() -> gufe.Transformation:
    a, b = example_networks.harmonic_system("a"), example_networks.harmonic_system("b")
    return gufe.Transformation(a, b, ForeignProtocol.make(), name="foreign")


def _run(transformation: Any, folder: Path, name: str | None = None) -> tuple[Any, list[Any]]:
    """Return a ProtocolDAG and the results of its units."""
    dag = gufe_adapter.create_protocol_dag(transformation, name=name)
    results: dict[str, Any] = {}
    folders = {word: folder / word for word in FOLDERS}
    for path in folders.values():
        path.mkdir(exist_ok=True)
    for unit in gufe_adapter.units_in_order(dag):
        results[str(unit.key)] = gufe_adapter.execute_unit(unit, results=results, **folders)
    return dag, list(results.values())


def _failure(unit: Any) -> Any:
    return gufe_adapter.failed_unit_result(unit, exception=("WorkerDied", ()), traceback="")


@pytest.mark.parametrize("place", range(4))
def test_a_dag_is_not_ok_wherever_it_failed(place: int, foreign: gufe.Transformation, tmp_path: Path) -> None:
    # gufe 0.4 itself treats the failure of the last unit as a success
    dag, results = _run(foreign, tmp_path)
    units = gufe_adapter.units_in_order(dag)

    dag_result = gufe_adapter.build_dag_result(dag, [*results[:place], _failure(units[place])], foreign)

    assert not gufe_adapter.dag_ok(dag_result)
    assert not gufe_adapter.dag_ok(gufe_adapter.loads_chain(gufe_adapter.dumps_chain(dag_result)))


def test_a_dag_with_a_unit_left_out_is_not_ok(foreign: gufe.Transformation, tmp_path: Path) -> None:
    dag, results = _run(foreign, tmp_path)

    assert not gufe_adapter.dag_ok(gufe_adapter.build_dag_result(dag, results[:-1], foreign))


def test_a_unit_that_failed_before_it_succeeded_is_ok(foreign: gufe.Transformation, tmp_path: Path) -> None:
    dag, results = _run(foreign, tmp_path)
    first = gufe_adapter.units_in_order(dag)[0]

    attempts = [_failure(first), _failure(first), *results]
    dag_result = gufe_adapter.build_dag_result(dag, attempts, foreign)

    assert gufe_adapter.dag_ok(dag_result)
    assert len(dag_result.protocol_unit_results) == (6 if GUFE1 else 4)
    assert gufe_adapter.estimate(foreign, [dag_result]).value_kcal_mol == 122.0


def test_the_last_failure_is_kept(foreign: gufe.Transformation) -> None:
    dag = gufe_adapter.create_protocol_dag(foreign)
    first = gufe_adapter.units_in_order(dag)[0]
    attempts = [_failure(first), _failure(first)]

    dag_result = gufe_adapter.build_dag_result(dag, attempts, foreign)

    assert attempts[-1].key in {result.key for result in dag_result.protocol_unit_results}


def test_failed_results_do_not_count(foreign: gufe.Transformation, tmp_path: Path) -> None:
    good = run_dag(foreign, tmp_path)
    dag = gufe_adapter.create_protocol_dag(foreign)
    bad = gufe_adapter.build_dag_result(dag, [_failure(gufe_adapter.units_in_order(dag)[0])], foreign)

    assert gufe_adapter.estimate(foreign, [bad, good]) == gufe_adapter.Estimate(122.0, 0.5)
    assert gufe_adapter.estimate(foreign, [bad]) == gufe_adapter.Estimate(None, None)
    assert gufe_adapter.estimate(foreign, iter([])) == gufe_adapter.Estimate(None, None)


@pytest.mark.parametrize(
    ("unit", "expected"), [("none", 122.0), ("kilocalorie_per_mole", 122.0), ("kilojoule_per_mole", 122.0 / 4.184)]
)
def test_estimates_are_floats_in_kcal_mol(
    unit: str, expected: float, foreign: gufe.Transformation, tmp_path: Path
) -> None:
    dag, results = _run(foreign, tmp_path, name=unit)

    found = gufe_adapter.estimate(foreign, [gufe_adapter.build_dag_result(dag, results, foreign)])

    assert found.value_kcal_mol == pytest.approx(expected)
    assert type(found.value_kcal_mol) is float


def test_of_a_single_repeat_the_uncertainty_is_what_its_units_state(
    foreign: gufe.Transformation, tmp_path: Path
) -> None:
    dag, results = _run(foreign, tmp_path, name="single")

    found = gufe_adapter.estimate(foreign, [gufe_adapter.build_dag_result(dag, results, foreign)])

    # the Protocol returns 0.0, its two legs 0.3 and 0.4
    assert found.uncertainty_kcal_mol == pytest.approx(0.5)


def test_a_quantity_that_is_not_an_energy_is_refused(foreign: gufe.Transformation, tmp_path: Path) -> None:
    dag, results = _run(foreign, tmp_path, name="kelvin")

    with pytest.raises(UnitConversionError):
        gufe_adapter.estimate(foreign, [gufe_adapter.build_dag_result(dag, results, foreign)])


def test_a_protocol_that_cannot_gather_is_named(foreign: gufe.Transformation, tmp_path: Path) -> None:
    dag, results = _run(foreign, tmp_path, name="broken")

    with pytest.raises(EstimationError, match="ForeignProtocol could not gather 1 result of foreign") as caught:
        gufe_adapter.estimate(foreign, [gufe_adapter.build_dag_result(dag, results, foreign)])
    assert caught.value.facts["n_results"] == 1


def test_a_foreign_protocol_result_comes_back() -> None:
    # gufe 0.4 itself nests the data once more
    gathered = ForeignResult(value=1.0, unit="none")

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(gathered))

    assert again.data == {"value": 1.0, "unit": "none"}
    assert gathered.data == again.data


def _repeated(protocol: Any, folder: Path) -> gufe_adapter.Estimate:
    settings = protocol._default_settings()
    a, b = example_networks.harmonic_system("a"), example_networks.harmonic_system("b")
    transformation = gufe.Transformation(a, b, protocol(settings), name="repeated")
    dag, results = _run(transformation, folder)
    return gufe_adapter.estimate(transformation, [gufe_adapter.build_dag_result(dag, results, transformation)])


def test_each_repeat_within_a_result_has_an_estimate_of_its_own(tmp_path: Path) -> None:
    estimate = _repeated(RepeatingProtocol, tmp_path)

    assert estimate.value_kcal_mol == pytest.approx((3.0 + 3.4 + 3.2) / 3)
    found = [one.value_kcal_mol for one in estimate.replicates]
    assert found == pytest.approx([5.0 - 2.0, 5.5 - 2.1, 5.1 - 1.9])
    # for one repeat the Protocol returns 0.0: the uncertainties stated by its units, legs in quadrature
    assert [one.uncertainty_kcal_mol for one in estimate.replicates] == pytest.approx([0.5] * 3)
    assert all(one.replicates == () for one in estimate.replicates)


@pytest.mark.parametrize("protocol", [MedianProtocol, WholeProtocol])
def test_repeats_that_do_not_average_to_the_estimate_are_not_replicates(protocol: Any, tmp_path: Path) -> None:
    estimate = _repeated(protocol, tmp_path)

    assert estimate.value_kcal_mol is not None
    assert estimate.replicates == ()


def test_a_result_without_repeats_has_no_replicates(foreign: gufe.Transformation, tmp_path: Path) -> None:
    dag, results = _run(foreign, tmp_path)

    assert gufe_adapter.estimate(foreign, [gufe_adapter.build_dag_result(dag, results, foreign)]).replicates == ()


class OddProtocol(AbsoluteSolvationProtocol):
    """Its legs have different repeats."""

    values: ClassVar[Any] = {"vacuum": {0: 5.0, 1: 5.5}, "solvent": {0: 8.0, 2: 8.1}}


def test_legs_of_different_repeats_are_one_result(tmp_path: Path) -> None:
    estimate = _repeated(OddProtocol, tmp_path)

    assert estimate.value_kcal_mol == pytest.approx(5.25 - 8.05)
    assert estimate.uncertainty_kcal_mol == pytest.approx(math.hypot(0.5, 0.1) / 2**0.5)
    assert estimate.replicates == ()
