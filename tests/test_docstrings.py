"""Public functions and records with several arguments document each of them.

No rule of ruff says "two or more", and its D417 forbids an argument whose type says everything.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import alchemiscale_lake

PACKAGE = Path(alchemiscale_lake.__file__).parent
FILES = [
    path.relative_to(PACKAGE)
    for room in sorted(PACKAGE.iterdir())  # estimators and flows are links, which rglob does not follow
    for path in ([room] if room.suffix == ".py" else sorted(room.rglob("*.py")))
]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield public functions and classes, and the public methods of classes."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node.body, f"{prefix}{node.name}.")


def is_exempt(node: Definition) -> bool:
    """Return whether the docstring is for others: click prints it as help, an overload has none."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(re.search(r"\b(command|group)\b|^overload$", text) for text in decorators)


def arguments(node: Definition) -> list[str]:
    """Return the names to document: arguments, or the public fields of a dataclass or NamedTuple."""
    if not isinstance(node, ast.ClassDef):
        given = node.args
        every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
        return [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]
    if not any(
        "dataclass" in ast.unparse(each) or "NamedTuple" in ast.unparse(each)
        for each in (*node.decorator_list, *node.bases)
    ):
        return []  # the fields of a pydantic model carry their descriptions
    fields = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
    return [each.id for each in fields if isinstance(each, ast.Name) and not each.id.startswith("_")]


def documented(docstring: str) -> set[str]:
    """Return the names in the sections for arguments: numpydoc's, or Google's that Prefect reads."""
    sections = re.findall(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", docstring, re.M | re.S)
    names = [
        name
        for section in sections
        for line in re.findall(r"^(\S.*)$", section, re.M)
        for name in line.split(" : ")[0].split(",")
    ]
    google = re.search(r"^Args:\n((?: .*\n?|\n)*)", docstring, re.M)
    names += re.findall(r"^ +(\w+)(?: \(.*?\))?:", google[1], re.M) if google else []
    return {name.strip().lstrip("*") for name in names}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_argument_is_documented(path: Path) -> None:
    missing = {
        f"{name}, line {node.lineno}": sorted(set(arguments(node)) - documented(ast.get_docstring(node) or ""))
        for name, node in definitions(ast.parse((PACKAGE / path).read_text(encoding="utf-8")).body)
        if not is_exempt(node) and len(arguments(node)) > 1
    }

    assert {name: names for name, names in missing.items() if names} == {}
