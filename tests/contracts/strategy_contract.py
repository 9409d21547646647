"""Contract tests of Strategies, as a mixin, and networks to try them on.

A test class inherits `StrategyContract` and returns the Strategy:

    class TestMyStrategy(StrategyContract):
        def strategy(self): ...
"""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from alchemiscale_lake.strategies import LinkRow, NetworkRows, Proposal, Strategy, TransformationRow, apportion

__all__ = ["StrategyContract", "fan", "legs_of", "run_tasks", "state_of"]

Pair = tuple[str, str]


def fan(branch: int = 3, depth: int = 2, *, prefix: str = "L") -> list[Pair]:
    """Return pairs of ligands: a centre that branches, like stratocaster's `fanning_network`."""
    pairs: list[Pair] = []
    front, number = [f"{prefix}0"], 0
    for _ in range(depth):
        found = []
        for node in front:
            for _ in range(branch):
                number += 1
                pairs.append((node, f"{prefix}{number}"))
                found.append(f"{prefix}{number}")
        front = found
    return pairs


def legs_of(pairs: Sequence[Pair], *, group: str = "P") -> list[TransformationRow]:
    """Return complex and solvent Transformations of pairs of ligands; the same pair twice is parallel."""
    rows = []
    for k, (a, b) in enumerate(pairs):
        for phase, hours in (("complex", 4.0), ("solvent", 1.0)):
            rows.append(
                TransformationRow(
                    key=f"Transformation-{k:03}{phase}",
                    state_a=f"{a}-{phase}",
                    state_b=f"{b}-{phase}",
                    ligand_a=a,
                    ligand_b=b,
                    phase=phase,
                    group=group,
                    gpu_hours=hours,
                    score=(k % 5) / 5,
                )
            )
    return rows


def state_of(rows: Sequence[TransformationRow], **facts: Any) -> NetworkRows:
    return NetworkRows(transformations=tuple(rows), **facts)


#: One ligand in two structures, and ligands of one structure; the first two parts of networks have no other connection.
LINKS = (
    LinkRow(ligand_a="L0", ligand_b="M0", value_kcal_mol=0.5, uncertainty_kcal_mol=0.1, group_a="P", group_b="P"),
    LinkRow(ligand_a="M0", ligand_b="L1", value_kcal_mol=0.0, uncertainty_kcal_mol=0.0),
    LinkRow(ligand_a="L1", ligand_b="not there", value_kcal_mol=0.0, uncertainty_kcal_mol=0.1),
    LinkRow(ligand_a="L0", ligand_b="L1", value_kcal_mol=0.0, uncertainty_kcal_mol=0.1, kind="hydration"),
)


def run_tasks(row: TransformationRow, n: int) -> TransformationRow:
    """Return a row with n more results, whose values depend on its key and their number alone."""
    values = tuple(
        random.Random(f"{row.key} {k}").gauss(0.0, 0.2 if row.phase == "complex" else 0.05)
        for k in range(row.n_results, row.n_results + n)
    )
    stated = 0.05 if row.phase == "complex" else 0.02
    return replace(
        row,
        n_results=row.n_results + n,
        values_kcal_mol=row.values_kcal_mol + values,
        own_uncertainty_kcal_mol=stated,
    )


def _random_state(seed: int, pairs: Sequence[Pair]) -> NetworkRows:
    rng = random.Random(seed)
    rows = [replace(run_tasks(row, rng.randint(0, 3)), n_in_flight=rng.randint(0, 1)) for row in legs_of(pairs)]
    return state_of(rows)


