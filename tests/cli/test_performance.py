"""`compare` and `rank`, in this process against one small campaign; tables against snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.figure import Figure
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import _show, main
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, small_campaign
from tests.estimates.test_comparisons import store_network, store_round

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Call a command on a gathered campaign; not in a terminal, so tables are TSV."""
    campaign = small_campaign(tmp_path_factory.mktemp("performance") / "lake")
    gather_network(campaign.lake, f"AlchemicalNetwork-tyk2-{SCOPE}")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(campaign.lake.local_path)})

    return run


def rounded(text: str) -> str:
    """Round numbers to six digits, since the last ones depend on the machine; remove days and times."""
    header, *lines = [line.split("\t") for line in text.splitlines()]
    kept = [i for i, name in enumerate(header) if name != "as_of"]

    def cell(text: str) -> str:
        try:
            return f"{float(text) + 0.0:.6g}"
        except ValueError:
            return text

    return "\n".join("\t".join(cell(row[i]) for i in kept) for row in [header, *lines]) + "\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "tyk2"),
        ("compare", "tyk2", "--statistic", "NRMSE", "--statistic", "rae", "--statistic", "fraction_best"),
        ("compare", "--over-time", "--statistic", "RMSE"),
        ("compare", "--by", "scope", "--statistic", "mue", "--statistic", "kendall_tau"),
        ("compare", "--by", "programme", "--over-time", "--statistic", "RMSE", "--resample", "networks"),
        ("rank", "tyk2", "--top", "2"),
        ("rank", "tyk2", "--limit", "1", "--draws", "100"),
        ("rank", "tyk2", "--model-error", "auto"),
        ("rank", "tyk2", "--model-error", "1.5"),
    ],
    ids=" ".join,
)
def test_tables(call: Call, arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    result = call(*arguments)

    assert result.exit_code == 0, result.stderr
    assert rounded(result.stdout) == snapshot(name="stdout")
    assert result.stderr == snapshot(name="stderr")


@pytest.mark.parametrize("options", [(), ("--over-time",), ("--uncertainties",)])
def test_plots(call: Call, tmp_path: Path, options: tuple[str, ...]) -> None:
    target = tmp_path / "plot.png"

    result = call("compare", "--plot", str(target), *options)

    assert result.exit_code == 0, result.stderr
    assert target.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {target}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (("compare", "tyk2"), "tyk2"),
        (("compare", "tyk2", "--over-time"), "tyk2"),
        (("compare",), "all networks"),
        (("compare", "--scope", "org-campaign-*"), "all networks of org-campaign-*"),
        (("gather", "tyk2"), "tyk2"),
        (("gather", "tyk2", "--report", "ddg"), "tyk2"),
    ],
    ids=" ".join,
)
def test_plots_say_what_they_are_of(
    call: Call, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], title: str
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))

    result = call(*arguments, "--plot", "plot.png")

    assert result.exit_code == 0, result.stderr
    figure = drawn[0]  # gather draws its page, too
    above = figure.get_suptitle() or figure.axes[0].get_title() or figure.axes[0].get_title(loc="right")
    assert above.splitlines()[0] == title
    legends = [axes.get_legend() for axes in figure.axes]
    told = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    assert not [text for text in told if "AlchemicalNetwork-" in text]


def test_the_distribution_of_errors_is_drawn(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "ecdf.png"

    result = call("compare", "--ecdf", str(target))

    assert result.exit_code == 0, result.stderr
    assert target.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {target}" in result.stderr


def test_files_are_tables(call: Call, tmp_path: Path) -> None:
    result = call("compare", "tyk2", "-o", str(tmp_path / "found.tsv"))

    assert result.stdout == ""
    assert "found.tsv (2 comparisons)" in result.stderr
    assert (tmp_path / "found.tsv").read_text().startswith("name\tkind\tquantity\tn\tstatistic\tunit\tvalue\tlow\thigh")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "idle"), "can be compared: no two ligands"),
        (("compare", "nosuch"), "no network has the name"),
        (("rank", "idle"), "can be ranked"),
        (("rank",), "several networks"),
    ],
)
def test_refusals_are_one_line(call: Call, arguments: tuple[str, ...], said: str) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("value", ["-1", "inf", "about one", "nan"])
def test_an_invalid_model_error_is_refused(call: Call, value: str) -> None:
    result = call("rank", "tyk2", "--model-error", value)

    assert result.exit_code == 2
    assert "is not a model error; give auto, none, or kcal/mol such as 0.9" in result.stderr


@pytest.mark.parametrize("name", ["compare", "rank"])
def test_help_shows_an_example(call: Call, name: str) -> None:
    result = call(name, "--help")

    assert f"  alchemiscale-lake {name}" in result.stdout
    assert "\\b" not in result.stdout


