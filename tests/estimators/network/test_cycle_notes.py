"""Notes on what cycles show of uncertainties."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.estimators.network.cycle_notes import scaled_by_cycles, shared_error, unchecked

SHARED: Any = SimpleNamespace(added_kcal_mol=0.3, high_kcal_mol=0.9)


def closure(chi2: float, degrees_of_freedom: int) -> Any:
    return SimpleNamespace(chi2=chi2, degrees_of_freedom=degrees_of_freedom)


def test_a_shared_error_states_its_evidence() -> None:
    measured = shared_error(SHARED, closure(12.9, 3))
    assumed = shared_error(SHARED, closure(0.0, 0))

    assert measured.code == assumed.code == "shared-error"
    assert measured.message.startswith("reduced chi-squared 4.3 over 3 cycles: 0.3 kcal/mol")
    assert assumed.message.startswith("without cycles")
    assert "less than 0.9)" in assumed.message


@pytest.mark.parametrize(
    ("unknown", "words"),
    [
        (True, "no result has an uncertainty: 2 kcal/mol per edge is estimated from 1 cycle"),
        (False, "reduced chi-squared 9 over 1 cycle and there are no repeats: stated uncertainties are scaled by 2"),
    ],
)
def test_a_scale_is_a_factor_or_an_uncertainty(unknown: bool, words: str) -> None:
    note = scaled_by_cycles(2.0, closure(9.0, 1), unknown=unknown)

    assert (note.code, note.message) == ("scaled-by-cycles", words)


def test_unchecked_uncertainties_say_what_would_check_them() -> None:
    words = {n: unchecked(closure(0.1 * n, n)).message for n in (0, 1, 2)}

    assert words[0].startswith("no leg has repeats and no cycle closes, so stated uncertainties are not checked (")
    for n, part in ((1, "1 independent cycle closes"), (2, "2 independent cycles close")):
        start, _, rest = words[n].partition(", so stated")
        assert start == f"no leg has repeats and only {part}, as by chance"
        assert rest == words[0].partition(", so stated")[2], "otherwise the same words"
    assert "run repeats or add edges that close cycles" in words[1]


def test_a_large_misfit_is_a_plain_number() -> None:
    note = scaled_by_cycles(128.0, closure(309.6, 1), unknown=False)

    assert note.message.startswith("reduced chi-squared 310 over 1 cycle")
    assert note.message.endswith("scaled by 130")
