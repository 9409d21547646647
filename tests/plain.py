"""Networks as plain keyed chains and results as plain rows: for tests without gufe."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.schemas.kept_files import RESULT_FILES
from alchemiscale_lake.schemas.receipt import Receipt, pack_receipt
from alchemiscale_lake.schemas.results import HOSTS, RESULTS, UNIT_RESULTS
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.store import Lake, attempt_folder

Chain = list[tuple[str, dict[str, Any]]]
SCOPE = "org-campaign-project"
T0 = datetime(2025, 6, 1, tzinfo=UTC)


def reference(key: str) -> dict[str, str]:
    """Return a reference to another object of the chain."""
    return {":gufe-key:": key}


def plain_chain(pairs: Sequence[tuple[str, str]], *, name: str = "plain") -> Chain:
    """Return a network with one Transformation per pair of ligand names, of classes that do not exist."""
    ligands = sorted({ligand for pair in pairs for ligand in pair})
    chain: Chain = [(f"Ligand-{n}", _thing("Ligand", name=n)) for n in ligands]
    chain += [
        (f"ChemicalSystem-{n}", _thing("ChemicalSystem", name=n, components={"ligand": reference(f"Ligand-{n}")}))
        for n in ligands
    ]
    chain.append(("SomeProtocol-1", _thing("SomeProtocol", settings={"n": 1})))
    for a, b in pairs:
        transformation = _thing(
            "Transformation",
            stateA=reference(f"ChemicalSystem-{a}"),
            stateB=reference(f"ChemicalSystem-{b}"),
            protocol=reference("SomeProtocol-1"),
            mapping=None,
            name=f"{a}_{b}",
        )
        chain.append((f"Transformation-{a}_{b}", transformation))
    nodes = [reference(f"ChemicalSystem-{n}") for n in ligands]
    edges = [reference(f"Transformation-{a}_{b}") for a, b in pairs]
    key = f"AlchemicalNetwork-{'_'.join(a + b for a, b in pairs)}"
    chain.append((key, _thing("AlchemicalNetwork", nodes=nodes, edges=edges, name=name)))
    return chain


def _thing(qualname: str, **content: Any) -> dict[str, Any]:
    return {**content, "__qualname__": qualname, "__module__": "nowhere.to_be_found"}


def plain_receipt(
    spec: AttemptSpec,
    *,
    ok: bool = True,
    estimate: float | None = 1.0,
    started_at: datetime = T0,
    wall_time_s: float = 1.0,
    hostname: str | None = None,
    exception: str = "ValueError: it was asked to fail",
) -> Receipt:
    """Return a receipt as from an execution, with one unit and one file."""
    folder = attempt_folder(spec.scope, spec.attempt)
    host = TABLES["hosts"].sample(1, host="digest-of-host").to_pylist()[0]
    common = {"scope": spec.scope, "attempt": spec.attempt}
    failure = None if ok else exception
    ended_at = started_at + timedelta(seconds=wall_time_s)
    unit = {
        **common, "unit": f"Unit-{spec.attempt}", "try_number": 1, "name": "unit", "qualname": "Unit", "ok": ok,
        "exception": failure, "started_at": started_at, "ended_at": ended_at,
    }  # fmt: skip
    file = {**common, "path": "kept.txt", "n_bytes": 1, "digest": "d", "object_path": f"{folder}/files/kept.txt"}
    result = {
        **common, "task": spec.task, "transformation": spec.transformation, "ok": ok,
        "estimate_kcal_mol": estimate if ok else None, "uncertainty_kcal_mol": 0.1 if ok else None,
        "exception": failure, "object_path": f"{folder}/result.json.zst" if ok else None, "n_units": 1,
        "started_at": started_at, "ended_at": ended_at, "wall_time_s": wall_time_s, "pool": "p", "host": host["host"],
        "hostname": hostname or host["hostname"],
    }  # fmt: skip
    return Receipt(result=result, units=[unit], files=[file], host=host)


def leave_receipt(lake: Lake, receipt: Receipt) -> bool:
    """Write a receipt where the attempt's worker would."""
    folder = attempt_folder(str(receipt.result["scope"]), receipt.attempt)
    return lake.objects.put_exclusive(
        f"{folder}/receipt.arrow", pack_receipt(receipt, lake.receipt_key.secret_of(receipt.attempt))
    )


def leave_result(lake: Lake, spec: AttemptSpec) -> None:
    """Leave and record a result with existing objects."""
    plain = plain_receipt(spec)
    folder = attempt_folder(spec.scope, spec.attempt)
    contents = {f"{folder}/result.json.zst": os.urandom(500), f"{folder}/files/kept.txt": b"kept " * 20}
    for path, data in contents.items():
        lake.objects.put(path, data)
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    result_path, file_path = contents
    result = {**plain.result, "object_path": result_path, "digest": digests[result_path]}
    file = {
        **plain.files[0],
        "object_path": file_path,
        "digest": digests[file_path],
        "n_bytes": len(contents[file_path]),
    }
    leave_receipt(lake, Receipt(result, plain.units, [file], plain.host))
    record_receipts(lake, find_receipts(lake, {spec.attempt: spec.scope}), caller=Caller("d"))


def old_receipt(receipt: Receipt) -> bytes:
    """Return a receipt as written by earlier versions: a bare Arrow file."""
    parts = {
        "result": (RESULTS, dict(receipt.result)),
        "units": (UNIT_RESULTS, [dict(unit) for unit in receipt.units]),
        "files": (RESULT_FILES, [dict(file) for file in receipt.files]),
        "host": (HOSTS, dict(receipt.host)),
    }
    fields = []
    for name, (table, rows) in parts.items():
        struct = pa.struct([pa.field(c.name, c.type) for c in table.columns if c.name != "recorded_at"])
        fields.append(pa.field(name, pa.list_(struct) if isinstance(rows, list) else struct))
    schema = pa.schema(fields)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_pylist([{name: rows for name, (_, rows) in parts.items()}], schema=schema))
    return bytes(sink.getvalue())
