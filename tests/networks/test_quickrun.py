"""Output of `openfe quickrun`, of any generation, is read as results."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.networks.imported import ResultFile
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.quickrun import read_quickrun
from tests.quickrun_files import BEGAN, GENERATIONS, Generation, QuickrunNetwork, Repeat, kcal

NETWORK = QuickrunNetwork([("ana", "bob")])


THREE: list[Repeat] = [(1.0, 0.1), (1.2, 0.2), (1.4, 0.3)]


def read(content: Any, pool: ObjectPool | None = None) -> ResultFile:
    return read_quickrun(json.loads(json.dumps(content)), "file.json", pool or ObjectPool())


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_repeat_is_a_result_with_its_own_numbers(generation: Generation) -> None:
    pool = ObjectPool()

    file = read(NETWORK.result("ana", "bob", "complex", THREE, generation), pool)

    assert [(r.ok, r.estimate_kcal_mol, r.uncertainty_kcal_mol) for r in file.results] == [(True, *r) for r in THREE]
    assert len({r.label for r in file.results}) == 3
    assert [len(r.units) for r in file.results] == [3 if generation == "three" else 1] * 3
    assert file.results[1].units[0].started_at == (BEGAN + timedelta(hours=1)).replace(tzinfo=UTC)
    assert file.protocol_qualname == "RelativeHybridTopologyProtocol"
    assert file.on_gpu


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_file_identifies_its_ends_mapping_and_protocol(generation: Generation) -> None:
    pool = ObjectPool()
    leg = NETWORK.transformation("ana", "bob", "complex")

    ends = read(NETWORK.result("ana", "bob", "complex", THREE, generation), pool).ends

    states = NETWORK.key(leg["stateA"]), NETWORK.key(leg["stateB"])
    assert ends.content is not None
    assert (ends.state_a, ends.state_b) == states
    assert (ends.content.state_a, ends.content.state_b) == states
    assert ends.mappings == ends.content.mappings == (NETWORK.key(leg["mapping"]),)
    assert ends.content.protocol == NETWORK.key(NETWORK.protocol)
    assert {"ProteinComponent", "SolventComponent"} < {obj.qualname for obj in pool.objects.values()}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_repeats_beside_a_failed_one_count(generation: Generation) -> None:
    file = read(NETWORK.result("ana", "bob", "solvent", [(1.0, 0.1), "it blew up", (1.4, 0.3)], generation))

    assert sorted((r.ok, r.estimate_kcal_mol) for r in file.results if r.ok) == [(True, 1.0), (True, 1.4)]
    (failed,) = [r for r in file.results if not r.ok]
    assert failed.exception == "ValueError: it blew up"
    assert failed.failed_unit is not None
    assert "repeat 1" in failed.failed_unit
    assert failed.units[-1].traceback == "Traceback ...\nValueError: it blew up"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_where_all_failed_keys_and_names_are_what_is_left(generation: Generation) -> None:
    file = read(NETWORK.result("ana", "bob", "solvent", ["no", "no"], generation))

    assert [r.ok for r in file.results] == [False, False]
    assert file.ends.content is None
    assert file.ends.state_a == NETWORK.key(NETWORK.system("ana", "solvent"))
    assert file.ends.ligands == ("ana", "bob")


def test_a_unit_that_was_run_again_and_succeeded_fails_nothing() -> None:
    content = NETWORK.result("ana", "bob", "solvent", [(1.0, 0.1)])
    unit = next(u for u in content["unit_results"].values() if "Simulation" in u["name"])
    failure = {**unit, "_key": "ProtocolUnitFailure-1", "exception": ["OSError", ["disk"]], "traceback": "..."}
    content["unit_results"] = {"ProtocolUnitFailure-1": failure, **content["unit_results"]}

    (result,) = read(content).results

    assert result.ok
    assert [unit.ok for unit in result.units] == [False, True, True, True]


def test_legs_that_are_repeated_independently_are_one_result() -> None:
    content = NETWORK.result("ana", "bob", "complex", [(-3.0, 0.3)])
    data = content["protocol_result"]["data"]
    content["protocol_result"]["data"] = {"complex": data, "solvent": data}
    content |= {"estimate": kcal(-8.5), "uncertainty": kcal(0.7)}

    several = read(content)
    single = read({**content, "uncertainty": kcal(0.0)})

    assert [(r.estimate_kcal_mol, r.uncertainty_kcal_mol) for r in several.results] == [(-8.5, 0.7)]
    assert single.results[0].uncertainty_kcal_mol == pytest.approx((2 * 0.3**2) ** 0.5)


def test_a_calculation_without_a_number_is_good_if_its_units_are() -> None:
    content = NETWORK.result("ana", "bob", "vacuum", [(1.0, 0.1)])
    (units,) = content["protocol_result"]["data"].values()
    del units[0]["outputs"]["unit_estimate"]
    content |= {"estimate": None, "uncertainty": None}

    (result,) = read(content).results

    assert (result.ok, result.estimate_kcal_mol, result.uncertainty_kcal_mol) == (True, None, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_number_that_is_not_finite_is_none(value: float | None) -> None:
    content = NETWORK.result("ana", "bob", "solvent", [(1.0, 0.1)])
    (units,) = content["protocol_result"]["data"].values()
    units[0]["outputs"]["unit_estimate"] = kcal(value)

    (result,) = read(content).results

    assert (result.ok, result.estimate_kcal_mol) == (True, None)


def test_a_unit_that_is_not_an_energy_is_refused() -> None:
    content = NETWORK.result("ana", "bob", "solvent", [(1.0, 0.1)])
    (units,) = content["protocol_result"]["data"].values()
    units[0]["outputs"]["unit_estimate"] = {"magnitude": 1.0, "unit": "nanometer"}

    with pytest.raises(ResultFileError, match="'nanometer'"):
        read(content)


@pytest.mark.parametrize("content", [{}, {"protocol_result": {}}, {"protocol_result": {"data": 3}}, [], None])
def test_a_file_that_is_not_a_result_is_refused(content: Any) -> None:
    with pytest.raises(ResultFileError, match="not a result of `openfe quickrun`"):
        read(content)
