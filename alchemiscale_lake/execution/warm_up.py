"""A first ProtocolDAG in the fork server: gufe and its libraries fill their caches at first use, children inherit them.

Nothing of it is kept: it has no estimate that anybody reads, and its folder is temporary.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .. import gufe_adapter
from ..protocols.noop import noop_transformation

__all__ = ["warm_up"]


def warm_up() -> None:
    """Create, execute and gather a ProtocolDAG that does nothing, in this process."""
    transformation = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(noop_transformation()))
    dag = gufe_adapter.create_protocol_dag(transformation)
    gufe_adapter.dumps_chain(dag)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="alchemiscale-lake-warm-up-") as folder:
        places: dict[str, Any] = {name: Path(folder) / name for name in ("shared", "scratch", "stdout", "stderr")}
        for place in places.values():
            place.mkdir()
        for unit in gufe_adapter.units_in_order(dag):
            results[str(unit.key)] = gufe_adapter.execute_unit(unit, results=results, **places)
    dag_result = gufe_adapter.build_dag_result(dag, list(results.values()), transformation)
    gufe_adapter.dumps_chain(dag_result)
    gufe_adapter.estimate(transformation, [dag_result])
