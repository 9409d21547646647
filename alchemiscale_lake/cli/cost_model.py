"""`alchemiscale-lake cost-model`: train cost models from results, list them, and show one in detail."""

from __future__ import annotations

from typing import Any

import click

from ._errors import LakeGroup, say
from ._options import lake_option, refuse_before_subcommand
from ._show import output_options, show_table

__all__ = ["command"]


@click.group("cost-model", cls=LakeGroup, invoke_without_command=True)
@lake_option
@output_options
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Train models of the cost of calculations, and show how accurate they are.

    Without a subcommand, models are listed. A lake has one model for all Scopes; the newest is used. Without a model,
    costs are estimated from physics and published GPU speeds.

    \b
    Example:
      alchemiscale-lake cost-model train
    """
    if ctx.invoked_subcommand is None:
        _list(**options)
    else:
        refuse_before_subcommand(ctx, "lake")


@command.command("train")
@lake_option
@click.option("--force", is_flag=True, help="Train even if there is little new data.")
def train(lake: str, force: bool) -> None:
    """Train a model from all good results, if enough is new.

    Enough is a fifth more results than the last model had, or three results of a new Protocol or GPU model.

    \b
    Example:
      alchemiscale-lake cost-model train --lake ./lake
    """
    from ..costs.cost_models import train_cost_model
    from ..report.cost import training_line
    from ..store import Lake

    say(training_line(train_cost_model(Lake.open(lake), force=force)))


@command.command("list")
@lake_option
@output_options
def list_models(lake: str, tsv: bool, output: str | None) -> None:
    """List all models, newest first.

    \b
    Example:
      alchemiscale-lake cost-model list
    """
    _list(lake, tsv, output)


@command.command("show")
@click.argument("model", required=False)
@lake_option
@output_options
def show(model: str | None, lake: str, tsv: bool, output: str | None) -> None:
    """Show a model in detail: data, features, cross-validated error and coverage.

    MODEL is a name or a prefix of one; the default is the newest model.

    \b
    Example:
      alchemiscale-lake cost-model show
    """
    from ..costs.cost_models import read_model
    from ..report.cost import model_lines, model_table
    from ..store import Lake

    known = read_model(Lake.open(lake), model)
    show_table(model_table(known), tsv=tsv, output=output)
    for line in model_lines(known):
        say(line)


def _list(lake: str, tsv: bool, output: str | None) -> None:
    from ..costs.cost_models import cost_models
    from ..report.cost import models_table
    from ..store import Lake

    table = models_table(cost_models(Lake.open(lake)))
    show_table(table, tsv=tsv, output=output, empty="no models: costs are estimated from physics and GPU speeds")