FORCE_FIELDS = {
    "openff-2.2": {"a": 0.1, "b": -0.1, "c": 0.4, "d": -0.6, "e": 0.0},
    "openff-1.3": {"a": 0.2, "b": -0.2, "c": 0.9, "d": -1.0, "e": 0.3},
    "gaff-2": {"a": 0.9, "b": -0.5, "c": 0.2, "d": 1.0},
}


@pytest.fixture(scope="module")
def force_fields(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sides") / "lake"
    lake = Lake.create(folder)
    for name, errors in FORCE_FIELDS.items():
        store_network(lake, name)
        store_round(lake, name, 1, errors)
    return str(folder)


def test_networks_side_by_side(force_fields: str) -> None:
    command = ["compare", "openff-2.2", "--against", "openff-1.3", "--against", "gaff-2", "--lake", force_fields]

    shown = CliRunner().invoke(main, [*command, "--statistic", "rmse", "--statistic", "mue", "--tsv"])
    refused = CliRunner().invoke(main, [*command, "--over-time"])

    assert shown.exit_code == 0, shown.output
    header, *rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert header[:9] == [
        "quantity", "statistic", "name", "value", "low", "high", "delta", "delta_low", "delta_high",
    ]  # fmt: skip
    assert [row[:3] for row in rows] == [
        [quantity, statistic, name]
        for quantity in ("dG", "ddG")
        for statistic in ("RMSE", "MUE")
        for name in FORCE_FIELDS
    ]
    values = {tuple(row[:3]): row for row in rows}
    first, other = (values["dG", "MUE", name] for name in ("openff-2.2", "gaff-2"))
    assert float(other[6]) == pytest.approx(float(first[3]) - float(other[3]))
    assert first[6:9] == ["", "", ""]
    assert "delta is openff-2.2 minus the network of the row, with a joint interval" in shown.stderr
    assert "all 3 networks estimate is compared: 4 ligands and 3 edges" in shown.stderr
    assert refused.exit_code == 2
    assert "--against needs NETWORK" in refused.stderr


@pytest.mark.parametrize("width", [80, 200])
def test_networks_side_by_side_on_a_terminal(
    force_fields: str, width: int, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(_show, "is_for_people", lambda tsv, output: not tsv and output is None)
    arguments = ["compare", "openff-2.2", "--against", "openff-1.3", "--lake", force_fields, "--statistic", "rmse"]

    shown = CliRunner().invoke(main, arguments, env={"COLUMNS": str(width)})

    assert max(map(len, shown.stdout.splitlines())) <= width
    assert "\n".join(line.rstrip() for line in (shown.stdout + shown.stderr).splitlines()) == snapshot


def test_networks_side_by_side_are_drawn(force_fields: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: dict[str, Figure] = {}
    monkeypatch.setattr(Figure, "savefig", lambda figure, target: saved.setdefault(Path(target).name, figure))
    arguments = ["compare", "openff-2.2", "--against", "openff-1.3", "--against", "gaff-2", "--lake", force_fields]

    shown = CliRunner().invoke(
        main, [*arguments, "--plot", str(tmp_path / "all.png"), "--ecdf", str(tmp_path / "ecdf.png")]
    )

    assert shown.exit_code == 0, shown.output
    for name, expected in (("all.png", ": N = {}, RMSE "), ("ecdf.png", " (N = {})")):
        for axes, n in zip(saved[name].axes, (4, 3), strict=True):
            texts = [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]
            assert [text.startswith(f"{of}{expected.format(n)}") for of, text in zip(FORCE_FIELDS, texts, strict=True)]
    # the table's own number is in the legend: errors of gaff-2 are centred on the mean of the common ligands
    errors = np.array(list(FORCE_FIELDS["gaff-2"].values()))
    assert f"gaff-2: N = 4, RMSE {errors.std():.2f}" in [
        text.get_text() for text in saved["all.png"].axes[0].get_legend().get_texts()  # type: ignore[union-attr]
    ]  # fmt: skip


def test_a_network_is_not_compared_with_itself(call: Call) -> None:
    result = call("compare", "tyk2", "--against", f"AlchemicalNetwork-tyk2-{SCOPE}")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: tyk2 cannot be compared with itself: name each network once\n"


def test_what_few_pairs_do_not_show_is_said(call: Call) -> None:
    compared, ranked, gathered = call("compare", "tyk2"), call("rank", "tyk2"), call("gather", "tyk2")

    assert "2 of 2 comparisons have fewer than 5 pairs: too few for an interval and, below 3, for" in compared.stderr
    assert "P(top 3) is left out: there are only 3 ligands, all among the best 3" in ranked.stderr
    assert "P(top" not in call("rank", "tyk2", "--top", "2").stderr
    assert "(no interval: fewer than 5 pairs) over 3 ligands" in gathered.stderr
