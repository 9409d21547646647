"""TLS keys by which our schedulers and workers authenticate each other; connections without them are refused.

Each dispatcher creates its own keys for its lifetime.
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
    """Keys with shell-quoted paths: dask-jobqueue puts the paths into a command unquoted.

    Parameters
    ----------
    security : distributed.Security
    """

    def __init__(self, security: Any) -> None:
        self._security = security

    def get_tls_config_for_role(self, role: str) -> dict[str, str]:
        """Return the paths for a worker's command line, quoted."""
        paths: dict[str, str] = self._security.get_tls_config_for_role(role)
        return {key: shlex.quote(value) for key, value in paths.items() if value is not None}


def in_memory_keys() -> Any:
    """Create keys in memory only: a `distributed.Security` for workers that this process starts."""
    import distributed

    make_temporary: Any = distributed.Security.temporary
    return make_temporary()


@contextlib.contextmanager
def keys_in(folder: Path) -> Iterator[Any]:
    """Create keys for remote workers: a `distributed.Security` of files that only this user can read.

    Parameters
    ----------
    folder : Path
        Folder shared with the workers' machines. The files are deleted at the end.
    """
    import distributed

    make_security: Any = distributed.Security
    made = in_memory_keys()
    # created with mode 0700
    with tempfile.TemporaryDirectory(prefix=".keys-", dir=folder, ignore_cleanup_errors=True) as own:
        cert, key = Path(own) / "cert.pem", Path(own) / "key.pem"
        cert.write_text(made.tls_worker_cert)
        key.write_text(made.tls_worker_key)
        files = {"tls_ca_file": str(cert)}
        for role in ("scheduler", "worker", "client"):
            files |= {f"tls_{role}_cert": str(cert), f"tls_{role}_key": str(key)}
        yield make_security(require_encryption=True, **files)
