"""Contract tests for kept files, to be mixed with `ClientContract`."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from alchemiscale_lake import Caller, ScopedKey
from alchemiscale_lake.client import LakeClient
from alchemiscale_lake.errors import DamagedError, NotFoundError, PermissionDeniedError, SettingsError
from alchemiscale_lake.statestore.file_pruning import Retention, prune_files
from alchemiscale_lake.store import Lake
from tests.client.client_contract import NOBODY, OTHER, SCOPE
from tests.kept_files import FileKeeper

NAME = "permanent/00-u/a.nc"


class FileContract:
    """Inherit this beside `ClientContract`, which has the fixtures."""

    @pytest.fixture
    def keeper(self, lake: Lake, tmp_path: Path) -> FileKeeper:
        return FileKeeper(lake, tmp_path / "kept")

    @pytest.fixture
    def tasks(self, client: LakeClient, network: ScopedKey) -> list[ScopedKey]:
        return client.create_tasks(client.get_network_transformations(network)[0], count=2)

    def facts(self, client: LakeClient, task: ScopedKey) -> dict[str, str]:
        return {"transformation": str(client.get_task_transformation(task))}

    def test_files_are_listed_and_copied(
        self, client: LakeClient, keeper: FileKeeper, tasks: list[ScopedKey], network: ScopedKey, tmp_path: Path
    ) -> None:
        data, facts = os.urandom(9 * 2**20), self.facts(client, tasks[0])
        attempt = uuid.uuid4().hex
        keeper.kept(str(tasks[0]), data, attempt=attempt, **facts)
        keeper.kept(str(tasks[0]), b"log", "a.log", attempt=attempt, **facts)
        keeper.kept(str(tasks[1]), b"other", **facts)

        listed = client.list_files(tasks[0])
        assert listed["path"].to_list() == ["permanent/00-u/a.log", NAME]
        assert listed["stored"].all()
        assert client.list_files(tasks[0], "*.nc")["n_bytes"].to_list() == [len(data)]
        assert client.list_files(network)["task"].unique().sort().to_list() == sorted(map(str, tasks))

        out = tmp_path / "out"
        (one,) = client.get_files(str(tasks[0]), "*.nc", out, visualize=False)
        assert (one, one.read_bytes()) == (out / NAME, data)
        assert client.get_file(tasks[0], "permanent/00-u/a.log", out, visualize=True).read_bytes() == b"log"
        found = client.get_files(network, "*.nc", tmp_path / "all", visualize=False)
        assert {path.relative_to(tmp_path / "all").parts[0] for path in found} == {str(t.gufe_key) for t in tasks}
        with pytest.raises(NotFoundError, match="no file"):
            client.get_file(tasks[0], "nothing", out, visualize=False)
        with pytest.raises(NotFoundError):
            client.list_files(NOBODY)

    def test_a_copy_is_continued_and_a_damaged_one_refused(
        self, client: LakeClient, lake: Lake, keeper: FileKeeper, tasks: list[ScopedKey], tmp_path: Path
    ) -> None:
        at = keeper.kept(str(tasks[0]), b"content", **self.facts(client, tasks[0]))
        partial = tmp_path / f".a.nc.{at.split('/')[2][:16]}.part"
        for begun, whole in ((b"cont", True), (b"wrong", False)):
            folder = tmp_path / begun.decode()
            partial = folder / f"permanent/00-u/.a.nc.{at.split('/')[2][:16]}.part"
            partial.parent.mkdir(parents=True)
            partial.write_bytes(begun)
            if whole:
                assert client.get_file(tasks[0], NAME, folder, visualize=False).read_bytes() == b"content"
            else:
                with pytest.raises(DamagedError, match="SHA-256"):
                    client.get_file(tasks[0], NAME, folder, visualize=False)

    def test_deleted_files_say_so(
        self, client: LakeClient, lake: Lake, keeper: FileKeeper, tasks: list[ScopedKey], tmp_path: Path
    ) -> None:
        keeper.kept(str(tasks[0]), b"content", **self.facts(client, tasks[0]))
        (file,) = client.list_files(tasks[0]).to_dicts()
        prune_files(lake, Retention(0.0), caller=Caller("ada"))
        (listed,) = client.list_files(tasks[0]).to_dicts()
        assert (listed["stored"], listed["reason"].startswith("deleted on ")) == (False, True)
        assert client.get_files(tasks[0], folder=tmp_path, visualize=False) == []
        with pytest.raises(NotFoundError, match="was deleted"):
            self.ask(client, "file_block", task=str(tasks[0]), attempt=file["attempt"], path=file["path"])
        (told,) = client.get_task_story(tasks[0])["files"]
        assert told["reason"] == listed["reason"]

    def ask(self, client: LakeClient, name: str, **arguments: object) -> object:
        return client._ask(name, **arguments)

    def test_sizes_count_what_is_shared_once(
        self, client: LakeClient, keeper: FileKeeper, tasks: list[ScopedKey], network: ScopedKey
    ) -> None:
        facts = self.facts(client, tasks[0])
        for task in tasks:
            keeper.kept(str(task), b"shared", **facts)
        keeper.kept(str(tasks[0]), b"shared", **facts)

        first, second, none = client.get_tasks_storage([*tasks, NOBODY])
        assert first == {"n_files": 2, "result_bytes": 2000, "file_bytes": 6, "shared_bytes": 6}
        assert second == {"n_files": 1, "result_bytes": 1000, "file_bytes": 6, "shared_bytes": 6}
        assert none == dict.fromkeys(first, 0)
        (whole,) = client.get_networks_storage([network])
        assert whole == {"n_files": 3, "result_bytes": 3000, "file_bytes": 6, "shared_bytes": 0}

    def test_only_who_may_read_gets_files(
        self, client: LakeClient, lake: Lake, keeper: FileKeeper, tasks: list[ScopedKey]
    ) -> None:
        keeper.kept(str(tasks[0]), b"content", **self.facts(client, tasks[0]))
        (file,) = client.list_files(tasks[0]).to_dicts()
        guest = LakeClient(lake, caller=Caller("guest", ((OTHER, "read"),)))
        place = {"task": str(tasks[0]), "attempt": file["attempt"], "path": file["path"]}
        for ask in (
            lambda: guest.list_files(tasks[0]),
            lambda: guest.get_tasks_storage(tasks),
            lambda: self.ask(guest, "file_block", **place),
            lambda: self.ask(guest, "file_url", **place, valid_s=1.0),
        ):
            with pytest.raises(PermissionDeniedError):
                ask()
        # nor by an attempt of a Task that one may read
        mine = {**place, "task": str(tasks[1])}
        with pytest.raises(NotFoundError, match="no attempt"):
            self.ask(client, "file_block", **mine)
        assert str(SCOPE) in str(tasks[1])

    def test_a_folder_has_no_urls(self, client: LakeClient, keeper: FileKeeper, tasks: list[ScopedKey]) -> None:
        keeper.kept(str(tasks[0]), b"content", **self.facts(client, tasks[0]))
        with pytest.raises(SettingsError, match="folder"):
            client.get_file_urls(tasks[0])
