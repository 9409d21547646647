"""Write the documentation of every table: `python -m alchemiscale_lake.schemas > docs/tables.md`."""

from __future__ import annotations

import sys

from . import TABLES

_HEAD = """# Tables

Generated from `alchemiscale_lake/schemas` by `python -m alchemiscale_lake.schemas`; edit it there.

Timestamps are UTC. ScopedKeys are text, as at ingestion. Units are part of the column name. Views over
these tables (`task_states`, `ligand_ranking`, ...) are described in [Read results](read-results.md).

"""


def document() -> str:
    """Return the page as Markdown."""
    return _HEAD + "\n".join(schema.markdown() for schema in TABLES.values())


if __name__ == "__main__":
    sys.stdout.write(document())
