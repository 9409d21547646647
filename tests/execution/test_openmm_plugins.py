from __future__ import annotations

import pytest

from tests.execution.bench import Bench
from tests.execution.scripted import scripted

LOADED = "'plugins/libOpenMM' in open('/proc/self/maps').read()"
SYSTEM = "system = openmm.System(); system.addParticle(1.0)"


@pytest.mark.parametrize(
    "use",
    [
        "openmm.Context(system, openmm.VerletIntegrator(0.001))",
        "assert openmm.Platform.getNumPlatforms() > 1",
        "assert openmm.Platform.getPlatformByName('CPU').getName() == 'CPU'",
        "assert openmm.pluginLoadedLibNames",
        "assert openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system)).getNumParticles() == 1",
    ],
)
def test_plugins_are_loaded_at_their_first_use(bench: Bench, use: str) -> None:
    text = f"""
import openmm
{SYSTEM}
outputs['before'] = {LOADED}
{use}
outputs['after'] = {LOADED}
outputs['again'] = openmm.Platform.getNumPlatforms(), len(openmm.pluginLoadedLibNames)
assert not hasattr(openmm, 'nothing')
"""
    outputs = bench.result(bench.run(bench.spec(scripted(text)))).protocol_unit_results[0].outputs

    assert (outputs["before"], outputs["after"]) == (False, True)
    assert min(outputs["again"]) > 1
