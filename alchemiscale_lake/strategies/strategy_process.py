"""A Strategy in a process of its own: reads the question from stdin, leaves its answer in a file.

For Strategies of users and of other packages: their failure, endless loop or crash ends this process only. Imports
little, so that it starts fast.
"""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..ids import ScopedKey
from .catalog import load_strategy
from .proposal import Proposal
from .strategy_rows import LigandRow, LinkRow, NetworkRows, TransformationRow
from .stratocaster_adapter import FromStratocaster

__all__ = ["StrategyAnswer", "answer_from", "answer_of", "network_from", "question"]


@dataclass(frozen=True, slots=True)
class StrategyAnswer:
    """Answer of a Strategy.

    Attributes
    ----------
    proposal : Proposal or None
        None if it failed.
    are_tasks : bool
        Whether its weights are numbers of Tasks.
    exception, traceback : str or None
        Of the failure.
    digest : str or None
        SHA-256 of the code and settings that ran, as `load_strategy` computes it; None if nothing was loaded.
    """

    proposal: Proposal | None
    are_tasks: bool = False
    exception: str | None = None
    traceback: str | None = None
    digest: str | None = None


def question(
    strategy: str,
    settings: dict[str, Any],
    network: NetworkRows,
    *,
    code: str | None,
    digest: str,
    answer: Path,
    objects: Path | None = None,
) -> str:
    """Return the text to send to the process.

    Parameters
    ----------
    strategy : str
        Name of an installed Strategy, or `file.py:Name` of the code.
    settings : dict
    network : NetworkRows
    code : str or None
        Text of the user's file.
    digest : str
        SHA-256 of code and settings, as `load_strategy` computes it.
    answer : Path
        Where to leave the answer; the folder is the process's own.
    objects : Path, optional
        Keyed chain of the AlchemicalNetwork, for a Strategy that needs its objects.
    """
    asked = {"strategy": strategy, "settings": settings, "code": code, "digest": digest, "answer": str(answer)}
    asked["objects"] = None if objects is None else str(objects)
    return json.dumps({**asked, "network": asdict(network)})


def answer_from(text: str) -> StrategyAnswer:
    """Return the answer that a process left."""
    found = json.loads(text)
    proposal = found.pop("proposal")
    return StrategyAnswer(None if proposal is None else _proposal(proposal), **found)


def answer_of(asked: dict[str, Any], folder: Path) -> StrategyAnswer:
    """Ask the Strategy of a question; its failure is an answer.

    Parameters
    ----------
    asked : dict
        The question.
    folder : Path
        For the user's file.
    """
    try:
        strategy = asked["strategy"]
        if asked["code"] is not None:
            file, _, name = strategy.rpartition(":")
            (folder / file).write_bytes(asked["code"].encode())
            loaded = load_strategy(f"{folder / file}:{name}", asked["settings"])
            if loaded.digest != asked["digest"]:
                return StrategyAnswer(
                    None, exception="StrategyError: the stored Strategy is not the one that was set; set it again"
                )
        else:
            loaded = load_strategy(strategy, asked["settings"])
        asked_one, network = loaded.strategy, network_from(asked["network"])
        if asked["objects"] is not None and isinstance(asked_one, FromStratocaster):
            asked_one = _with_objects(asked_one, network, Path(asked["objects"]))
        asked_one.check(network)
        return StrategyAnswer(asked_one.propose(network), asked_one.weights_are_tasks, digest=loaded.digest)
    except BaseException as e:  # whatever it raises is its failure
        return StrategyAnswer(None, exception=f"{type(e).__name__}: {e}", traceback=traceback.format_exc())


def _with_objects(strategy: FromStratocaster, network: NetworkRows, chain: Path) -> FromStratocaster:
    """Return the Strategy with the AlchemicalNetwork of a keyed chain, whose keys are those that rows have."""
    from ..gufe_adapter.chain import ChainReader  # imports gufe

    reader = ChainReader()
    alchemical_network = reader.loads(chain.read_bytes())
    keys = {reader.built(ScopedKey.from_str(row.key).gufe_key): row.key for row in network.transformations}
    return strategy.with_network(alchemical_network, lambda edge: keys.get(edge, str(edge.key)))


def _proposal(given: dict[str, Any]) -> Proposal:
    votes = {name: _proposal(vote) for name, vote in given.pop("votes").items()}
    return Proposal(**given, votes=votes)


def network_from(given: dict[str, Any]) -> NetworkRows:
    """Return the rows of a question."""
    rows = tuple(
        TransformationRow(
            **{**row, "values_kcal_mol": tuple(row["values_kcal_mol"]), "features": tuple(row["features"])}
        )
        for row in given.pop("transformations")
    )
    ligands = tuple(LigandRow(**row) for row in given.pop("ligands"))
    links = tuple(LinkRow(**row) for row in given.pop("links"))
    return NetworkRows(**given, transformations=rows, ligands=ligands, links=links)


def _main() -> None:
    asked = json.load(sys.stdin)
    target = Path(asked["answer"])
    part = target.with_suffix(".part")
    part.write_text(json.dumps(asdict(answer_of(asked, target.parent))))
    part.rename(target)


if __name__ == "__main__":
    _main()
