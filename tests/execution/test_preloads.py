from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.execution.preloads import AT_NEED, known_needs
from tests.example_networks import harmonic_network, noop_network

_SCRIPT = """
import os, sys
from pathlib import Path
from alchemiscale_lake.execution.preloads import Preloads
sys.path.insert(0, sys.argv[1])
for name, text in (("useful", ""), ("other", ""), ("broken", "raise RuntimeError")):
    (Path(sys.argv[1]) / f"{name}.py").write_text(text)
preloads = Preloads(("useful", "broken", "other"))
assert preloads.missing() == []
assert preloads.missing(("other", "os", "unlisted")) == ["other"]

pid = os.fork()
if pid == 0:
    import useful
    preloads.note()
    os._exit(0)
os.waitpid(pid, 0)
assert preloads.missing() == ["useful"]
preloads.load(["useful", "broken"])
assert "useful" in sys.modules
assert "OMP_NUM_THREADS" not in os.environ
# neither what is there, nor what fails, is imported again
assert preloads.missing(("broken",)) == []
"""


def test_what_a_child_imported_is_imported_for_the_next(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path)], check=True, timeout=120, env=env)


def test_only_protocols_that_need_them_get_slow_modules_before_their_first_step() -> None:
    def needs(network: Any) -> set[tuple[str, ...]]:
        return {known_needs(gufe_adapter.dumps_chain(edge)) for edge in network.edges}

    assert needs(harmonic_network()) == {AT_NEED}
    assert needs(noop_network(2)) == {()}
