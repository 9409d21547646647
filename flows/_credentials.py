"""The lake's credentials: from the environment as it is, or from a Prefect block that it names.

They go into this process's environment, where the libraries that speak to buckets look for them, and
nowhere else: not into parameters, logs, errors or tables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.secrecy import forbid_reading

__all__ = ["BLOCK_VARIABLE", "load_credentials"]

#: Names the block: `lake-bucket`, a Secret block, or `secret/lake-bucket`.
BLOCK_VARIABLE: Final = "ALCHEMISCALE_LAKE_CREDENTIALS_BLOCK"
#: A block may not set what changes which code runs, such as PATH, LD_PRELOAD or PYTHONPATH.
_ALLOWED: Final = re.compile(r"(AWS|AZURE|GOOGLE|GCS|S3)_[A-Z0-9_]+|ALCHEMISCALE_LAKE(_[A-Z0-9_]+)?")


def load_credentials() -> tuple[str, ...]:
    """Put the credentials of the named block into the environment; without a name, do nothing.

    What the environment has already stays.

    Returns
    -------
    tuple of str
        Names of the variables that were set, never their values.

    Raises
    ------
    SettingsError
        If the block is not there or holds something else than credentials.
    """
    # whether they come from a block or were there: from now on this process is not to be read
    forbid_reading()
    block = os.environ.get(BLOCK_VARIABLE)
    if not block:
        return ()
    new = {name: value for name, value in _variables(block).items() if name not in os.environ}
    os.environ.update(new)
    return tuple(sorted(new))


def _variables(block: str) -> Mapping[str, str]:
    content = _content(block)
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise SettingsError(
            f"Prefect block {block!r} does not hold an object of strings; save it as a Secret with a value like "
            '{"AWS_ACCESS_KEY_ID": "...", "AWS_SECRET_ACCESS_KEY": "..."}',
            block=block,
        )
    refused = sorted(name for name in content if not _ALLOWED.fullmatch(str(name)))
    if refused:
        raise SettingsError(
            f"Prefect block {block!r} sets {', '.join(refused)}; it may set AWS_*, AZURE_*, GOOGLE_* and "
            "ALCHEMISCALE_LAKE* variables only",
            block=block,
        )
    return content


def _content(block: str) -> Any:
    from prefect.blocks.system import Secret

    kind, _, name = block.rpartition("/")
    if kind not in ("", "secret"):
        raise SettingsError(f"{BLOCK_VARIABLE} is {block!r}; name a Secret block, as in secret/{name}", block=block)
    try:
        secret: Any = Secret.load(name)
        return secret.get()
    except ValueError as e:  # what Prefect raises if there is none
        raise SettingsError(
            f"Prefect has no Secret block {name!r}, which {BLOCK_VARIABLE} names; save one under that name", block=block
        ) from e
