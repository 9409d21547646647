"""Changes of a lake's format, one file per step.

The format of a lake is a number in its marker, `lake.json`. `schemas.FORMAT` is the one that this version writes. The
file `to_<n>.py` holds the step from format n-1 to n; `store/migrate.py` runs the missing ones, in order.

**Additive steps** add tables, nullable columns, or values that are NULL in the new columns. Nothing that existed
changes, so readers and writers of either format continue meanwhile, and a lake that only lacks additive steps opens as
it is: what came later is empty or NULL. What a format adds is declared once, as `since` of a table or column; the step
that adds it is `Step(n, "...")` and no more. Values for existing rows are computed by `fill`, in a `run` that calls
`add_new` first. A value may get another name by `rename_values`, if readers of the format before can do without it.

**Other steps** change what existed. The lake opens only once they are done, so the marker names the new format before
the first change (older versions then refuse the lake) with `unfinished_from`, until the last change is done. They are
refused while Tasks are running.

A step is idempotent, and may be killed anywhere: `migrate` runs it again from its beginning. When it is done, it is
recorded in the table `migrations`, then in the marker; a lost marker is restored from that table. A step is never
changed once a version that has it was released, for its input are lakes of the past: it uses its own names of tables
and columns where later steps change those of `schemas`.
"""

from __future__ import annotations

from typing import Final

from .fill import fill, rename_values
from .step import Step, add_new
from .to_2 import TO_2
from .to_3 import TO_3
from .to_4 import TO_4

__all__ = ["STEPS", "Step", "add_new", "fill", "rename_values", "steps_after"]

#: All steps, in order.
STEPS: Final = (TO_2, TO_3, TO_4)


def steps_after(format_: int) -> list[Step]:
    """Return the steps that a lake of this format lacks, in order."""
    return [step for step in STEPS if step.to > format_]
