"""Findings on a narrow terminal: one line each, with the place of the finding instead of its sentence."""

from __future__ import annotations

import pytest

from alchemiscale_lake.report import Table, lay_out
from alchemiscale_lake.report.findings import _brief, _place

SENTENCES = {
    "complex lig_ejm_31 -> lig_ejm_42: result -13.02 is 4.12 above the mean of the 2 others; expected 0.25 kcal/mol": (
        "complex lig_ejm_31 -> lig_ejm_42"
    ),
    "solvent a -> b: 3 results scatter by 0.90 kcal/mol; expected 0.20 from stated uncertainties and similar legs": (
        "solvent a -> b"
    ),
    "complex legs of RelativeHybridTopologyProtocol: 12 legs (24 degrees of freedom) scatter 1.3 times as much as "
    "stated; weight in each leg: 3.1 degrees of freedom": "complex legs of RelativeHybridTopologyProtocol",
    "absolute binding of a is 1.20 +/- 0.31 kcal/mol below the value from the rest of the network": (
        "absolute binding of a"
    ),
    "binding a -> b -> c -> a adds up to -3.20 +/- 0.41 kcal/mol": "binding a -> b -> c -> a",
    "complex a -> b and its reverse add up to 0.70 +/- 0.10 kcal/mol": "complex a -> b and its reverse",
    "two legs complex a -> b differ by -0.70 +/- 0.10 kcal/mol": "two legs complex a -> b",
    "binding: reduced chi-squared 4.30 over 5 independent cycles (chi-squared 21.5)": (
        "binding: reduced chi-squared 4.30"
    ),
    "a sentence of an earlier version is 3 above all": "a sentence of an earlier version is 3 above all",
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_shortened_to_its_place(sentence: str) -> None:
    assert _place(sentence) == SENTENCES[sentence]


@pytest.mark.parametrize("network", [(), ("jacs/tyk2_of_spring",)])
def test_every_finding_is_one_line_of_80_columns_however_long_its_names(network: tuple[str, ...]) -> None:
    around = " -> ".join([f"lig_ejm_{k}_long_name" for k in range(12)])
    sentences = [*SENTENCES, f"binding {around} adds up to -3.20 +/- 0.41 kcal/mol"]
    columns = ("flagged", "check", "p", "finding", "value (kcal/mol)", "expected (kcal/mol)", "kind")
    rows = [(*network, True, "hysteresis", 0.0002123, text, -3.2014, 0.4142, "binding") for text in sentences]
    table = Table((*(["network"] if network else []), *columns), rows, is_sheet=True)

    screen = lay_out(_brief(table, flagged_only=True), 80)

    names = [column.name for column in screen._columns]
    assert names[-4:] == ["p", "finding", "value (kcal/mol)", "expected (kcal/mol)"]
    assert sum(column.width + 2 for column in screen._columns) - 2 <= 80
    assert all(len(cell) <= column.width for column in screen._columns for cell in column.cells), "none is broken"
    assert screen.notes[0] == "shortened: finding; a wider terminal, --tsv or -o FILE shows all"
