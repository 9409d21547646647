"""The installed gufe and its classes by name.

The only place that imports `gufe.tokenization`; all other modules get it here, lazily.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from ..errors import MissingClassError, MissingDependencyError

__all__ = ["gufe_version", "import_class", "missing_class", "require_classes", "tokenization"]

#: Packages whose namesakes on PyPI are unrelated projects.
_CONDA_ONLY: Final = frozenset({"openfe", "feflow", "konnektor", "kartograf", "lomap"})


@cache
def gufe_version() -> str | None:
    """Return the version of the installed gufe, None if it is missing. Does not import it."""
    try:
        return importlib.metadata.version("gufe")
    except importlib.metadata.PackageNotFoundError:
        return None


def tokenization() -> Any:
    """Return the module `gufe.tokenization`.

    Raises
    ------
    MissingDependencyError
        If gufe or one of its dependencies cannot be imported.
    """
    try:
        return importlib.import_module("gufe.tokenization")
    except ImportError as e:
        raise MissingDependencyError(
            f"gufe cannot be imported here ({e}); storing and reading a lake does not need it, executing and "
            "gathering do: install it from conda-forge, or `pip install alchemiscale-lake[pypi]`",
            package="gufe",
        ) from e


def import_class(module: str, qualname: str) -> type:
    """Return the class `qualname` of `module`, following gufe's list of renamed classes.

    Parameters
    ----------
    module : str
        Full name of the module.
    qualname : str
        Name of the class within it.

    Raises
    ------
    MissingClassError
        If the class cannot be imported here; the message names it, its package and what to do.
    """
    require_classes([(module, qualname)])
    found: type = tokenization().get_class(module, qualname)
    return found


def require_classes(names: Iterable[tuple[str, str]]) -> None:
    """Raise MissingClassError naming all classes among (module, qualname) that cannot be imported."""
    get_class = tokenization().get_class
    missing: list[tuple[str, str, Exception]] = []
    for module, qualname in sorted(set(names)):
        try:
            get_class(module, qualname)
        except (ImportError, AttributeError, ValueError) as e:
            missing.append((module, qualname, e))
    if missing:
        # gufe itself is installed, so name classes of other packages first, and Protocols first among these
        missing.sort(key=lambda found: (_package(found[0]) == "gufe", not found[1].endswith("Protocol"), found[:2]))
        raise missing_class(missing) from missing[0][2]


def _package(module: str) -> str:
    return module.partition(".")[0]


def missing_class(missing: list[tuple[str, str, Exception]]) -> MissingClassError:
    """Return the error about missing classes (module, qualname, reason), naming the first."""
    module, qualname, reason = missing[0]
    package = _package(module)
    kind = "Protocol class" if qualname.endswith("Protocol") else "class"
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    return MissingClassError(
        f"the {kind} {qualname} of package {package}{more} cannot be imported here ({reason}); "
        f"{_remedy(package)} in the environment that runs this Task",
        module=module,
        qualname=qualname,
        package=package,
        packages=sorted({_package(name) for name, _, _ in missing}),
        missing=[f"{m}.{q}" for m, q, _ in missing],
    )


def _remedy(package: str) -> str:
    if package == "gufe":
        return f"the installed gufe {gufe_version()} does not have this class: install gufe >= 1 from conda-forge"
    if package in _CONDA_ONLY:
        return f"install {package} from conda-forge (not from PyPI)"
    return f"install {package}"
