"""`alchemiscale-lake cost-model`: train models of cost from results, list them, show what one rests on."""

from __future__ import annotations

import click

from ._errors import LakeGroup, say
from ._options import lake_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.group("cost-model", cls=LakeGroup)
def command() -> None:
    """Train models of what calculations cost, and see what they are worth.

    A lake has one model for all Scopes; the newest counts. Without one, physics and published speeds of GPU models
    are all there is.

    \b
    Example:
      alchemiscale-lake cost-model train
    """


@command.command("train")
@lake_option
@click.option("--force", is_flag=True, help="Train although little is new.")
def train(lake: str, force: bool) -> None:
    """Train a model from all good results, if a fifth more are there than the last time, or something new.

    \b
    Example:
      alchemiscale-lake cost-model train --lake ./lake
    """
    from ..ledger.cost_models import train_cost_model
    from ..report.cost import training_line
    from ..store import Lake

    say(training_line(train_cost_model(Lake.open(lake), force=force)))


@command.command("list")
@lake_option
@output_options
def list_models(lake: str, tsv: bool, output: str | None) -> None:
    """List all models, the newest first.

    \b
    Example:
      alchemiscale-lake cost-model list
    """
    from ..ledger.cost_models import cost_models
    from ..report.cost import models_table
    from ..store import Lake

    show_table(models_table(cost_models(Lake.open(lake))), tsv=tsv, output=output)


@command.command("show")
@click.argument("model", required=False)
@lake_option
@output_options
def show(model: str | None, lake: str, tsv: bool, output: str | None) -> None:
    """Show what a model rests on: data, features, error and coverage where the answer was left out.

    MODEL is a name or the beginning of one; the model that counts by default.

    \b
    Example:
      alchemiscale-lake cost-model show
    """
    from ..ledger.cost_models import read_model
    from ..report.cost import model_lines, model_table
    from ..store import Lake

    known = read_model(Lake.open(lake), model)
    show_table(model_table(known), tsv=tsv, output=output)
    for line in model_lines(known):
        say(line)
