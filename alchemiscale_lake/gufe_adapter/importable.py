"""Check which classes can be imported here, without importing them into this process.

`python -m alchemiscale_lake.gufe_adapter.importable` is the process that imports them: packages such as openfe take
many seconds and hundreds of MB, which a dispatcher does not need.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Collection

from ..errors import MissingClassError, MissingDependencyError
from ._gufe import missing_class, require_classes

__all__ = ["missing_among"]

#: Our classes are always available, and quick to import.
_OURS = "alchemiscale_lake"


def missing_among(names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the classes among (module, qualname) that cannot be imported here, each with advice.

    If the checking process does not answer, a class counts as available; running it will show.
    """
    found = {name: _without_package(name) for name in names}
    missing = {name: text for name, text in found.items() if text is not None}
    to_try = [name for name, text in found.items() if text is None and name[0].partition(".")[0] != _OURS]
    return missing | _tried(to_try)


def _without_package(name: tuple[str, str]) -> str | None:
    package = name[0].partition(".")[0]
    try:
        if importlib.util.find_spec(package) is not None:
            return None
    except (ImportError, ValueError):
        pass
    return missing_class([(*name, ModuleNotFoundError(f"No module named '{package}'"))]).message


def _tried(names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    if not names:
        return {}
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(list(names)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return {(module, qualname): text for module, qualname, text in json.loads(done.stdout.rpartition("\n")[2])}
    except ValueError:
        return {}


def _main() -> None:
    missing = []
    for module, qualname in json.load(sys.stdin):
        try:
            require_classes([(module, qualname)])
        except (MissingClassError, MissingDependencyError) as e:
            missing.append((module, qualname, e.message))
    # the last line: packages may print during import
    sys.stdout.write("\n" + json.dumps(missing))


if __name__ == "__main__":
    _main()
