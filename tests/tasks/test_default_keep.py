"""Files of Protocols that are kept by default, and what the pools file says instead."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from alchemiscale_lake.settings import FileRules, KeepPatterns, Pools
from alchemiscale_lake.tasks.default_keep import KEPT_FILES, default_keep, file_rules
from tests.plugins import install

POOLS = {"here": {"kind": "local"}}


def test_trajectories_are_not_kept_by_default() -> None:
    kept = {name: patterns.shared for name, patterns in default_keep().items()}
    for name, small, large in (
        ("RelativeHybridTopologyProtocol", "mbar_overlap_matrix.png", "simulation.nc"),
        ("NonEquilibriumCyclingProtocol", "forward_cycle_0.npy", "forward_neq_old_cycle_0.npy"),
    ):
        assert any(fnmatch.fnmatch(small, pattern) for pattern in kept[name])
        assert not any(fnmatch.fnmatch(large, pattern) for pattern in kept[name])


def test_the_pools_file_replaces_a_class_and_leaves_the_others() -> None:
    keep = {"RelativeHybridTopologyProtocol": {"shared": "*.nc"}, "*": {"scratch": ["*.log"]}}
    rules = file_rules(Pools.model_validate({"pools": POOLS, "files": {"keep": keep, "per_file": "2MiB"}}))

    assert rules.per_file_bytes == 2 * 2**20
    assert rules.patterns_for("RelativeHybridTopologyProtocol") == KeepPatterns(shared=("*.nc",))
    assert rules.patterns_for("SepTopProtocol") == default_keep()["SepTopProtocol"]
    assert rules.patterns_for("Unknown") == rules.patterns_for(None) == KeepPatterns(scratch=("*.log",))


def test_another_package_declares_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entries = {KEPT_FILES: {"mine": "keepers:KEEP", "broken": "keepers:BROKEN"}}
    text = "KEEP = {'MyProtocol': {'shared': ['*.png']}}\nBROKEN = {'Other': {'shared': '/etc/*'}}\n"
    install(tmp_path / "site", monkeypatch, "keepers", text, entries)
    default_keep.cache_clear()
    try:
        assert default_keep()["MyProtocol"] == KeepPatterns(shared=("*.png",))
        assert "Other" not in default_keep()
        assert "kept files of broken are ignored" in caplog.text
    finally:
        default_keep.cache_clear()


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", ""])
def test_a_pattern_stays_in_its_folder(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        FileRules.model_validate({"keep": {"*": {"shared": [pattern]}}})
