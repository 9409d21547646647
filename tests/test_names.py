"""One name, one meaning: no two public classes of one name, and no two modules but those about one subject."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from benchmarks.rooms import ROOT, Module, modules_of

#: Subjects that several rooms have a module about: its table, its state, its computation, its command, its output.
SUBJECTS = frozenset(
    {
        "assays",
        "calculations",
        "chain",
        "cost",
        "cost_models",
        "dispatch",
        "doctor",
        "errors",
        "estimates",
        "execution",
        "failures",
        "findings",
        "fortify",
        "growth",
        "host_log",
        "hosts",
        "imports",
        "kept_files",
        "migrate",
        "migrations",
        "network",
        "network_findings",
        "network_history",
        "network_log",
        "networks",
        "other_models",
        "performance",
        "plan",
        "pools",
        "query",
        "receipt",
        "results",
        "rounds",
        "status",
        "strategies",
        "submit",
        "summary",
        "table",
        "tasks",
        "upkeep",
        "usage",
        "verification",
    }
)
#: ProtocolUnits of our two Protocols; a class name is part of the keys of stored results.
UNITS = frozenset({"AnalyseUnit", "SampleUnit", "SetupUnit"})


def named(module: Module) -> Iterator[tuple[str, str]]:
    """Yield public classes and type aliases, each with its definition; that of a class is its own."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, module.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper():
                    yield target.id, ast.unparse(node.value)


def with_two_meanings(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Return names of classes and aliases with several definitions, and the modules that have them."""
    meanings, homes = defaultdict[str, set[str]](set), defaultdict[str, list[str]](list)
    for module in modules:
        for name, definition in named(module):
            if not name.startswith("_"):
                meanings[name].add(definition)
                homes[name].append(module.name)
    return {name: homes[name] for name, found in meanings.items() if len(found) > 1}


def in_several_rooms(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Return names that several modules or packages have."""
    homes = defaultdict[str, list[str]](list)
    for module in modules:
        homes[module.name.rpartition(".")[2]].append(module.name)
    return {name: found for name, found in homes.items() if len(found) > 1}


@pytest.fixture(scope="module")
def ours() -> list[Module]:
    """Return all modules, parsed."""
    return list(modules_of(ROOT))


def test_no_class_has_two_meanings(ours: list[Module]) -> None:
    assert {name: homes for name, homes in with_two_meanings(ours).items() if name not in UNITS} == {}


def test_modules_of_one_name_are_about_one_subject(ours: list[Module]) -> None:
    found = in_several_rooms(ours)
    del found["__main__"]

    assert {name: homes for name, homes in found.items() if name not in SUBJECTS} == {}
    assert set(found) >= SUBJECTS, "no longer needed"


def test_two_meanings_would_be_noticed(tmp_path: Path) -> None:
    files = {
        "alchemiscale_lake/one.py": "class Plan: ...\nclass _Row: ...\nHours = list[float]\nKind = list[str]\n",
        "alchemiscale_lake/room/one.py": "class Plan: ...\nclass _Row: ...\nHours = list[float]\nKind: type = set\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    modules = modules_of(tmp_path)

    homes = ["alchemiscale_lake.one", "alchemiscale_lake.room.one"]
    assert with_two_meanings(modules) == {"Plan": homes, "Kind": homes}
    assert in_several_rooms(modules) == {"one": homes}
