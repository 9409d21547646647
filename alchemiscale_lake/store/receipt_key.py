"""The key of a lake that receipts are signed with: one secret from which the secret of every attempt is derived.

It is stored in `keys/receipts.json`, and created when the first attempt is assigned. Dispatchers read it; workers need
not and, in a bucket with the documented policy, cannot.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import NotFoundError, SigningKeyError
from .objects import ObjectStore
from .storage_errors import fail

__all__ = [
    "RECEIPT_KEY",
    "ReceiptKey",
    "check_receipt_key",
    "is_sound_key",
    "make_private_folder",
    "receipt_key",
]

_FOLDER: Final = "keys"
#: Path of the key within a lake.
RECEIPT_KEY: Final = f"{_FOLDER}/receipts.json"
_DIGEST: Final = "sha256"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """The signing key.

    Attributes
    ----------
    key : bytes
        Secret from which the secrets of attempts are derived.
    since_seq : int
        Number of the last commit to the Task log before the key was created; attempts claimed up to there have no
        secret.
    """

    key: bytes
    since_seq: int

    def __repr__(self) -> str:
        return f"ReceiptKey(since_seq={self.since_seq})"

    def secret_of(self, attempt: str) -> str:
        """Return the secret of an attempt, which only its worker receives."""
        return hmac.new(self.key, attempt.encode(), hashlib.sha256).hexdigest()


def receipt_key(objects: ObjectStore, root: Path | None, seq: int) -> ReceiptKey:
    """Return the key of a lake; create it if there is none.

    Parameters
    ----------
    objects : ObjectStore
    root : Path or None
        Folder of the lake, None for a bucket.
    seq : int
        Number of the newest commit to the Task log.

    Raises
    ------
    SigningKeyError
        If the key exists but cannot be read.
    StorageError
        If the lake does not answer.
    """
    found = _read(objects, root)
    if found is None:
        make_private_folder(root, _FOLDER)
        objects.put_exclusive(RECEIPT_KEY, _content(seq))
        _hide(root, RECEIPT_KEY)
        found = _read(objects, root)
    if found is None:
        raise SigningKeyError(f"{RECEIPT_KEY} of the lake was just deleted; try again", path=RECEIPT_KEY)
    return found


def make_private_folder(root: Path | None, name: str) -> None:
    """Create a folder readable only by its owner, and by its group if the group may write the lake.

    Parameters
    ----------
    root : Path or None
        Folder of the lake; None for a bucket, where nothing is done.
    name : str
        Path of the new folder, relative to the lake.
    """
    if root is None:
        return
    folder = root / name
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True, mode=0o700)
        _hide(root, name)


def _hide(root: Path | None, name: str) -> None:
    if root is None:
        return
    path = root / name
    shared = 0o070 if root.stat().st_mode & 0o020 else 0
    wanted = (0o700 | shared) & (0o777 if path.is_dir() else 0o666)
    with contextlib.suppress(OSError):  # owned by another user, who has set it
        path.chmod(wanted)


def check_receipt_key(objects: ObjectStore, root: Path | None) -> None:
    """Check that the key of a lake, if any, is readable.

    Parameters
    ----------
    objects : ObjectStore
        Objects of the lake.
    root : Path or None
        Folder of the lake; None for a bucket.

    Raises
    ------
    SigningKeyError
    StorageError
    """
    _read(objects, root)


def is_sound_key(data: bytes) -> bool:
    """Return whether this is the content of a key with a matching digest."""
    try:
        content = json.loads(data)
        key = content["key"]
        is_right = content[_DIGEST] == _digest(key, content["since_seq"])
        return is_right and content.keys() == {"key", "since_seq", _DIGEST} and len(bytes.fromhex(key)) >= _KEY_BYTES
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _content(seq: int) -> bytes:
    key = secrets.token_hex(_KEY_BYTES)
    return json.dumps({"key": key, "since_seq": seq, _DIGEST: _digest(key, seq)}).encode()


def _digest(key: str, since_seq: int) -> str:
    return hashlib.sha256(f"{since_seq} {key}".encode()).hexdigest()


def _read(objects: ObjectStore, root: Path | None) -> ReceiptKey | None:
    try:
        data = objects.get(RECEIPT_KEY) if root is None else (root / RECEIPT_KEY).read_bytes()
    except (NotFoundError, FileNotFoundError):
        return None
    except PermissionError as e:
        raise SigningKeyError(
            f"{e.filename} cannot be read by this user; run dispatchers as the owner of the lake, or make the lake's "
            "folder and this file readable and writable for your group",
            path=RECEIPT_KEY,
        ) from e
    except OSError as e:
        fail(f"cannot read {RECEIPT_KEY}", e, path=RECEIPT_KEY)
    try:
        content = json.loads(data)
        key, since_seq = bytes.fromhex(content["key"]), content["since_seq"]
        is_old = content.keys() == {"key", "since_seq"} and len(key) >= _KEY_BYTES and isinstance(since_seq, int)
        is_right = is_old or is_sound_key(data)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_right = False
    if not is_right:
        raise SigningKeyError(
            f"{RECEIPT_KEY} of the lake is damaged; run `alchemiscale-lake maintain --repair`, restore it from a "
            "backup, or stop all dispatchers and delete it: a new key is created, and receipts of earlier claims "
            "need no signature",
            path=RECEIPT_KEY,
        )
    return ReceiptKey(key, since_seq)
