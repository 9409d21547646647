"""`alchemiscale-lake assays`: import, list and withdraw experimental values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from ..caller import Caller
from ..plurals import count
from ._errors import say
from ._files import ExistingFile
from ._options import duplicates_option, lake_option, temperature_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..networks.measurements import Duplicates
    from ..store import Lake

__all__ = ["command"]

_COLUMNS: Final = (
    "ligand", "value_kcal_mol", "uncertainty_kcal_mol", "kind", "source", "entered_by", "entered_at", "scope"
)  # fmt: skip


@click.command("assays")
@click.argument("file", required=False, type=ExistingFile())
@lake_option
@click.option("--scope", required=True, metavar="ORG-CAMPAIGN-PROJECT", help="Scope of the values.")
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default=None,
    show_default="binding for FILE, else all",
    help="Quantity that was measured.",
)
@temperature_option
@duplicates_option
@click.option(
    "--source",
    default=None,
    show_default="the file's name",
    help="Source of the values of FILE; with --list and --withdraw-all, only values of this source.",
)
@click.option("--list", "listed", is_flag=True, help="List the values that are in use.")
@click.option("--withdraw", "ligands", multiple=True, metavar="LIGAND", help="Withdraw its values; may be repeated.")
@click.option("--withdraw-all", is_flag=True, help="Withdraw all values of --source.")
@click.option("--reason", default=None, help="Reason of a withdrawal; kept in the log.")
@output_options
def command(
    file: str | None,
    lake: str,
    scope: str,
    kind: str | None,
    temperature: float,
    duplicates: Duplicates,
    source: str | None,
    listed: bool,
    ligands: tuple[str, ...],
    withdraw_all: bool,
    reason: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Import, list and withdraw experimental values.

    FILE is a CSV or TSV with a header: `ligand`, `value_kcal_mol` (or `pKi`, `pIC50`, `Ki (nM)`, `Kd (nM)`,
    `IC50 (nM)`), and optionally `uncertainty_kcal_mol`, `smiles`, `source`. The next `gather` shifts estimates to
    their scale. Withdrawn values are kept in the lake, and no longer used; importing them again brings them back.

    \b
    Examples:
      alchemiscale-lake assays experiment.csv --scope org-campaign-project --kind hydration
      alchemiscale-lake assays --scope org-campaign-project --withdraw ligand_7 --reason "wrong batch"
      alchemiscale-lake assays --scope org-campaign-project --withdraw-all --source experiment.csv
    """
    from ..query import require_scope
    from ..store import Lake

    if (file is not None) + listed + bool(ligands) + withdraw_all != 1:
        raise click.UsageError("give a FILE to import, or one of --list, --withdraw and --withdraw-all")
    if withdraw_all and source is None:
        raise click.UsageError("--withdraw-all needs --source, as --list shows it")
    opened = Lake.open(lake)
    require_scope(opened, scope)
    if file is not None:
        _import(opened, file, scope, kind or "binding", source, temperature, duplicates)
    elif listed:
        _list(opened, scope, kind, source, tsv=tsv, output=output)
    else:
        _withdraw(opened, scope, ligands, kind, source, reason)


def _import(
    lake: Lake, file: str, scope: str, kind: str, source: str | None, temperature: float, duplicates: Duplicates
) -> None:
    from ..importing.assays import import_assays, unmatched_assays, unused_assays

    new = import_assays(
        lake, file, scope, kind, source=source, temperature_kelvin=temperature, duplicates=duplicates, tell=say
    )
    say(f"imported {count(new, f'new {kind} value')} into {scope}")
    for remark in (unused_assays(lake, scope, kind), unmatched_assays(lake, scope)):
        if remark is not None:
            say(remark)


def _list(lake: Lake, scope: str, kind: str | None, source: str | None, *, tsv: bool, output: str | None) -> None:
    from ..importing.withdrawals import current_assays
    from ..report import Table

    values = current_assays(lake, scope, kind=kind)
    if source is not None:
        values = values.filter(values["source"] == source)
    table = replace(Table.of(values.select(_COLUMNS)), keep=("value_kcal_mol", "kind", "source"))
    show_table(
        table,
        tsv=tsv,
        output=output,
        counted=count(len(values), "value"),
        empty=f"{scope} has no such experimental value",
    )


def _withdraw(
    lake: Lake, scope: str, ligands: tuple[str, ...], kind: str | None, source: str | None, reason: str | None
) -> None:
    from ..importing.withdrawals import withdraw_assays

    n = withdraw_assays(lake, scope, ligands, kind=kind, source=source, reason=reason, caller=Caller.this_user())
    say(f"{count(n, 'experimental value')} of {scope} withdrawn")
    say(f"next: alchemiscale-lake gather --scope {scope}")
