"""Results of openfe of 2023, whose files hold numbers and keys, but not the systems themselves."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.store import Lake
from tests.quickrun_files import kcal

SCOPE = "org-campaign-project"


def write(folder: Path, a: str, b: str, phase: str, value: float | None, *, name: str | None = None) -> Path:
    """A file of one leg with three repeats; without a value, one whose repeats all failed."""
    folder.mkdir(exist_ok=True)
    units = {}
    for repeat in range(3):
        key = f"ProtocolUnit{'Result' if value is not None else 'Failure'}-{uuid.uuid4().hex}"
        units[key] = {
            "name": f"{a} {b} repeat {repeat} generation 0",
            "_key": key,
            "source_key": f"RelativeLigandProtocolUnit-{uuid.uuid4().hex}",
            "inputs": {"stateA": {":gufe-key:": f"ChemicalSystem-{a}-{phase}"}},
            "outputs": {"repeat_id": repeat, "generation": 0},
            "__qualname__": key.partition("-")[0],
            "__module__": "gufe.protocols.protocolunit",
        } | ({} if value is not None else {"exception": ["ValueError", ["no"]], "traceback": "..."})
    result = {"data": {"nc_files": []}, "__qualname__": "RelativeLigandProtocolResult", "__module__": "openfe"}
    content = {"estimate": kcal(value), "uncertainty": kcal(0.1), "protocol_result": result, "unit_results": units}
    path = folder / (name or f"easy_rbfe_{a}_{phase}_{b}_{phase}.json")
    path.write_text(json.dumps(content))
    return path


def test_ligands_and_legs_are_taken_from_names(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "tyk2"
    for phase, value in (("complex", 3.0), ("solvent", 1.0)):
        write(folder, "ejm_31", "ejm_42", phase, value)

    report = import_results(lake, [folder], SCOPE)

    gather_network(lake, report.networks[0], rule="sd")
    (edge,) = ask(connect(lake), "latest_edges").to_dicts()
    assert (report.n_good, report.n_transformations) == (2, 2)
    assert (edge["ligand_i"], edge["ligand_j"], edge["kind"]) == ("ejm_31", "ejm_42", "binding")
    assert (edge["value_kcal_mol"], edge["uncertainty_kcal_mol"]) == pytest.approx((2.0, 0.02**0.5))


def test_a_leg_may_be_the_name_of_the_folder(lake: Lake, tmp_path: Path) -> None:
    write(tmp_path / "solvent", "a", "b", "solvent", 1.0, name="a_b.json")

    assert import_results(lake, [tmp_path / "solvent"], SCOPE).n_good == 1


def test_importing_again_adds_nothing(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "r", "a", "b", "solvent", 1.0)
    import_results(lake, [path], SCOPE)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))

    again = import_results(lake, [path], SCOPE)

    assert (again.n_good, again.n_known, again.n_transformations) == (0, 1, 0)


@pytest.mark.parametrize(("value", "why"), [(1.0, "it contains neither its systems nor"), (None, "it failed before")])
def test_an_import_that_finds_nothing_is_refused_with_the_reason(
    lake: Lake, tmp_path: Path, value: float | None, why: str
) -> None:
    path = write(tmp_path / "r", "a", "b", "solvent", value, name="result.json")

    with pytest.raises(ResultFileError, match=rf"nothing was imported:\n{path}: skipped, {why}"):
        import_results(lake, [path], SCOPE)


@pytest.mark.parametrize("content", [b"\0" * 4096, b"", b'{"esti', b'[["A-1", {"__qualname__": "A"}'], ids=repr)
@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_a_damaged_file_among_good_ones_is_named(lake: Lake, tmp_path: Path, content: bytes, suffix: str) -> None:
    write(tmp_path / "r", "a", "b", "solvent", 1.0)
    (tmp_path / "r" / f"bad.{suffix}").write_bytes(content)

    with pytest.raises(ResultFileError, match=rf"bad\.{suffix}: .*(damaged|reached the end|ends in)"):
        import_results(lake, [tmp_path / "r"], SCOPE)
