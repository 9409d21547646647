"""Result files in the form written by `openfe quickrun`, of every generation, and their network.

Made from the description of the format: nested dicts under `protocol_result`, keyed ones under `unit_results`,
quantities and times as in gufe's JSON. Keys are MD5 sums of sorted JSON, like gufe's.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

Generation = Literal["settings", "single", "three"]
GENERATIONS: tuple[Generation, ...] = ("settings", "single", "three")
#: Value and uncertainty of a repeat in kcal/mol, or how it failed.
Repeat = tuple[float, float] | str
PHASES = ("complex", "solvent")
BEGAN = datetime(2025, 3, 1, 9, 30)

_MODULES = {
    "SmallMoleculeComponent": "gufe.components.smallmoleculecomponent",
    "ProteinComponent": "gufe.components.proteincomponent",
    "SolventComponent": "gufe.components.solventcomponent",
    "ChemicalSystem": "gufe.chemicalsystem",
    "LigandAtomMapping": "gufe.mapping.ligandatommapping",
    "Transformation": "gufe.transformations.transformation",
    "AlchemicalNetwork": "gufe.network",
    "RelativeHybridTopologyProtocol": "openfe.protocols.openmm_rfe.equil_rfe_methods",
}


def thing(qualname: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "__qualname__": qualname, "__module__": _MODULES.get(qualname, "nowhere"), ":version:": 1}


def kcal(value: float | None) -> Any:
    if value is None:
        return None
    return {
        "magnitude": value, "unit": "kilocalorie_per_mole", ":is_custom:": True, "pint_unit_registry": "openff_units",
    }  # fmt: skip


def isotime(at: datetime) -> dict[str, Any]:
    return {"__class__": "datetime", "__module__": "datetime", ":is_custom:": True, "isotime": at.isoformat()}


class QuickrunNetwork:
    """A network of ligands, nested and as a keyed chain, and result files of its legs."""

    def __init__(self, pairs: Sequence[tuple[str, str]], *, phases: Sequence[str] = PHASES, protein: str = "P") -> None:
        self.pairs, self.phases = list(pairs), list(phases)
        self.objects: dict[str, dict[str, Any]] = {}
        self.protein = thing("ProteinComponent", atoms=[[7, 0, "A", 1, "GLY", 0, 0, 0, 0, 0]], bonds=[], name=protein)
        self.solvent = thing(
            "SolventComponent", smiles="O", positive_ion="Na+", negative_ion="Cl-",
            ion_concentration="0.15 molar", neutralize=True,
        )  # fmt: skip
        self.settings = {
            "__class__": "RelativeHybridTopologyProtocolSettings", ":is_custom:": True,
            "protocol_repeats": 3, "engine_settings": {"compute_platform": "CUDA"},
        }  # fmt: skip
        self.protocol = thing("RelativeHybridTopologyProtocol", settings=self.settings)

    def ligand(self, name: str) -> dict[str, Any]:
        atoms = [[6, 0, 0, False, 0, 0, {}, 4], [1, 0, 0, False, 0, 0, {}, 1]] * (1 + len(name))
        return thing("SmallMoleculeComponent", atoms=atoms, bonds=[], molprops={"ofe-name": name})

    def system(self, name: str, phase: str) -> dict[str, Any]:
        around = {"protein": self.protein} if phase == "complex" else {}
        around |= {} if phase == "vacuum" else {"solvent": self.solvent}
        return thing("ChemicalSystem", components={"ligand": self.ligand(name)} | around, name=f"{name}_{phase}")

    def mapping(self, a: str, b: str) -> dict[str, Any]:
        pairs = {str(i): i for i in (10, 9, 2, 0)}
        return thing(
            "LigandAtomMapping", componentA=self.ligand(a), componentB=self.ligand(b),
            componentA_to_componentB=pairs, annotations='{"score": 0.5}',
        )  # fmt: skip

    def transformation(self, a: str, b: str, phase: str) -> dict[str, Any]:
        return thing(
            "Transformation", stateA=self.system(a, phase), stateB=self.system(b, phase), protocol=self.protocol,
            mapping=self.mapping(a, b), name=f"rbfe_{a}_{phase}_{b}_{phase}",
        )  # fmt: skip

    def legs(self) -> list[tuple[str, str, str]]:
        return [(a, b, phase) for a, b in self.pairs for phase in self.phases]

    def key(self, whole: dict[str, Any]) -> str:
        """Add an object with everything it contains, and return its key."""
        fields = self._keyed(whole)
        told = {k: v for k, v in fields.items() if k != ":version:" and v is not None}
        if whole["__qualname__"] == "SolventComponent":  # these are defaults, which gufe leaves out
            told = {k: v for k, v in told.items() if k in ("ion_concentration", "__qualname__", "__module__")}
        if "componentA_to_componentB" in told:
            told["componentA_to_componentB"] = {int(k): v for k, v in told["componentA_to_componentB"].items()}
        token = hashlib.md5(json.dumps(told, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        key = f"{whole['__qualname__']}-{token}"
        self.objects.setdefault(key, fields)
        return key

    def _keyed(self, whole: dict[str, Any]) -> dict[str, Any]:
        def flat(value: Any) -> Any:
            if isinstance(value, dict):
                inner = {k: flat(v) for k, v in value.items()}
                return {":gufe-key:": self.key(value)} if "__qualname__" in value else inner
            return [flat(v) for v in value] if isinstance(value, list) else value

        return {name: flat(value) for name, value in whole.items()}

    def write_network(self, path: Path) -> Path:
        """Return the network, as written by `openfe plan-rbfe-network`."""
        edges = [self.transformation(*leg) for leg in self.legs()]
        nodes = {self.key(edge[s]): edge[s] for edge in edges for s in ("stateA", "stateB")}
        self.key(thing("AlchemicalNetwork", edges=edges, nodes=list(nodes.values()), name="planned"))
        path.write_text(json.dumps(list(self.objects.items())))
        return path

    # --- results ----------------------------------------------------------------------------------

    def result(
        self, a: str, b: str, phase: str, repeats: Sequence[Repeat], generation: Generation = "three", **ids: str
    ) -> dict[str, Any]:
        """Return the content of a file; `ids` fixes the random ids of repeats by number, `r0` for the first."""
        data, units, good = {}, {}, []
        for number, repeat in enumerate(repeats):
            label = ids.get(f"r{number}") or str(uuid.uuid4().int)
            executed = self._units(a, b, phase, number, label, repeat, generation)
            for keyed, _ in executed:
                units[keyed["_key"]] = keyed
            if not isinstance(repeat, str):
                data[label] = [executed[-1][1]]
                good.append(repeat[0])
        whole = len(good) == len(repeats)
        mean = sum(good) / len(good) if good else 0.0
        sd = (sum((v - mean) ** 2 for v in good) / (len(good) - 1)) ** 0.5 if len(good) > 1 else 0.0
        return {
            "estimate": kcal(mean if whole else None),
            "uncertainty": kcal(sd if whole else None),
            "protocol_result": {
                "n_protocol_dag_results": 1, "data": data, "__qualname__": "RelativeHybridTopologyProtocolResult",
                "__module__": _MODULES["RelativeHybridTopologyProtocol"],
            },
            "unit_results": units,
        }  # fmt: skip

    def write(
        self, folder: Path, a: str, b: str, phase: str, repeats: Sequence[Repeat], generation: Generation = "three",
        *, name: str | None = None, packed: bool = False, **ids: str,
    ) -> Path:  # fmt: skip
        """Write a file, named after the Transformation as in openfe's documentation."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.result(a, b, phase, repeats, generation, **ids))
        path = folder / f"{name or f'rbfe_{a}_{phase}_{b}_{phase}'}.json{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if packed else text.encode())
        return path

    def _units(
        self, a: str, b: str, phase: str, number: int, label: str, repeat: Repeat, generation: Generation
    ) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return units of one repeat in order, keyed and nested; the last one failed if the repeat did."""
        leg = self.transformation(a, b, phase)
        about = {"stateA": leg["stateA"], "stateB": leg["stateB"], "ligandmapping": leg["mapping"]}
        common = {"repeat_id": int(label), "generation": 0}
        told = f"{a} to {b} repeat {number} generation 0"
        if generation == "settings":
            return [self._unit(told, "RFEUnit", {**about, "settings": self.settings, **common}, repeat, number)]
        if generation == "single":
            inputs = {**about, "protocol": self.protocol, **common}
            return [self._unit(told, "RelativeHybridTopologyProtocolUnit", inputs, repeat, number)]
        setup = self._unit(
            f"HybridTopology Setup: {told}", "SetupUnit", {**about, "protocol": self.protocol, **common}, None, number
        )
        inputs = {"protocol": self.protocol, "setup_results": setup[1], **common}
        simulated = self._unit(
            f"HybridTopology Simulation: {told}", "SimulationUnit", inputs, repeat if isinstance(repeat, str) else None,
            number,
        )  # fmt: skip
        if isinstance(repeat, str):
            return [setup, simulated]
        inputs = {"protocol": self.protocol, "setup_results": setup[1], "simulation_results": simulated[1], **common}
        return [
            setup,
            simulated,
            self._unit(f"HybridTopology Analysis: {told}", "AnalysisUnit", inputs, repeat, number),
        ]

    def _unit(
        self, name: str, qualname: str, inputs: dict[str, Any], repeat: Repeat | None, number: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        outputs: dict[str, Any] = {"repeat_id": inputs["repeat_id"], "generation": 0}
        failed = isinstance(repeat, str)
        if repeat is not None and not isinstance(repeat, str):
            outputs |= {"unit_estimate": kcal(repeat[0]), "unit_estimate_error": kcal(repeat[1])}
        began = BEGAN + timedelta(hours=number)
        fields: dict[str, Any] = {
            "name": name,
            "_key": f"{'ProtocolUnitFailure' if failed else 'ProtocolUnitResult'}-{uuid.uuid4().hex}",
            "source_key": f"{qualname}-{uuid.uuid4().hex}",
            "inputs": inputs,
            "outputs": {} if failed else outputs,
            "start_time": isotime(began),
            "end_time": isotime(began + timedelta(minutes=10)),
            "__qualname__": "ProtocolUnitFailure" if failed else "ProtocolUnitResult",
            "__module__": "gufe.protocols.protocolunit",
            ":version:": 1,
        }
        if failed:
            fields |= {"exception": ["ValueError", [repeat]], "traceback": f"Traceback ...\nValueError: {repeat}"}
        keyed_inputs = {
            key: {":gufe-key:": value["_key"]} if isinstance(value, dict) and "_key" in value else value
            for key, value in inputs.items()
        }
        return {**fields, "inputs": self._keyed(keyed_inputs)}, fields
