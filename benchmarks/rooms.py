"""The shape of the code: rooms and their sizes, imports between them, what is long, what has no test of its name.

Run as `make rooms`, or `python -m benchmarks.rooms FOLDER` for another checkout. Everything but the walks is read from
the source, so it works for any commit.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
PACKAGE = "alchemiscale_lake"
Function = ast.FunctionDef | ast.AsyncFunctionDef

_EDGES = "ligand_i,ligand_j,value,uncertainty\na,b,1.0,0.2\nb,c,-0.5,0.2\na,c,0.4,0.3\n"
#: A walk: commands that run in this process, one after another, on one lake. No engine is started.
WALKS = {
    "a Task": [
        ["submit", "network.json", "--scope", "org-campaign-walk", "--tasks-per-transformation", "1"],
        ["tasks", "--scope", "org-campaign-walk"],
    ],
    "a result": [["import-results", "edges.csv", "--scope", "org-campaign-results"], ["gather", "edges"]],
    "a question": [["query", "select ligand, value_kcal_mol from ligand_ranking"], ["status"]],
}


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its name, as imported from the package or the checkout, and its syntax."""

    name: str
    path: Path
    tree: ast.Module
    n_lines: int

    @property
    def room(self) -> str:
        """Return the package below `alchemiscale_lake`, or the package itself for modules beside the rooms."""
        parts = self.name.removeprefix(f"{PACKAGE}.").split(".")
        return parts[0] if len(parts) > 1 or self.path.name == "__init__.py" else "(modules)"

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Yield every function and method with its qualified name."""
        return _functions(self.tree, "")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, Function):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.")


def modules_of(root: Path) -> list[Module]:
    """Return all modules of a checkout; `flows` and `estimators` may be linked into the package, or beside it."""
    folders = [root / PACKAGE, *(root / name for name in ("flows", "estimators"))]
    found = []
    for folder in folders:
        # links are not followed, so no file is found twice
        for path in sorted(folder.rglob("*.py")):
            if any(parent.is_symlink() for parent in path.parents if root in parent.parents):
                continue
            parts = path.relative_to(root).with_suffix("").parts
            dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            name = dotted if dotted.startswith(PACKAGE) else f"{PACKAGE}.{dotted}"
            text = path.read_text()
            found.append(Module(name, path, ast.parse(text), len(text.splitlines())))
    return found


def imports_of(module: Module, rooms: set[str]) -> set[str]:
    """Return the rooms that a module imports, without its own; imports for type checkers count."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.removeprefix(f"{PACKAGE}.").split(".")
            if name.startswith(f"{PACKAGE}.") or parts[0] in ("flows", "estimators"):
                found.add(parts[0] if parts[0] in rooms else "(modules)")
    return found - {module.room}


# --- what is measured -------------------------------------------------------------------------------


def sizes(modules: list[Module]) -> list[tuple[str, int, int]]:
    """Return room, files and lines, largest first."""
    files, lines = Counter(m.room for m in modules), Counter[str]()
    for module in modules:
        lines[module.room] += module.n_lines
    return [(room, files[room], n) for room, n in lines.most_common()]


def room_imports(modules: list[Module]) -> Counter[tuple[str, str]]:
    """Count the modules of a room that import another room."""
    rooms = {module.room for module in modules}
    return Counter((m.room, other) for m in modules for other in imports_of(m, rooms))


def longest_functions(modules: list[Module]) -> list[tuple[int, str]]:
    """Return the length of every function in lines, with its name, longest first."""
    lengths = [
        ((function.end_lineno or function.lineno) - function.lineno + 1, f"{module.name}:{name}")
        for module in modules
        for name, function in module.functions()
    ]
    return sorted(lengths, reverse=True)


def does_something(module: Module) -> bool:
    """Return whether a function or method of a module has a statement, beside its docstring and `...`.

    A module of constants, tables, dataclasses without methods, or Protocols has none: there is no rule to test.
    """
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for _, function in module.functions()
        for statement in function.body
    )


def without_tests(root: Path, modules: list[Module]) -> list[str]:
    """Return the modules that need a test file of their name and have none: those where `does_something` is true."""
    tests = {path.stem.removeprefix("test_") for path in (root / "tests").rglob("test_*.py")}
    needy = [m for m in modules if m.path.name not in ("__init__.py", "__main__.py") and does_something(m)]
    return [m.name for m in needy if m.name.rpartition(".")[2].strip("_") not in tests]


