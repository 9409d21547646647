"""Migrates a lake to a format of the future; killed at the fault point that `ALCHEMISCALE_LAKE_FAULT` names."""

from __future__ import annotations

import sys

from alchemiscale_lake.store import migrate
from tests.next_formats import next_formats


def main() -> None:
    with next_formats():
        migrate(sys.argv[1], tell=lambda _: None)


if __name__ == "__main__":
    main()
