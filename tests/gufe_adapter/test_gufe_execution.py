"""ProtocolDAGs and their units, with our Protocols and third-party ones."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import gufe
import pytest

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.errors import ExecutionError
from tests import example_networks
from tests.contracts.protocol_contract import FOLDERS, run_dag
from tests.generations import GUFE1, gufe1
from tests.gufe_adapter.foreign import ForeignProtocol, RaisingUnit, Unit


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in FOLDERS}
    for path in made.values():
        path.mkdir()
    return made


@pytest.fixture
def foreign() -> gufe.Transformation:
    a, b = example_networks.harmonic_system("a"), example_networks.harmonic_system("b")
    return gufe.Transformation(a, b, ForeignProtocol.make(), name="foreign")


# --- order --------------------------------------------------------------------------------------


def test_order_is_by_dependency_then_name(foreign: gufe.Transformation) -> None:
    dag = gufe_adapter.create_protocol_dag(foreign)

    assert [unit.name for unit in gufe_adapter.units_in_order(dag)] == ["first", "left", "right", "last"]


def test_dependencies_are_found_in_lists_and_dicts(foreign: gufe.Transformation) -> None:
    dag = gufe_adapter.create_protocol_dag(foreign)
    key = {unit.name: str(unit.key) for unit in dag.protocol_units}

    assert gufe_adapter.unit_dependencies(dag) == {
        key["first"]: [],
        key["left"]: [key["first"]],
        key["right"]: [key["first"]],
        key["last"]: [key["left"], key["right"]],
    }


def test_units_of_one_name_are_ordered_by_key() -> None:
    units = [Unit(name="same", number=1.0) for _ in range(8)]
    labels = {"transformation_key": None} if GUFE1 else {}
    dag = gufe.ProtocolDAG(protocol_units=units, **labels)

    keys = [str(unit.key) for unit in gufe_adapter.units_in_order(dag)]

    assert keys == sorted(str(unit.key) for unit in units)


# --- creating -----------------------------------------------------------------------------------


def test_extends_reaches_a_protocol_in_its_own_words(foreign: gufe.Transformation, tmp_path: Path) -> None:
    first = run_dag(foreign, tmp_path)

    dag = gufe_adapter.create_protocol_dag(foreign, extends=first, name="again")

    assert foreign.protocol.seen == first
    assert dag.name == "again"


@gufe1
def test_labels_lead_from_result_to_transformation(foreign: gufe.Transformation, tmp_path: Path) -> None:
    first = run_dag(foreign, tmp_path / "1")
    second = run_dag(foreign, tmp_path / "2", extends=first)

    assert first.transformation_key == second.transformation_key == foreign.key
    assert second.extends_key == first.key


def test_non_transformation_has_a_dag() -> None:
    dag = gufe_adapter.create_protocol_dag(example_networks.non_transformation(n_windows=1))

    assert [unit.name for unit in gufe_adapter.units_in_order(dag)] == ["setup", "sample-000", "analyse"]


# --- executing ----------------------------------------------------------------------------------


def test_results_take_the_place_of_units(foreign: gufe.Transformation, folders: dict[str, Path]) -> None:
    dag = gufe_adapter.create_protocol_dag(foreign)
    results: dict[str, Any] = {}
    for unit in gufe_adapter.units_in_order(dag):
        results[str(unit.key)] = gufe_adapter.execute_unit(unit, results=results, **folders)

    last = next(result for result in results.values() if result.name == "last")

    assert last.outputs["number"] == 100.0 + 2 * (10.0 + 1.0)
    assert last.outputs["shared"] == folders["shared"]
    assert {result.name for result in last.dependencies} == {"left", "right"}


def test_relative_folders_become_absolute(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = {name: Path(name) for name in folders}

    result = gufe_adapter.execute_unit(Unit(name="u", number=1.0), results={}, **relative)

    assert result.outputs["shared"] == folders["shared"]


def test_a_missing_result_is_named(foreign: gufe.Transformation, folders: dict[str, Path]) -> None:
    first, left, *_ = gufe_adapter.units_in_order(gufe_adapter.create_protocol_dag(foreign))

    with pytest.raises(ExecutionError, match=r"unit left .* first .* has no result") as caught:
        gufe_adapter.execute_unit(left, results={}, **folders)
    assert caught.value.facts["needs"] == str(first.key)


def test_a_failed_result_is_not_worked_with(folders: dict[str, Path]) -> None:
    broken = RaisingUnit(name="broken", what="plain")
    failure = gufe_adapter.execute_unit(broken, results={}, **folders)

    with pytest.raises(ExecutionError, match="failed; run it first"):
        gufe_adapter.execute_unit(
            Unit(name="next", number=1.0, before=[broken]), results={str(broken.key): failure}, **folders
        )


def test_an_exception_becomes_a_failure(folders: dict[str, Path]) -> None:
    failure = gufe_adapter.execute_unit(RaisingUnit(name="r", what="plain"), results={}, **folders)
    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(failure))

    for result in (failure, again):
        assert not gufe_adapter.unit_ok(result)
        exception, traceback = gufe_adapter.unit_exception(result)
        assert exception == "ValueError('plain', 3)"
        assert "ValueError: ('plain', 3)" in traceback


def test_an_exception_with_any_arguments_can_be_written(folders: dict[str, Path]) -> None:
    unit = RaisingUnit(name="r", what="odd")
    failure = gufe_adapter.execute_unit(unit, results={}, **folders)

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(failure))

    assert again.source_key == unit.key
    assert gufe_adapter.unit_exception(again)[0].startswith("ValueError('odd', '<object object at")


def test_success_has_no_exception(folders: dict[str, Path]) -> None:
    assert gufe_adapter.unit_exception(gufe_adapter.execute_unit(Unit(number=1.0), results={}, **folders)) is None


@pytest.mark.parametrize(("what", "raised"), [("exit", SystemExit), ("keyboard", KeyboardInterrupt)])
def test_interrupts_pass_through(what: str, raised: type[BaseException], folders: dict[str, Path]) -> None:
    with pytest.raises(raised):
        gufe_adapter.execute_unit(RaisingUnit(what=what), results={}, **folders)


@gufe1
def test_execution_interrupt_passes_through(folders: dict[str, Path]) -> None:
    from gufe.protocols.errors import ExecutionInterrupt

    with pytest.raises(ExecutionInterrupt, match="enough"):
        gufe_adapter.execute_unit(RaisingUnit(what="interrupt"), results={}, **folders)


@gufe1
def test_context_is_made_from_its_signature(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import dataclass

    from gufe.protocols import protocolunit

    @dataclass
    class Smaller:
        shared: Path
        scratch: Path
        stdout: Path | None = None
        stderr: Path | None = None
        colour: str = "red"

    monkeypatch.setattr(protocolunit, "Context", Smaller)
    assert gufe_adapter.unit_ok(gufe_adapter.execute_unit(Unit(number=1.0), results={}, **folders))

    @dataclass
    class Other:
        shared: Path
        permanent_storage: Path

    monkeypatch.setattr(protocolunit, "Context", Other)
    with pytest.raises(ExecutionError, match="requires permanent_storage"):
        gufe_adapter.execute_unit(Unit(number=1.0), results={}, **folders)


# --- failures made outside ----------------------------------------------------------------------


def test_a_dead_unit_gets_a_failure(foreign: gufe.Transformation, folders: dict[str, Path]) -> None:
    dag = gufe_adapter.create_protocol_dag(foreign)
    first, left, *_ = gufe_adapter.units_in_order(dag)
    results = {str(first.key): gufe_adapter.execute_unit(first, results={}, **folders)}

    failure = gufe_adapter.failed_unit_result(
        left,
        exception=("WorkerDied", ("signal 11 (SIGSEGV)",)),
        traceback="last words",
        results=results,
        stdout={"out.txt": b"words"},
        start_time=datetime(2026, 1, 2, 3, 4, 5),
    )
    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(failure))

    assert gufe_adapter.unit_exception(again) == ("WorkerDied('signal 11 (SIGSEGV)')", "last words")
    assert again.source_key == left.key
    assert [result.key for result in again.dependencies] == [results[str(first.key)].key]
    dag_result = gufe_adapter.build_dag_result(dag, [*results.values(), again], foreign)
    assert not gufe_adapter.dag_ok(dag_result)


@gufe1
def test_a_dead_unit_keeps_what_gufe_has_a_place_for() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5)

    failure = gufe_adapter.failed_unit_result(
        Unit(name="u", number=1.0),
        exception=("WorkerDied", ()),
        traceback="",
        stdout={"out.txt": b"words"},
        stderr={"err.txt": b"\xff"},
        start_time=moment,
        end_time=moment,
    )
    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(failure))

    assert (again.stdout, again.stderr) == ({"out.txt": b"words"}, {"err.txt": b"\xff"})
    assert (again.start_time, again.end_time) == (moment, moment)


def test_a_dead_unit_without_results_can_be_written(foreign: gufe.Transformation) -> None:
    last = gufe_adapter.units_in_order(gufe_adapter.create_protocol_dag(foreign))[-1]

    failure = gufe_adapter.failed_unit_result(last, exception=("WorkerDied", ()), traceback="")

    assert json.loads(gufe_adapter.dumps_chain(failure))[-1][0] == str(failure.key)
