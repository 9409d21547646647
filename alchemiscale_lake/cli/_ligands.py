"""The table of ligands that a run ends with: for people on a terminal, TSV through a pipe."""

from __future__ import annotations

import sys

import click
import polars as pl
from rich.console import Console
from rich.table import Table

__all__ = ["print_ligands"]

_COLUMNS = {
    "ligand": "ligand",
    "value_kcal_mol": "DG(MLE) (kcal/mol)",
    "uncertainty_kcal_mol": "uncertainty (kcal/mol)",
    "experiment_kcal_mol": "experiment (kcal/mol)",
}


def print_ligands(ranking: pl.DataFrame) -> None:
    """Print the answer to the question `ligand_ranking`."""
    rows = ranking.select(_COLUMNS).rows()
    if not sys.stdout.isatty():
        click.echo("\t".join(_COLUMNS.values()))
        for row in rows:
            click.echo("\t".join("" if cell is None else str(cell) for cell in row))
        return
    table = Table(*_COLUMNS.values())
    for name, *numbers in rows:
        table.add_row(name, *("" if number is None else f"{number:.2f}" for number in numbers))
    Console().print(table)
