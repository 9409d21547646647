"""Parts of a pools file that contradict themselves."""

from __future__ import annotations

from alchemiscale_lake.settings import (
    Needs,
    QuarantineRules,
)
from tests.settings.refusals import refused


def test_a_share_of_a_gpu_is_of_one() -> None:
    assert "neither a fraction of one GPU nor a whole number" in refused(Needs, gpus=1.5)
    assert Needs(gpus=2).resources.gpus == 2.0
    assert Needs(gpus=0.25).resources.gpus == 0.25


def test_quarantine_rules_in_order() -> None:
    said = refused(QuarantineRules, penalty="2d", longest="1d", fast="2h", window="1h")

    assert "longest: is shorter than the first penalty" in said
    assert "fast: is longer than the window" in said
