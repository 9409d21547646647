"""Credentials of the lake, from the environment or from a Prefect block named there.

They are put into this process's environment, where bucket clients look for them, and nowhere else: not into
parameters, logs, errors or tables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from ..errors import SettingsError
from ..secrecy import forbid_reading

__all__ = ["BLOCK_VARIABLE", "load_credentials"]

#: Variable with the name of the Secret block: `lake-bucket` or `secret/lake-bucket`.
BLOCK_VARIABLE: Final = "ALCHEMISCALE_LAKE_CREDENTIALS_BLOCK"
#: A block must not set variables that change which code runs, such as PATH, LD_PRELOAD or PYTHONPATH.
_ALLOWED: Final = re.compile(r"(AWS|AZURE|GOOGLE|GCS|S3)_[A-Z0-9_]+|ALCHEMISCALE_LAKE(_[A-Z0-9_]+)?")


def load_credentials(environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """Put the credentials of the named block into the environment; do nothing if no block is named.

    Variables that are already set are kept.

    Parameters
    ----------
    environ : mutable mapping of str to str
        The environment, or a mapping in its place.

    Returns
    -------
    tuple of str
        Names of the variables that were set, never their values.

    Raises
    ------
    SettingsError
        If the block does not exist or contains something other than credentials.
    """
    # the environment now contains credentials, from a block or from before: forbid reading this process
    forbid_reading()
    block = environ.get(BLOCK_VARIABLE)
    if not block:
        return ()
    new = {name: value for name, value in _variables(block).items() if name not in environ}
    environ.update(new)
    return tuple(sorted(new))


def _variables(block: str) -> Mapping[str, str]:
    content = _content(block)
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise SettingsError(
            f"Prefect block {block!r} is not an object of strings; save it as a Secret with a value like "
            '{"AWS_ACCESS_KEY_ID": "...", "AWS_SECRET_ACCESS_KEY": "..."}',
            block=block,
        )
    refused = sorted(name for name in content if not _ALLOWED.fullmatch(str(name)))
    if refused:
        raise SettingsError(
            f"Prefect block {block!r} sets {', '.join(refused)}; it may only set AWS_*, AZURE_*, GOOGLE_* and "
            "ALCHEMISCALE_LAKE* variables",
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
    except ValueError as e:  # raised by Prefect if the block does not exist
        raise SettingsError(
            f"Prefect has no Secret block {name!r}, set in {BLOCK_VARIABLE}; save one under that name", block=block
        ) from e
