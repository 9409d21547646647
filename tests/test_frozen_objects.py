from __future__ import annotations

import gc


def test_garbage_is_collected_but_not_among_modules_and_tests() -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() > 50_000
