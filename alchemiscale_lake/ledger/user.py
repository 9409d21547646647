"""Who does what is being done, where the caller does not say."""

from __future__ import annotations

import getpass

__all__ = ["user_name"]


def user_name() -> str:
    """Return the name of the user of this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return "unknown"
