"""`make rooms` on a small checkout, and the functions that it prints about this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rooms import docstrings, does_something, longest_functions, modules_of, room_imports, without_tests

FILES = {
    "alchemiscale_lake/__init__.py": "",
    "alchemiscale_lake/errors.py": "class LakeError(Exception):\n    pass\n",
    "alchemiscale_lake/top/__init__.py": "",
    "alchemiscale_lake/top/command.py": "from ..low import rows\nfrom ..errors import LakeError\n",
    "alchemiscale_lake/top/other.py": "def outer():\n    def inner():\n        return 1\n    return inner\nx = 1\n",
    "alchemiscale_lake/low/__init__.py": "",
    "alchemiscale_lake/low/rows.py": 'def pair(a, b):\n    """Return both."""\n    return a, b\n',
    "alchemiscale_lake/low/interface.py": "class P:\n    def run(self):\n        'Run.'\n    def end(self): ...",
    "alchemiscale_lake/low/row.py": "@dataclass\nclass Row:\n    n: int\n",
    "estimators/__init__.py": "",
    "estimators/mean.py": "import alchemiscale_lake.low.rows\n",
    "tests/test_rows.py": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "alchemiscale_lake" / "estimators").symlink_to("../estimators")
    return tmp_path


def test_rooms_and_their_imports(checkout: Path) -> None:
    modules = modules_of(checkout)

    names = [module.name for module in modules]
    assert len(names) == len(set(names)) == 11, "linked files are counted once"
    expected = {("top", "low"): 1, ("top", "(modules)"): 1, ("estimators", "low"): 1}
    assert room_imports(modules) == expected


def test_functions_tests_and_docstrings(checkout: Path) -> None:
    modules = modules_of(checkout)

    assert longest_functions(modules)[0] == (4, "alchemiscale_lake.top.other:outer")
    assert "alchemiscale_lake.low.rows" not in without_tests(checkout, modules)
    assert "alchemiscale_lake.top.other" in without_tests(checkout, modules)
    n_public, n_described, lacking = docstrings(modules)
    assert (n_public, n_described, lacking) == (2, 1, ["alchemiscale_lake.low.rows:pair"])


def test_interfaces_dataclasses_and_constants_need_no_test_file(checkout: Path) -> None:
    modules = modules_of(checkout)

    doing = {module.name for module in modules if does_something(module)}
    assert doing == {"alchemiscale_lake.top.other", "alchemiscale_lake.low.rows"}
    assert without_tests(checkout, modules) == ["alchemiscale_lake.top.other"]
