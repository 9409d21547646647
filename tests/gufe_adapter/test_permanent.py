"""Permanent storage of units, in the shape of today's gufe and in that of the coming one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gufe
import pytest
from gufe.protocols import protocolunit
from gufe.protocols.protocolunit import ProtocolUnitFailure, ProtocolUnitResult

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.gufe_adapter import PermanentFolder


class Writer(gufe.ProtocolUnit):
    """Registers a file of its scratch folder, and reads one of another ProtocolDAG."""

    @staticmethod
    def _execute(ctx: Any, *, file: str, read: str | None = None) -> dict[str, Any]:
        (Path(ctx.scratch) / "a.dat").write_text("mine")
        at = ctx.permanent.register(file)
        return {"at": at, "read": None if read is None else ctx.permanent.load(read)}


class Older(gufe.ProtocolUnit):
    """Knows no permanent storage."""

    @staticmethod
    def _execute(ctx: Any) -> dict[str, Any]:
        return {"folders": sorted(path.name for path in (Path(ctx.shared), Path(ctx.scratch)))}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / "shared" / "u" if name == "shared" else tmp_path / name for name in
            ("shared", "scratch", "stdout", "stderr")}  # fmt: skip
    for folder in made.values():
        folder.mkdir(parents=True)
    return made


@pytest.fixture
def permanent(tmp_path: Path, folders: dict[str, Path]) -> PermanentFolder:
    return PermanentFolder(tmp_path / "permanent" / "dag" / "unit", folders["scratch"])


# --- the coming Context, after its public drafts -----------------------------------------------------


class Manager:
    def __init__(self, scratch: Path, storage: Any, namespace: str) -> None:
        self.scratch, self.storage, self.namespace, self.names = scratch, storage, namespace, set[str]()

    def register(self, name: str) -> str:
        self.names.add(name)
        return f"{self.namespace}/{name}"

    def load(self, location: str) -> bytes:
        with self.storage.load_stream(location) as file:
            return bytes(file.read())


class ComingContext:
    def __init__(
        self, dag_label: str, unit_label: str, scratch: Path, shared_storage: Any, permanent_storage: Any,
        stderr: Path | None = None, stdout: Path | None = None,
    ) -> None:  # fmt: skip
        self.scratch, self.stdout, self.stderr = scratch, stdout, stderr
        self.shared = Manager(scratch, shared_storage, f"{dag_label}/{unit_label}")
        self.permanent = Manager(scratch, permanent_storage, f"{dag_label}/{unit_label}")

    def __enter__(self) -> ComingContext:
        return self

    def __exit__(self, *_: object) -> None:
        for manager in (self.shared, self.permanent):
            for name in manager.names:
                manager.storage.store_path(f"{manager.namespace}/{name}", manager.scratch / name)


def _coming_execute(self: Any, *, context: Any, **inputs: Any) -> Any:
    try:
        outputs = self._execute(context, **inputs)
    except Exception as e:
        return ProtocolUnitFailure(
            source_key=self.key, inputs=inputs, outputs={}, exception=(type(e).__name__, e.args), traceback=""
        )
    return ProtocolUnitResult(source_key=self.key, inputs=inputs, outputs=outputs)


@pytest.fixture(params=["today", "coming"])
def shape(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "coming":
        monkeypatch.setattr(protocolunit, "Context", ComingContext)
        monkeypatch.setattr(gufe.ProtocolUnit, "execute", _coming_execute)
    return str(request.param)


@pytest.mark.usefixtures("shape")
def test_a_registered_file_is_in_the_permanent_folder_of_its_unit(
    folders: dict[str, Path], permanent: PermanentFolder
) -> None:
    result = gufe_adapter.execute_unit(Writer(file="a.dat"), results={}, permanent=permanent, **folders)
    assert gufe_adapter.unit_ok(result)
    assert result.outputs["at"] == "dag/unit/a.dat"
    assert (permanent / "a.dat").read_text() == "mine"


@pytest.mark.usefixtures("shape")
def test_files_of_another_dag_are_loaded_by_their_location(
    folders: dict[str, Path], permanent: PermanentFolder, tmp_path: Path
) -> None:
    other = tmp_path / "permanent" / "other" / "unit"
    other.mkdir(parents=True)
    (other / "b.dat").write_text("theirs")
    unit = Writer(file="a.dat", read="other/unit/b.dat")
    result = gufe_adapter.execute_unit(unit, results={}, permanent=permanent, **folders)
    assert result.outputs["read"] == b"theirs"


@pytest.mark.usefixtures("shape")
def test_a_good_unit_must_have_written_what_it_registered(folders: dict[str, Path], permanent: PermanentFolder) -> None:
    with pytest.raises(FileNotFoundError):
        gufe_adapter.execute_unit(Writer(file="b.dat"), results={}, permanent=permanent, **folders)


@pytest.mark.usefixtures("shape")
def test_a_failed_unit_tells_its_own_failure(folders: dict[str, Path], permanent: PermanentFolder) -> None:
    unit = Writer(file="b.dat", read="nowhere/unit/c.dat")
    result = gufe_adapter.execute_unit(unit, results={}, permanent=permanent, **folders)
    assert not gufe_adapter.unit_ok(result)


def test_older_protocols_ignore_it(folders: dict[str, Path], permanent: PermanentFolder) -> None:
    for offered in (permanent, None):
        result = gufe_adapter.execute_unit(Older(), results={}, permanent=offered, **folders)
        assert result.outputs["folders"] == ["scratch", "u"]
    assert list(permanent.iterdir()) == []


def test_it_is_a_folder_to_those_who_take_it_as_one(permanent: PermanentFolder) -> None:
    Path(permanent, "a").write_text("x")
    assert (permanent / "a").read_text() == "x"
    assert [path.name for path in permanent.glob("*")] == ["a"]
    assert str(permanent).endswith("permanent/dag/unit")


@pytest.mark.parametrize("location", ["../../secret", "/etc/passwd"])
def test_nothing_outside_is_loaded(permanent: PermanentFolder, tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(FileNotFoundError):
        permanent.load(location)
