"""The key that receipts are signed with: created once, hidden from others, reported if missing."""

from __future__ import annotations

import errno
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alchemiscale_lake.errors import SigningKeyError
from alchemiscale_lake.store import RECEIPT_KEY, Lake, check_receipt_key, repair
from alchemiscale_lake.store.log_entry import entry_name
from alchemiscale_lake.store.receipt_key import receipt_key


def test_every_process_gets_the_same_key(place: str) -> None:
    lakes = [Lake.open(place) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda lake: lake.receipt_key, lakes))
    assert len({key.key for key in keys}) == 1
    assert keys[0].secret_of("a") == keys[1].secret_of("a") != keys[0].secret_of("b")
    assert keys[0].key.hex() not in repr(keys[0])


def test_each_lake_has_a_key_of_its_own(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Lake.create(tmp_path_factory.mktemp("other") / "lake")
    assert lake.receipt_key.key != other.receipt_key.key


@pytest.mark.parametrize(("mode", "of_folder", "of_file"), [(0o755, 0o700, 0o600), (0o2775, 0o770, 0o660)])
def test_the_key_is_readable_for_its_owner_or_for_who_may_write_the_lake(
    lake: Lake, mode: int, of_folder: int, of_file: int
) -> None:
    assert lake.local_path is not None
    lake.local_path.chmod(mode)
    assert lake.receipt_key
    folder = lake.local_path / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o777 == of_folder
    assert stat.S_IMODE((folder / "receipts.json").stat().st_mode) == of_file


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"key": 1, "since_seq": 0}', b'{"key": "00", "since_seq": 0}']
)
def test_a_damaged_key_is_not_replaced(lake: Lake, content: bytes) -> None:
    lake.objects.put("keys/receipts.json", content)
    with pytest.raises(SigningKeyError, match=r"keys/receipts\.json"):
        assert lake.receipt_key
    assert lake.objects.get("keys/receipts.json") == content


def test_no_flipped_bit_of_a_key_goes_unnoticed_and_repair_flips_it_back(lake: Lake) -> None:
    assert lake.local_path is not None
    assert lake.receipt_key
    path = lake.local_path / RECEIPT_KEY
    written, mode = path.read_bytes(), path.stat().st_mode
    for at in range(0, len(written), 7):
        path.write_bytes(written[:at] + bytes((written[at] ^ 1 << at % 8,)) + written[at + 1 :])
        with pytest.raises(SigningKeyError, match="maintain --repair"):
            check_receipt_key(lake.objects, lake.local_path)
    (loss,) = repair(lake, tell=lambda _: None).losses
    assert "keys/receipts.json): one flipped bit was restored" in str(loss)
    assert (path.read_bytes(), path.stat().st_mode) == (written, mode)


def test_nothing_is_repaired_while_the_key_is_beyond_repair(lake: Lake) -> None:
    assert lake.local_path is not None
    assert lake.receipt_key
    (lake.local_path / RECEIPT_KEY).write_bytes(b"\0" * 100)
    entry = lake.local_path / "tables" / "assays" / "_delta_log" / entry_name(1)
    entry.write_bytes(b"")
    with pytest.raises(SigningKeyError, match="delete it"):
        repair(lake, tell=lambda _: None)
    assert entry.exists()


def test_a_key_of_an_earlier_version_has_no_digest(lake: Lake) -> None:
    lake.objects.put(RECEIPT_KEY, json.dumps({"key": "ab" * 32, "since_seq": 3}).encode())
    assert lake.receipt_key.since_seq == 3


def test_a_key_of_another_user_is_missed_in_words(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake.receipt_key

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    # root, who may run the tests, is denied nothing
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SigningKeyError, match="cannot be read by this user"):
        receipt_key(lake.objects, lake.local_path, 0)
