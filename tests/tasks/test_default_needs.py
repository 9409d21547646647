"""Default needs, and their overrides by configuration."""

from __future__ import annotations

from typing import Any

import pytest

from alchemiscale_lake.protocols.harmonic import HarmonicProtocol
from alchemiscale_lake.protocols.hydration import HydrationProtocol
from alchemiscale_lake.protocols.noop import NoOpProtocol
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Needs, Pools
from alchemiscale_lake.tasks.default_needs import default_needs, needs_of, process_per_unit, unit_needs


def pools(**keys: Any) -> Pools:
    return Pools.model_validate({"pools": {"here": {"kind": "local"}}, **keys})


@pytest.mark.parametrize("protocol", [HarmonicProtocol, HydrationProtocol, NoOpProtocol])
def test_ours_are_known_and_take_no_gpu(protocol: type) -> None:
    assert protocol.__qualname__ in default_needs().protocols
    assert needs_of(None, protocol.__qualname__) == Needs(cores=1, gpus=0)


def test_dynamics_take_a_gpu() -> None:
    assert needs_of(None, "RelativeHybridTopologyProtocol").resources == Resources(1, None, 1.0)
    assert needs_of(pools(), "NonEquilibriumCyclingProtocol").gpus == 1.0


def test_every_default_fits_the_smallest_worker_with_a_gpu() -> None:
    worker, known = Resources(1, None, 1.0), default_needs()

    assert all(needs.resources.fits_in(worker) for needs in (*known.protocols.values(), *known.units.values()))


def test_what_is_declared_goes_over_what_is_known_key_by_key() -> None:
    declared = pools(protocols={"SepTopProtocol": {"memory": "8GiB", "duration": "6h"}, "*": {"gpus": 2}})

    assert needs_of(declared, "SepTopProtocol") == Needs(gpus=1.0, cores=1, memory="8GiB", duration="6h")
    assert needs_of(declared, "PlainMDProtocol").gpus == 1.0


def test_unknown_needs_have_a_default() -> None:
    declared = pools(protocols={"*": {"gpus": 1, "cores": 2}, "Mine": {"cores": 4}})

    assert needs_of(None, "Yours") == Needs()
    assert needs_of(pools(), "Yours") == Needs()
    assert needs_of(declared, "Yours") == Needs(gpus=1, cores=2)
    assert needs_of(declared, "Mine") == Needs(gpus=1, cores=4)


def test_units_that_leave_the_gpu_alone() -> None:
    needs = unit_needs(None)

    assert needs["HybridTopologySetupUnit"] == Resources(1, None, 0.0)
    # these use the resources of their Task, including the GPU
    assert not {"HybridTopologyMultiStateSimulationUnit", "SepTopComplexSetupUnit", "SetupUnit"} & needs.keys()


def test_units_as_declared() -> None:
    needs = unit_needs(pools(units={"Mine": {"gpus": 0.5}, "ResultUnit": {"cores": 4}}))

    assert (needs["Mine"], needs["ResultUnit"]) == (Resources(1, None, 0.5), Resources(4, None, 0.0))
    assert needs.keys() == default_needs().units.keys() | {"Mine"}


def test_protocols_whose_units_do_not_share_a_process() -> None:
    assert not any(process_per_unit(None).values())

    declared = process_per_unit(pools(protocols={"Mine": {"process": "unit"}, "NoOpProtocol": {"process": "unit"}}))
    others = process_per_unit(pools(protocols={"*": {"process": "unit"}, "Mine": {"process": "attempt"}}))

    assert {name for name, wanted in declared.items() if wanted} == {"Mine", "NoOpProtocol"}
    assert (others["*"], others["Mine"], others["NoOpProtocol"]) == (True, False, False)