class StrategyContract:
    """Inherit this and return the Strategy; pytest does the rest."""

    def strategy(self) -> Strategy[Any]:
        """Return the Strategy to test."""
        raise NotImplementedError

    def test_it_proposes_something_for_a_new_network(self) -> None:
        proposal = self.strategy().propose(state_of(legs_of(fan())))

        assert any(proposal.weights.values())
        assert proposal.stop is None

    @pytest.mark.parametrize("seed", range(5))
    def test_the_same_rows_give_the_same_weights_in_any_order(self, seed: int) -> None:
        state = _random_state(seed, [*fan(2, 2), ("L1", "L2"), ("L0", "L1")])
        shuffled = list(state.transformations)
        random.Random(seed).shuffle(shuffled)

        one, other = self.strategy().propose(state), self.strategy().propose(state_of(shuffled))

        assert one.weights == other.weights
        assert one.reasons == other.reasons

    @pytest.mark.parametrize("seed", range(5))
    def test_every_transformation_has_a_valid_weight(self, seed: int) -> None:
        state = _random_state(seed, [*fan(2, 2), ("L1", "L2")])

        proposal = self.strategy().propose(state)

        assert proposal.weights.keys() == {row.key for row in state.transformations}
        for weight in proposal.weights.values():
            assert weight is None or (math.isfinite(weight) and weight >= 0)
        resolved = [weight for weight in proposal.resolve().values() if weight]
        assert not resolved or math.fsum(resolved) == pytest.approx(1.0)

    def test_parallel_transformations_are_distinct(self) -> None:
        rows = legs_of([("L0", "L1"), ("L0", "L1"), ("L1", "L2")])

        proposal = self.strategy().propose(state_of(rows))

        assert len(proposal.weights) == 6

    def test_disconnected_parts_all_start(self) -> None:
        rows = legs_of([*fan(2, 1), *fan(2, 1, prefix="M")])
        strategy, seen = self.strategy(), set()

        for _ in range(40):
            proposal = strategy.propose(state_of(rows))
            rows = self._run(rows, proposal, 4)
            seen |= {row.ligand_a for row in rows if row.n_results}

        assert {"L0", "M0"} <= seen

    @pytest.mark.parametrize("batch", [2, 50])
    def test_it_ends_with_links_and_pays_no_more_for_them(self, batch: int) -> None:
        strategy = self.strategy()
        rows = legs_of([("L0", "L1"), ("L1", "L2"), ("M0", "M1"), ("L0", "M0")])
        spent = [self._tasks_until_the_end(strategy, rows, links, batch) for links in ((), LINKS)]
        started = strategy.propose(state_of(rows, links=LINKS))
        turned = strategy.propose(state_of(rows, links=LINKS[::-1]))

        assert spent[1] <= spent[0] or not strategy.weights_are_tasks
        assert any(started.weights.values())
        assert started.weights == turned.weights

    @pytest.mark.parametrize("batch", [1, 5, 50])
    def test_it_ends_if_its_tasks_succeed(self, batch: int) -> None:
        self._tasks_until_the_end(self.strategy(), legs_of([*fan(2, 2), ("L1", "L2")]), (), batch)

    def test_tasks_in_flight_are_waited_for(self) -> None:
        strategy, rows = self.strategy(), legs_of(fan(2, 1))
        for _ in range(500):
            proposal = strategy.propose(state_of(rows))
            if proposal.idle:
                break
            chosen = apportion(proposal.weights, 5)
            rows = [replace(row, n_in_flight=row.n_in_flight + chosen.get(row.key, 0)) for row in rows]
        else:
            raise AssertionError("it asks for Tasks forever while none has finished")
        assert all(row.n_in_flight <= 50 for row in rows)

    def test_frozen_transformations_get_nothing(self) -> None:
        rows = legs_of(fan())
        rows[0] = replace(rows[0], frozen=True)

        assert not self.strategy().propose(state_of(rows)).weights[rows[0].key]

    def test_odd_networks(self) -> None:
        strategy = self.strategy()
        loop = TransformationRow(key="N", state_a="s", state_b="s", ligand_a="A", ligand_b="A", phase="complex")
        nameless = TransformationRow(key="T", state_a="s", state_b="t")
        absolute = TransformationRow(key="A", state_a="s", state_b="t", ligand_b="A", phase="binding")

        assert strategy.propose(state_of([])).weights == {}
        for rows in ([loop], [nameless], [absolute], [loop, nameless, absolute, *legs_of(fan(2, 1))[:3]]):
            assert len(strategy.propose(state_of(rows)).weights) == len(rows)

    def test_it_is_data(self) -> None:
        strategy = self.strategy()

        assert pickle.loads(pickle.dumps(strategy)).settings == strategy.settings
        kind = type(strategy.settings)
        assert kind.model_validate_json(strategy.settings.model_dump_json()) == strategy.settings
        with pytest.raises(ValidationError, match="Extra inputs"):
            kind.model_validate({"no_such_setting": 1})

    def _tasks_until_the_end(
        self, strategy: Strategy[Any], rows: Sequence[TransformationRow], links: tuple[LinkRow, ...], batch: int
    ) -> int:
        """Run the Tasks that a Strategy asks for until it is finished; return their number."""
        for _ in range(2000):
            proposal = strategy.propose(state_of(rows, links=links, max_tasks=batch))
            if proposal.finished:
                return sum(row.n_results for row in rows)
            assert not proposal.idle, "weights of zero while nothing runs would wait forever"
            rows = self._run(rows, proposal, batch)
        raise AssertionError("it did not end")

    @staticmethod
    def _run(rows: Sequence[TransformationRow], proposal: Proposal, batch: int) -> list[TransformationRow]:
        chosen = apportion(proposal.weights, batch)
        return [run_tasks(row, chosen.get(row.key, 0)) for row in rows]
