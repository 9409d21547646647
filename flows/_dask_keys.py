"""Keys by which a scheduler of ours and its workers know each other; traffic without them is refused.

Each dispatcher makes its own, for as long as it runs.
"""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["QuotedKeys", "in_memory_keys", "keys_in"]


class QuotedKeys:
    """Keys as a shell reads them: dask-jobqueue puts their paths into a command as they are.

    Parameters
    ----------
    security : distributed.Security
    """

    def __init__(self, security: Any) -> None:
        self._security = security

    def get_tls_config_for_role(self, role: str) -> dict[str, str]:
        """Return the paths that a worker is told on its command line, quoted."""
        told: dict[str, str] = self._security.get_tls_config_for_role(role)
        return {key: shlex.quote(value) for key, value in told.items() if value is not None}


def in_memory_keys() -> Any:
    """Make keys that are in no file: a `distributed.Security` for workers that this process starts."""
    import distributed

    make_temporary: Any = distributed.Security.temporary
    return make_temporary()


@contextlib.contextmanager
def keys_in(folder: Path) -> Iterator[Any]:
    """Make keys for workers elsewhere: a `distributed.Security` of files that only this user can read.

    Parameters
    ----------
    folder : Path
        Seen by this machine and the workers'. The files are gone at the end.
    """
    import distributed

    make_security: Any = distributed.Security
    made = in_memory_keys()
    # made with mode 0700
    with tempfile.TemporaryDirectory(prefix=".keys-", dir=folder, ignore_cleanup_errors=True) as own:
        cert, key = Path(own) / "cert.pem", Path(own) / "key.pem"
        cert.write_text(made.tls_worker_cert)
        key.write_text(made.tls_worker_key)
        files = {"tls_ca_file": str(cert)}
        for role in ("scheduler", "worker", "client"):
            files |= {f"tls_{role}_cert": str(cert), f"tls_{role}_key": str(key)}
        yield make_security(require_encryption=True, **files)
