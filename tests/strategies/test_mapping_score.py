"""Good atom mappings first."""

from __future__ import annotations

from dataclasses import replace

from alchemiscale_lake.strategies.mapping_score import MappingScore, MappingScoreSettings
from tests.strategies.plain_rows import rows_of, state


def test_the_power_is_of_the_score_and_the_decay_of_results_and_tasks() -> None:
    strategy = MappingScore(MappingScoreSettings(power=2.0, decay_rate=0.25, max_runs=3))
    rows = [replace(row, score=0.5) for row in rows_of("ab", "bc", "cd", "de", results=(0, 1, 2, 3))]
    rows[1:3] = [replace(row, n_in_flight=1) for row in rows[1:3]]

    proposal = strategy.propose(state(rows))

    assert list(proposal.weights.values()) == [0.25, 0.25 * 0.25**2, 0.0, None]
    assert proposal.reasons[rows[1].key] == "score 0.5; 2 results or Tasks"


def test_an_unknown_score_is_said_and_is_the_one_of_the_settings() -> None:
    (row,) = rows_of("ab")

    proposal = MappingScore(MappingScoreSettings(unknown_score=0.3)).propose(state([row]))

    assert proposal.weights[row.key] == 0.3
    assert proposal.reasons[row.key].startswith("score unknown")


def test_mapping_scores_order_and_are_bounded() -> None:
    rows = [replace(row, score=score) for row, score in zip(rows_of("ab", "bc", "cd"), (0.8, None, 0.0), strict=True)]

    assert list(MappingScore().propose(state(rows)).weights.values()) == [0.8, 0.5, 0.05]