def docstrings(modules: list[Module]) -> tuple[int, int, list[str]]:
    """Return public functions, those with a docstring, and those of two or more arguments without `Parameters`."""
    n_public, n_described, lacking = 0, 0, []
    for module in modules:
        for name, function in module.functions():
            if any(part.startswith("_") for part in [*name.split("."), *module.name.split(".")]) or "." in name:
                continue
            text = ast.get_docstring(function) or ""
            arguments = function.args
            n_arguments = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            n_public += 1
            n_described += bool(text)
            if n_arguments > 1 and "Parameters\n" not in text:
                lacking.append(f"{module.name}:{name}")
    return n_public, n_described, lacking


# --- walks ------------------------------------------------------------------------------------------


def walk(commands: list[list[str]], folder: Path) -> tuple[Counter[str], int]:
    """Run commands; return the number of distinct functions per room, and how often the walk changed rooms."""
    from click.testing import CliRunner

    from alchemiscale_lake.cli import main

    seen: set[tuple[str, str, int]] = set()
    visits = [""]

    def note(frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event != "call" or not module.startswith(f"{PACKAGE}."):
            return
        parts = module.split(".")
        room = parts[1] if len(parts) > 2 or hasattr(sys.modules.get(module), "__path__") else "(modules)"
        seen.add((room, frame.f_code.co_qualname, frame.f_code.co_firstlineno))
        if room not in (visits[-1], "(modules)"):
            visits.append(room)

    for command in commands:
        sys.setprofile(note)
        try:
            done = CliRunner().invoke(main, [*command, "--lake", str(folder / "lake")])
        finally:
            sys.setprofile(None)
        if done.exit_code:
            raise SystemExit(f"{' '.join(command)}: {done.output}")
    return Counter(room for room, _, _ in seen), len(visits) - 1


def walks() -> dict[str, tuple[Counter[str], int]]:
    """Return, for every walk, the functions visited per room and the changes of rooms."""
    from alchemiscale_lake.gufe_adapter import dump_network
    from tests.example_networks import harmonic_network

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dump_network(harmonic_network(3, n_samples=20, n_windows=1), folder / "network.json")
        (folder / "edges.csv").write_text(_EDGES)
        before = Path.cwd()
        os.chdir(folder)
        try:
            return {title: walk(commands, folder) for title, commands in WALKS.items()}
        finally:
            os.chdir(before)


# --- output -----------------------------------------------------------------------------------------


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="checkout to describe; default: this one")
    root = parser.parse_args().folder.resolve()
    modules = modules_of(root)
    _print_rooms(modules)
    print("\nlongest files (lines)")
    for module in sorted(modules, key=lambda m: -m.n_lines)[:10]:
        print(f"{module.n_lines:6}  {module.name}")
    lengths = longest_functions(modules)
    print(f"\nlongest functions (lines); {sum(n > 40 for n, _ in lengths)} of {len(lengths)} are longer than 40")
    for n, name in lengths[:10]:
        print(f"{n:6}  {name}")
    bare = without_tests(root, modules)
    n_doing = sum(does_something(module) for module in modules)
    print(f"\nmodules without a test file of their name: {len(bare)} of {n_doing} whose functions have statements")
    print("\n".join(f"        {name}" for name in bare))
    n_public, n_described, lacking = docstrings(modules)
    print(f"\npublic functions: {n_public}, with a docstring {n_described}")
    print(f"public functions of two or more arguments without `Parameters`: {len(lacking)}")
    print("\n".join(f"        {name}" for name in lacking))
    if root == ROOT:
        _print_walks()


def _print_rooms(modules: list[Module]) -> None:
    table, imports = sizes(modules), room_imports(modules)
    print(f"{'room':16} files  lines  imports (modules that do)")
    for room, n_files, n_lines in table:
        others = ", ".join(f"{b} {n}" for (a, b), n in sorted(imports.items()) if a == room and b != "(modules)")
        print(f"{room:16} {n_files:5} {n_lines:6}  {others}")
    print(f"{'all':16} {sum(n for _, n, _ in table):5} {sum(n for _, _, n in table):6}  {len(imports)} pairs of rooms")


def _print_walks() -> None:
    print("\nwalks: distinct functions called in each room, and changes of room")
    for title, (rooms, n_changes) in walks().items():
        visited = ", ".join(f"{room} {n}" for room, n in rooms.most_common())
        print(f"{title}: {sum(rooms.values())} functions in {len(rooms)} rooms, {n_changes} changes\n        {visited}")


if __name__ == "__main__":
    main()
