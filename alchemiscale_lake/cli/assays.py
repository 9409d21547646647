"""`alchemiscale-lake assays`: import experimental values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..plurals import count
from ._errors import say
from ._options import duplicates_option, lake_option, temperature_option

if TYPE_CHECKING:
    from ..networks.measurements import Duplicates

__all__ = ["command"]


@click.command("assays")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@lake_option
@click.option("--scope", required=True, metavar="ORG-CAMPAIGN-PROJECT", help="Scope to import into.")
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default="binding",
    show_default=True,
    help="Quantity that was measured.",
)
@temperature_option
@duplicates_option
@click.option("--source", default=None, help="Source of the values.  [default: the file's name]")
def command(
    file: str, lake: str, scope: str, kind: str, temperature: float, duplicates: Duplicates, source: str | None
) -> None:
    """Import experimental values.

    FILE is a CSV or TSV with a header: `ligand`, `value_kcal_mol` (or `pKi`, `pIC50`, `Ki (nM)`, `Kd (nM)`,
    `IC50 (nM)`), and optionally `uncertainty_kcal_mol`, `smiles`, `source`. The next `gather` shifts estimates to
    their scale.

    \b
    Example:
      alchemiscale-lake assays experiment.csv --scope org-campaign-project --kind hydration
    """
    from ..importing.assays import import_assays, unmatched_assays, unused_assays
    from ..store import Lake

    opened = Lake.open(lake)
    new = import_assays(
        opened, file, scope, kind, source=source, temperature_kelvin=temperature, duplicates=duplicates, tell=say
    )
    say(f"imported {count(new, f'new {kind} value')} into {scope}")
    for remark in (unused_assays(opened, scope, kind), unmatched_assays(opened, scope)):
        if remark is not None:
            say(remark)
