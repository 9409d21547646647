"""The key of a lake by which receipts are signed: one secret, from which that of every attempt is derived.

`keys/receipts.json`, made when the first attempt is handed out. Dispatchers read it; workers need not and, where a
bucket has the documented policy, cannot.
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
from .failures import fail
from .objects import ObjectStore

__all__ = ["ReceiptKey", "make_private_folder", "receipt_key"]

_FOLDER: Final = "keys"
_PATH: Final = f"{_FOLDER}/receipts.json"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """The key.

    Attributes
    ----------
    since_seq : int
        Number of the last commit to the log of Tasks before the key was made: attempts claimed up to there were handed
        out without a secret.
    """

    key: bytes
    since_seq: int

    def __repr__(self) -> str:
        return f"ReceiptKey(since_seq={self.since_seq})"

    def secret_of(self, attempt: str) -> str:
        """Return the secret of an attempt, which only its worker is given."""
        return hmac.new(self.key, attempt.encode(), hashlib.sha256).hexdigest()


def receipt_key(objects: ObjectStore, root: Path | None, seq: int) -> ReceiptKey:
    """Return the key of a lake; make it if there is none.

    Parameters
    ----------
    objects : ObjectStore
    root : Path or None
        Folder of the lake, None for a bucket.
    seq : int
        Number of the newest commit to the log of Tasks.

    Raises
    ------
    SigningKeyError
        If there is a key that cannot be read.
    StorageError
        If the lake does not answer.
    """
    found = _read(objects, root)
    if found is None:
        make_private_folder(root, _FOLDER)
        content = {"key": secrets.token_hex(_KEY_BYTES), "since_seq": seq}
        objects.put_exclusive(_PATH, json.dumps(content).encode())
        _hide(root, _PATH)
        found = _read(objects, root)
    if found is None:
        raise SigningKeyError(f"{_PATH} of the lake was deleted just now; try again", path=_PATH)
    return found


def make_private_folder(root: Path | None, name: str) -> None:
    """Make a folder of a lake that only its owner can read; its group too where that may write the lake."""
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
    with contextlib.suppress(OSError):  # another's, who has made it so
        path.chmod(wanted)


def _read(objects: ObjectStore, root: Path | None) -> ReceiptKey | None:
    try:
        content = json.loads(objects.get(_PATH) if root is None else (root / _PATH).read_bytes())
        key, since_seq = bytes.fromhex(content["key"]), content["since_seq"]
    except (NotFoundError, FileNotFoundError):
        return None
    except PermissionError as e:
        raise SigningKeyError(
            f"{e.filename} cannot be read by this user; dispatch as the user who owns the lake, or make the lake's "
            "folder and this file readable and writable for your group",
            path=_PATH,
        ) from e
    except OSError as e:
        fail(f"cannot read {_PATH}", e, path=_PATH)
    except (ValueError, KeyError, TypeError) as e:
        raise SigningKeyError(
            f"{_PATH} of the lake is damaged ({type(e).__name__}); restore it from a backup, or stop all "
            "dispatchers and delete it: a new one is made; receipts of attempts claimed until then need no signature",
            path=_PATH,
        ) from e
    if len(key) < _KEY_BYTES or not isinstance(since_seq, int):
        raise SigningKeyError(f"{_PATH} of the lake holds no key; restore it from a backup", path=_PATH)
    return ReceiptKey(key, since_seq)
