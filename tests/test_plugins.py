"""Plug-ins of other packages: found, loaded, and refused with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.engines.registry import engine_of, open_executor
from alchemiscale_lake.errors import MissingDependencyError, SettingsError
from alchemiscale_lake.plugins import load_plugin, plugin_names
from alchemiscale_lake.pools_file import load_pools
from alchemiscale_lake.settings import ENGINES, OWN_KINDS, Needs, Pool, Pools
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks.default_needs import RESOURCE_NEEDS, default_needs, needs_of, unit_needs
from tests.engines.pools import assert_all_complete_once, daemon, stored
from tests.example_networks import harmonic_network
from tests.plugins import install, thread_engine

BROKEN = "import no_such_package_anywhere\n"


@pytest.fixture
def threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the package of docs/plug-ins.md."""
    entries = {ENGINES: {"threads": "thread_engine:ENGINE"}, RESOURCE_NEEDS: {"mine": "thread_engine:NEEDS"}}
    install(tmp_path / "site", monkeypatch, "thread_engine", thread_engine(), entries)


@pytest.fixture
def fresh_needs() -> Iterator[None]:
    default_needs.cache_clear()
    yield
    default_needs.cache_clear()


def test_every_kind_of_ours_has_an_engine() -> None:
    assert set(OWN_KINDS) <= set(plugin_names(ENGINES))
    for kind in OWN_KINDS:
        engine = engine_of(kind)
        assert (engine.open_once is None) is (kind == "local")
        assert engine.durable is engine.needs_prefect is (kind == "work-pool")


def test_a_kind_that_nobody_offers() -> None:
    with pytest.raises(MissingDependencyError, match=r"no installed package offers 'teleport' in .*; install the one"):
        engine_of("teleport")


@pytest.mark.usefixtures("threads")
def test_pools_of_another_package_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pools = "pools:\n  here:\n    kind: threads\n    cores: 2\n    limits: {maximum: 3}\n    options:\n"
    Path("pools.yaml").write_text(f"{pools}      work_root: /scratch\n")

    done = CliRunner().invoke(main, ["pools", "check"])

    assert done.exit_code == 0, done.stderr
    assert done.stdout == "here: starts 0-3 workers of threads, each 2 cores; whenever Tasks wait (priority 10)\n"

    Path("pools.yaml").write_text(f"{pools}      colour: red\n")
    done = CliRunner().invoke(main, ["pools", "check"])
    assert done.exit_code == 1
    assert "Error: pools.yaml:6: pools.here.options: colour: Extra inputs are not permitted" in done.stderr


@pytest.mark.usefixtures("threads")
def test_a_dispatcher_runs_tasks_in_a_pool_of_another_package(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "pools.yaml").write_text("pools: {here: {kind: threads, limits: {maximum: 2}}}")
    stored(lake, harmonic_network(3, 2, n_samples=20, n_windows=1))

    with daemon(lake, "here", tmp_path / "pools.yaml") as dispatcher:
        report = dispatcher.join()

    assert (report.completed, report.failed) == (2, 0)
    assert_all_complete_once(lake, 2)


@pytest.mark.usefixtures("threads")
def test_a_misspelt_kind_of_another_package_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text("pools: {a: {kind: thread}}")

    with pytest.raises(SettingsError, match=r"'thread' is unknown; did you mean threads\? .*work-pool, threads"):
        load_pools(tmp_path / "pools.yaml")


def test_options_belong_to_engines_of_other_packages() -> None:
    with pytest.raises(ValueError, match="options: does not apply to a local pool; remove it"):
        Pool(kind="local", options={"a": 1})


def test_an_engine_that_cannot_be_imported_has_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch, "broken_engine", BROKEN, {ENGINES: {"broken": "broken_engine:ENGINE"}})
    (tmp_path / "pools.yaml").write_text("pools:\n  a:\n    kind: broken\n")

    with pytest.raises(SettingsError, match=r":3: pools\.a\.kind: the engine of broken cannot be used: .*reinstall"):
        load_pools(tmp_path / "pools.yaml")
    with pytest.raises(MissingDependencyError, match="no_such_package_anywhere"):
        engine_of("broken")


def test_an_entry_point_must_be_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch, "odd_engine", "ENGINE = 3\n", {ENGINES: {"odd": "odd_engine:ENGINE"}})

    with pytest.raises(SettingsError, match=r"'odd' of alchemiscale_lake\.engines is not an Engine but 3"):
        engine_of("odd")


def test_two_packages_with_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first_one", "second_one"):
        install(tmp_path / name, monkeypatch, name, "E = 1\n", {ENGINES: {"both": f"{name}:E"}})

    with pytest.raises(SettingsError, match="first_one:E and second_one:E are both called 'both'"):
        load_plugin(ENGINES, "both")


def test_a_package_that_an_engine_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: Lake) -> None:
    source = (
        "from alchemiscale_lake.engines.registry import Engine\n\n\n"
        "def open_it(name, pool, lake):\n    import no_such_package_anywhere\n\n\n"
        'ENGINE = Engine(open_it, requirement="lazy[all]")\n'
    )
    install(tmp_path / "site", monkeypatch, "lazy_engine", source, {ENGINES: {"lazy": "lazy_engine:ENGINE"}})
    pool = Pool(kind="lazy")

    with (
        pytest.raises(MissingDependencyError, match=r"lazy pool needs no_such_package_anywhere; install lazy\[all\]"),
        open_executor("a", pool, lake),
    ):
        pass
    with pytest.raises(SettingsError, match="--once does not apply"), open_executor("a", pool, lake, once=True):
        pass


@pytest.mark.usefixtures("threads", "fresh_needs")
def test_needs_of_another_package_are_defaults() -> None:
    declared = Pools.model_validate({"pools": {"a": {"kind": "local"}}, "protocols": {"MyProtocol": {"cores": 4}}})

    assert needs_of(None, "MyProtocol") == Needs(gpus=1, cores=2)
    assert needs_of(declared, "MyProtocol") == Needs(gpus=1, cores=4)
    assert needs_of(None, "RelativeHybridTopologyProtocol").gpus == 1
    assert unit_needs(None)["MyAnalysisUnit"].gpus == 0


@pytest.mark.usefixtures("fresh_needs")
def test_needs_of_another_package_override_ours_and_unreadable_ones_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = 'GOOD = {"protocols": {"PlainMDProtocol": {"gpus": 0.5}}}\nBAD = {"protocols": {"X": {"gpu": 1}}}\n'
    entries = {RESOURCE_NEEDS: {"a-good": "other_needs:GOOD", "bad": "other_needs:BAD", "worse": "other_needs:NONE"}}
    install(tmp_path / "site", monkeypatch, "other_needs", source, entries)

    assert needs_of(None, "PlainMDProtocol").gpus == 0.5
    assert needs_of(None, "X") == Needs()
    assert "resource needs of bad are ignored" in caplog.text
    assert "resource needs of worse are ignored" in caplog.text
