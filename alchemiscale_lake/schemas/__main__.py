"""Write the documentation of every table: `python -m alchemiscale_lake.schemas > docs/tables.md`."""

from __future__ import annotations

import sys

from . import TABLES

_HEAD = """# Tables

Written from `alchemiscale_lake/schemas` by `python -m alchemiscale_lake.schemas`; change it there.

Timestamps are UTC. ScopedKeys are text, as at ingestion. Units stand in the column's name. Views over
these tables (`task_states`, `ligand_ranking`, ...) are described in [Read results](read-results.md).

"""


def document() -> str:
    """Return the page as Markdown."""
    return _HEAD + "\n".join(schema.markdown() for schema in TABLES.values())


if __name__ == "__main__":
    sys.stdout.write(document())
