"""Import of experimental values: common forms of files, and invalid lines."""

from __future__ import annotations

import math

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidScopeError, SchemaError
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.store import Lake
from tests.real_data import real_file

SCOPE = "org-campaign-project"
RT_LN10 = 8.31446261815324 * 298.15 / 4184 * math.log(10)


@pytest.fixture
def write(tmp_path):
    def write(content: str, name: str = "exp.csv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


def values(lake: Lake) -> list[tuple]:
    columns = ("ligand", "value_kcal_mol", "uncertainty_kcal_mol", "smiles", "source")
    return lake.table("assays").scan().sort("ligand").select(columns).collect().rows()


def test_every_column_is_taken(lake, write):
    path = write(
        "ligand,value_kcal_mol,uncertainty_kcal_mol,smiles,source\nbenzene,-0.87,0.2,c1ccccc1,doi:10.1/x\nmethane,2.0,,C,\n"
    )

    assert import_assays(lake, path, SCOPE, "hydration", caller=Caller("me")) == 2

    assert values(lake) == [
        ("benzene", -0.87, 0.2, "c1ccccc1", "doi:10.1/x"),
        ("methane", 2.0, None, "C", "exp.csv"),
    ]
    assert set(lake.table("assays").scan().select("scope", "kind", "entered_by").collect().rows()) == {
        (SCOPE, "hydration", "me")
    }


def test_importing_again_adds_nothing_and_a_grown_file_only_what_is_new(lake, write):
    path = write("name,dG_exp\na,-1\n")
    import_assays(lake, path, SCOPE)
    assert import_assays(lake, path, SCOPE) == 0

    path = write("name,dG_exp\na,-1\nb,-2\n")
    assert import_assays(lake, path, SCOPE) == 1
    assert len(values(lake)) == 2


@pytest.mark.parametrize(
    "header",
    [
        "ligand,DG (kcal/mol)",
        "Name,exp DG (kcal/mol)",
        "ligand name,Exp_DG",
        "LIGAND,expt_DG [kcal mol^-1]",
        "compound,value kcal/mol",
        "\ufeffligand,experiment",
        "# Ligand, expt_DG",
        "ligand;exp DG",
        "ligand\texp DG",
    ],
)
def test_headers_of_files_people_have(lake, write, header):
    mark = next(mark for mark in ",;\t" if mark in header)
    path = write(
        f"\n{header}\n# a comment\n\na{mark} -1.5 \n" if not header.startswith("\ufeff") else f"{header}\na,-1.5\n"
    )

    assert import_assays(lake, path, SCOPE) == 1
    assert values(lake)[0][:2] == ("a", -1.5)


def test_kilojoules_and_pic50_become_kcal_mol(lake, write):
    import_assays(lake, write("ligand,exp DG (kJ/mol),exp dDG (kJ/mol)\na,-4.184,0.4184\n"), SCOPE)
    import_assays(lake, write("ligand,pIC50,uncertainty\nb,7,0.1\n", "pic50.csv"), SCOPE)
    import_assays(lake, write("ligand,pIC50,uncertainty (kcal/mol)\nc,7,0.1\n", "mixed.csv"), SCOPE)

    found = {row[0]: row[1:3] for row in values(lake)}
    assert found["a"] == pytest.approx((-1.0, 0.1))
    assert found["b"] == pytest.approx((-7 * RT_LN10, 0.1 * RT_LN10))
    assert found["c"] == pytest.approx((-7 * RT_LN10, 0.1))


def test_a_column_of_the_experiment_goes_before_a_computed_one(lake):
    path = real_file("openfe2024_ligands.csv").read_text().splitlines()
    header, first = path[0].split(","), path[1].split(",")

    assert header[1] == "DG (kcal/mol)"
    file = lake.local_path.parent / "ligands.csv"
    file.write_text("\n".join(path[:3]))
    import_assays(lake, file, SCOPE)

    assert values(lake)[0][:3] == ("25", float(first[3]), float(first[4]))


def test_an_uncertainty_of_a_computed_value_is_left_alone(lake, write):
    import_assays(lake, write("ligand,DG (kcal/mol),uncertainty (kcal/mol),exp DG (kcal/mol)\na,-9,0.3,-8\n"), SCOPE)

    assert values(lake)[0][:3] == ("a", -8.0, None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("b,", "no value for ligand 'b'"),
        ("b", "no value for ligand 'b'"),
        ("b,much", "value_kcal_mol is 'much', not a number"),
        ("b,nan", "no value for ligand 'b'"),
        ("b,1,inf", "uncertainty_kcal_mol is 'inf', not a number"),
        ("b,1,-0.1", "the uncertainty of ligand 'b' is negative"),
        (",1", "no name in the ligand column"),
        ("a,-2", "ligand 'a' already has a value in an earlier line"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(lake, write, line, why):
    path = write(f"ligand,value_kcal_mol,uncertainty_kcal_mol\na,-1,0.1\n\n{line}\nc,-3,0.1\n")

    with pytest.raises(SchemaError) as caught:
        import_assays(lake, path, SCOPE)

    assert f"{path}:4: {why}" in caught.value.message
    assert values(lake) == []


def test_repeated_measurements_give_their_geometric_mean_and_scatter(lake, write):
    path = write("ligand,Ki (nM),source\na,1,x\na,100,y\nb,10,x\nb,10,z\n")
    said: list[str] = []

    assert import_assays(lake, path, SCOPE, duplicates="geomean", tell=said.append) == 2

    (a, mean, sd, _, sources), b = values(lake)
    assert (a, sources) == ("a", "x; y")
    assert mean == pytest.approx(-8 * RT_LN10)
    assert sd == pytest.approx(2 * RT_LN10 / math.sqrt(2))
    assert b[:3] == ("b", pytest.approx(-8 * RT_LN10), None)
    assert said == [f"{path}: 2 ligands have 4 measurements: their geometric mean is used, with their standard "
                    "deviation as its uncertainty"]  # fmt: skip


def test_a_stated_uncertainty_counts_if_it_exceeds_the_scatter(lake, write):
    path = write("ligand,value_kcal_mol,uncertainty_kcal_mol\na,-8.0,0.5\na,-8.2,0.3\n")

    import_assays(lake, path, SCOPE, duplicates="geomean")

    assert values(lake)[0][1:3] == (pytest.approx(-8.1), 0.5)


def test_many_bad_lines_are_counted(lake, write):
    path = write("ligand,value\n" + "".join(f"l{i},x\n" for i in range(25)))

    with pytest.raises(SchemaError, match=r"25 invalid line(.|\n)*and 15 more"):
        import_assays(lake, path, SCOPE)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the header needs a column 'ligand' and a column 'value_kcal_mol'; it has nothing"),
        ("name,weight\na,1\n", "the header needs a column 'value_kcal_mol'; it has name, weight"),
        ("ligand,value\n", "no values below the header"),
    ],
)
def test_a_file_that_is_not_an_assay_table_is_refused(lake, write, content, why):
    with pytest.raises(SchemaError, match=why):
        import_assays(lake, write(content), SCOPE)


def test_a_file_that_is_no_text_a_wildcard_and_an_unknown_kind_are_refused(lake, write, tmp_path):
    path = write("ligand,value\na,1\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SchemaError, match="incomplete UTF-16 at byte 2; save it as CSV UTF-8"):
        import_assays(lake, tmp_path / "binary", SCOPE)
    with pytest.raises(SchemaError, match="there is no such file"):
        import_assays(lake, tmp_path / "absent.csv", SCOPE)
    with pytest.raises(InvalidScopeError):
        import_assays(lake, path, "org-*-*")
    with pytest.raises(SchemaError, match="not one of binding, hydration, direct"):
        import_assays(lake, path, SCOPE, "solvation")


def test_names_with_spaces_are_taken_without_and_counted(lake, write):
    said = []
    path = write('ligand,exp DG (kcal/mol)\na,-9\na ,-9\n"a ",-7\n')

    assert import_assays(lake, path, SCOPE, tell=said.append) == 2
    assert {row[:2] for row in values(lake)} == {("a", -9.0), ("a ", -7.0)}
    assert len(said) == 1
    assert "1 name is also written with surrounding spaces, which are ignored: 'a'" in said[0]


def test_sources_with_spaces_are_counted_too(lake, write):
    said = []
    assert import_assays(lake, write("ligand,pKi,doi\na,9,x\nb,8,x \n"), SCOPE, tell=said.append) == 2
    assert "1 name is also written with surrounding spaces, which are ignored: 'x'" in said[0]
