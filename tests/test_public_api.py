"""The public interface: what may not vanish without notice."""

from __future__ import annotations

import enum
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import alchemiscale_lake
from alchemiscale_lake import errors

PUBLIC = Path(__file__).parent / "data" / "public-api.txt"
ADVICE = (
    "the public interface changed. A removed name, or a parameter that was removed, renamed, moved or made required, "
    "needs a deprecation of one minor version (docs/api-stability.md). For an addition, add the line to "
    "tests/data/public-api.txt: python -m tests.test_public_api"
)


def described() -> list[str]:
    """Return a line per public name, parameter, member and error."""
    lines = []
    for name in alchemiscale_lake.__all__:
        one = getattr(alchemiscale_lake, name)
        lines.append(name)
        # the parameters of an Enum are Python's
        named = () if isinstance(one, enum.EnumMeta) else inspect.signature(one).parameters.values()
        for place, parameter in enumerate(named):
            by_name = parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
            lines.append(
                f"{name}({'by name' if by_name else place}: {parameter.name}"
                f"{'' if parameter.default is parameter.empty else ', optional'})"
            )
        if inspect.isclass(one):
            lines += [f"{name}.{member}" for member in sorted(vars(one)) if not member.startswith("_")]
    return lines + [f"errors.{name}" for name in errors.__all__]


def test_no_public_name_or_parameter_vanishes() -> None:
    assert [line for line in PUBLIC.read_text().splitlines() if line not in described()] == [], ADVICE


def test_every_public_name_is_on_record() -> None:
    assert [line for line in described() if line not in PUBLIC.read_text().splitlines()] == [], ADVICE


@pytest.mark.parametrize("name", alchemiscale_lake.__all__)
def test_public_names_are_documented(name: str) -> None:
    assert inspect.getdoc(getattr(alchemiscale_lake, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'submit_networks'"):
        _ = alchemiscale_lake.submit_networks


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("polars", "duckdb", "pyarrow", "numpy")
    code = f"import sys, alchemiscale_lake; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_package_is_typed() -> None:
    assert (Path(alchemiscale_lake.__file__).parent / "py.typed").exists()


if __name__ == "__main__":
    PUBLIC.write_text("\n".join(described()) + "\n")
