from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemiscale_lake.errors import NotFoundError, SettingsError, TerminalError
from alchemiscale_lake.python_files import is_file_object, list_of_own, load_file_object


def test_only_a_file_and_a_name_is_an_object_of_a_file() -> None:
    assert is_file_object("a/b.py:name")
    assert not any(is_file_object(text) for text in ("a/b.py", "a.b:name", "a/b.py:", ":name", "name"))


def test_the_object_comes_with_the_bytes_that_ran(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_bytes(b"VALUE = __file__\r\n")
    found = load_file_object(f"{file}:VALUE", "planner")
    assert (found.value, found.path, found.name, found.code) == (str(file), file, "VALUE", b"VALUE = __file__\r\n")


def test_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        text = f"from dataclasses import dataclass\n@dataclass\nclass Own:\n    x: 'int' = 0\nNAME = '{folder}'\n"
        (tmp_path / folder / "own.py").write_text(text)
    classes = [load_file_object(f"{tmp_path / folder / 'own.py'}:Own", "class").value for folder in ("a", "b")]
    assert classes[0].__module__ != classes[1].__module__


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "f", "the file .*own.py of the planner cannot be read: No such file"),
        (b"def propose(): pass\n", "propse", "has no 'propse'; did you mean 'propose'"),
        (b"def a(): pass\ndef b(): pass\nimport os\n", "propose", "has no 'propose'; it defines a, b$"),
        (b"x = 1\n1 / 0\n", "x", r"cannot be run: ZeroDivisionError: division by zero \(.*own.py, line 2\)"),
        (b"x = '\xe9'\n", "x", "is not UTF-8"),
        (b"x = (\n", "x", "cannot be run: SyntaxError"),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, text: bytes | None, name: str, message: str) -> None:
    if text is not None:
        (tmp_path / "own.py").write_bytes(text)
    with pytest.raises(SettingsError, match=message):
        load_file_object(f"{tmp_path / 'own.py'}:{name}", "planner")


def test_another_form_says_which_is_meant() -> None:
    with pytest.raises(SettingsError, match=r"a planner is given as FILE.py:NAME, not 'plan.py'"):
        load_file_object("plan.py", "planner")


def test_a_failure_of_a_users_function_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def f(n):\n    yield n\n    yield 1 / n\n")
    function = load_file_object(f"{tmp_path / 'own.py'}:f", "planner").value
    assert list_of_own(function, 2, role="planner") == [2, 0.5]
    with pytest.raises(TerminalError, match=r"the planner failed: ZeroDivisionError.*own.py, line 3"):
        list_of_own(function, 0, role="planner")


def test_what_is_no_list_is_a_failure_and_own_errors_pass() -> None:
    with pytest.raises(TerminalError, match="the planner failed: TypeError: 'NoneType' object is not iterable"):
        list_of_own(lambda: None, role="planner")  # type: ignore[arg-type, return-value]

    def refuses() -> Iterator[int]:
        raise NotFoundError("no such ligand")
        yield

    with pytest.raises(NotFoundError):
        list_of_own(refuses, role="planner")
