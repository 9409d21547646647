"""Contract tests for our Protocols, as a mixin, and helpers for running a ProtocolDAG.

A test class inherits `ProtocolContract` and defines what to run:

    class TestMyProtocol(ProtocolContract):
        def transformation(self): ...
        def failing_transformation(self): ...
"""

from __future__ import annotations

import json
import math
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import gufe
import pytest

from alchemiscale_lake import gufe_adapter

FOLDERS = ("shared", "scratch", "stdout", "stderr")


def run_unit(dag: bytes, unit_key: str, results: list[bytes], folder: str) -> bytes:
    """Run one unit of a ProtocolDAG, with all inputs and outputs as JSON."""
    unit = next(u for u in gufe_adapter.units_in_order(gufe_adapter.loads_chain(dag)) if str(u.key) == unit_key)
    known = {str(result.source_key): result for result in map(gufe_adapter.loads_chain, results)}
    folders = {name: Path(folder) / name for name in FOLDERS}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    return gufe_adapter.dumps_chain(gufe_adapter.execute_unit(unit, results=known, **folders))


def run_dag(transformation: Any, folder: Path, *, extends: Any = None, pool: ProcessPoolExecutor | None = None) -> Any:
    """Run a ProtocolDAG up to its first failure; in a process per unit if a pool is given."""
    dag = gufe_adapter.create_protocol_dag(transformation, extends=extends)
    written = gufe_adapter.dumps_chain(dag)
    needs = gufe_adapter.unit_dependencies(dag)
    done: dict[str, bytes] = {}
    for unit in gufe_adapter.units_in_order(dag):
        key = str(unit.key)
        job = (written, key, [done[needed] for needed in needs[key]], str(folder / key))
        done[key] = run_unit(*job) if pool is None else pool.submit(run_unit, *job).result(timeout=600)
        if not gufe_adapter.unit_ok(gufe_adapter.loads_chain(done[key])):
            break
    results = [gufe_adapter.loads_chain(result) for result in done.values()]
    dag_result = gufe_adapter.build_dag_result(dag, results, transformation)
    return gufe_adapter.loads_chain(gufe_adapter.dumps_chain(dag_result))


class ProtocolContract:
    """Inherit this and define what to run; pytest does the rest."""

    #: Whether the Protocol can continue from an earlier result.
    can_extend: ClassVar[bool] = True
    #: Module that every process needs; imported once for all of them.
    module: ClassVar[str] = "gufe"

    def transformation(self) -> Any:
        """Return a Transformation that takes at most seconds."""
        raise NotImplementedError

    def failing_transformation(self) -> Any:
        """Return a Transformation of which at least one unit raises."""
        raise NotImplementedError

    @pytest.fixture
    def pool(self) -> Iterator[ProcessPoolExecutor]:
        """Return processes that run one unit each."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([self.module, "alchemiscale_lake.gufe_adapter", __name__])
        with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
            yield pool

    def test_survives_the_chain(self) -> None:
        transformation = self.transformation()
        network = gufe.AlchemicalNetwork([transformation], name="contract")

        again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(network))

        assert again == network
        assert again.key == network.key
        assert {edge.key for edge in again.edges} == {transformation.key}

    def test_dict_is_plain_json(self) -> None:
        dct = self.transformation().protocol.to_dict()

        assert json.loads(json.dumps(dct)) == dct

    def test_default_settings_make_a_protocol(self) -> None:
        cls = type(self.transformation().protocol)

        assert cls(cls.default_settings()) == cls(cls.default_settings())

    def test_units_are_new_and_their_order_is_not(self) -> None:
        transformation = self.transformation()

        first, second = (
            gufe_adapter.units_in_order(gufe_adapter.create_protocol_dag(transformation)) for _ in range(2)
        )

        assert [unit.name for unit in first] == [unit.name for unit in second]
        assert not {unit.key for unit in first} & {unit.key for unit in second}

    def test_unit_names_are_given_and_unique(self) -> None:
        names = [unit.name for unit in gufe_adapter.create_protocol_dag(self.transformation()).protocol_units]

        assert all(names)
        assert len(set(names)) == len(names)

    def test_dag_survives_the_chain_in_order(self) -> None:
        dag = gufe_adapter.create_protocol_dag(self.transformation())

        again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(dag))

        keys = [str(unit.key) for unit in gufe_adapter.units_in_order(dag)]
        assert [str(unit.key) for unit in gufe_adapter.units_in_order(again)] == keys
        assert gufe_adapter.unit_dependencies(again) == gufe_adapter.unit_dependencies(dag)
        for key, needed in gufe_adapter.unit_dependencies(dag).items():
            assert all(keys.index(other) < keys.index(key) for other in needed)

    def test_each_unit_runs_in_a_process_of_its_own(self, tmp_path: Path, pool: ProcessPoolExecutor) -> None:
        transformation = self.transformation()

        dag_result = run_dag(transformation, tmp_path, pool=pool)

        assert gufe_adapter.dag_ok(dag_result), [r.traceback for r in dag_result.protocol_unit_failures]
        found = gufe_adapter.estimate(transformation, [dag_result])
        assert type(found.value_kcal_mol) is float
        assert math.isfinite(found.value_kcal_mol)
        assert type(found.uncertainty_kcal_mol) is float
        assert found.uncertainty_kcal_mol >= 0.0

    def test_gathers_many_and_the_gathered_survives_the_chain(self, tmp_path: Path) -> None:
        transformation = self.transformation()
        dag_results = [run_dag(transformation, tmp_path / str(i)) for i in range(2)]

        each = [gufe_adapter.estimate(transformation, [dag_result]) for dag_result in dag_results]
        both = gufe_adapter.estimate(transformation, dag_results)
        gathered = transformation.gather(dag_results)
        again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(gathered))

        values = [found.value_kcal_mol for found in each]
        assert min(values) - 1e-9 <= both.value_kcal_mol <= max(values) + 1e-9
        assert again.get_estimate() == gathered.get_estimate()
        assert again.get_uncertainty() == gathered.get_uncertainty()

    def test_extends(self, tmp_path: Path) -> None:
        transformation = self.transformation()
        first = run_dag(transformation, tmp_path / "first")

        if self.can_extend:
            second = run_dag(transformation, tmp_path / "second", extends=first)
            assert gufe_adapter.dag_ok(second)
            assert gufe_adapter.estimate(transformation, [second]).value_kcal_mol is not None
        else:
            with pytest.raises(Exception, match="extend"):
                gufe_adapter.create_protocol_dag(transformation, extends=first)

    def test_failure_is_a_result(self, tmp_path: Path) -> None:
        transformation = self.failing_transformation()

        dag_result = run_dag(transformation, tmp_path)

        assert not gufe_adapter.dag_ok(dag_result)
        (failure,) = [r for r in dag_result.protocol_unit_results if not gufe_adapter.unit_ok(r)]
        exception, traceback = gufe_adapter.unit_exception(failure)
        assert exception.partition("(")[0] in traceback
        assert gufe_adapter.estimate(transformation, [dag_result]) == gufe_adapter.Estimate(None, None)
