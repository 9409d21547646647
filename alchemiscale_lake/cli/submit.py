"""`alchemiscale-lake submit`: store a network in a lake."""

from __future__ import annotations

import click

from ..caller import Caller
from ..plurals import count
from ._errors import put_out, say
from ._launch import open_lake
from ._options import lake_option, tasks_option

__all__ = ["command"]


@click.command("submit")
@click.argument("network", type=click.Path())
@lake_option
@click.option("--scope", required=True, metavar="ORG-CAMPAIGN-PROJECT", help="Scope to store the network in.")
@click.option("--name", default=None, help="Name in the lake.  [default: the network's own]")
@tasks_option
def command(network: str, lake: str, scope: str, name: str | None, tasks_per_transformation: int | None) -> None:
    """Store a network in a lake, and print its ScopedKey.

    NETWORK is written by openfe: a network file (.json, .json.gz, .json.zst), the folder of
    `openfe plan-rbfe-network`, or a Transformation file. Its Protocols need not be installed.
    Submitting the same or an extended network again stores only new objects. Without
    --tasks-per-transformation, no Tasks are created.

    \b
    Example:
      alchemiscale-lake submit network.json --scope org-campaign-project -t 3
    """
    from ..ids import Scope
    from ..networks import read_network
    from ..networks.keys import unverified_keys
    from ..query import new_scope_note
    from ..statestore.simulation_count import multiplied_repeats
    from ..statestore.submit import submit_network
    from ..statestore.task_operations import ensure_tasks

    wanted = Scope.parse(scope).require_specific()
    given = read_network(network)  # before the lake is created: bad input must not leave an empty lake behind
    place = open_lake(lake, say, check=lambda: unverified_keys(given))
    is_new_scope = new_scope_note(place, wanted)
    submission = submit_network(place, given, wanted, name=name)
    put_out(submission.network)
    say(
        f"{submission.name or 'network'}: {count(submission.n_transformations, 'Transformation')} "
        f"({submission.n_new_transformations} new), {count(submission.n_new_objects, 'new object')} stored"
    )
    for note in (is_new_scope, submission.note_on_name, submission.note_on_keys):
        if note is not None:
            say(note)
    if not tasks_per_transformation:
        say(f"next: alchemiscale-lake run {submission.network}")
        return
    created = ensure_tasks(place, submission.network, tasks_per_transformation, caller=Caller("submit"))
    if not created:
        every = count(tasks_per_transformation, "Task")
        say(f"no Task was created: every Transformation has at least {every} already")
        return
    if multiplied := multiplied_repeats(place, submission.network):
        say(multiplied)
    say(f"{count(len(created), 'Task')} created and actioned")
    say("next: alchemiscale-lake dispatch")
