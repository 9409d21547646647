"""Values of settings: amounts with units, names, Scopes, kinds of pools; and the base of all models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from ..amounts import format_bytes, parse_bytes, parse_seconds
from ..errors import LakeError
from ..ids import Scope
from ..plugins import plugin_names

__all__ = [
    "ANY_PROTOCOL", "ENGINES", "JOBQUEUE_KINDS", "OWN_KINDS", "Bytes", "ClassName", "ClassNameOrAny", "PoolKind",
    "PoolName", "ScopePattern", "Seconds", "SettingsModel", "Share", "refuse",
]  # fmt: skip


#: Group of entry points by which engines are found: names are kinds of pools (`engines.registry`).
ENGINES: Final = "alchemiscale_lake.engines"
#: Kinds whose workers are jobs of a queue, one per class of dask-jobqueue.
JOBQUEUE_KINDS: Final = ("slurm", "pbs", "lsf", "sge", "htcondor", "oar", "moab")
#: Kinds with keys of their own in a pool; those of other packages have a section `options`.
OWN_KINDS: Final = ("local", *JOBQUEUE_KINDS, "work-pool")
#: Key in `protocols`: needs of every class that neither the file nor this package lists.
ANY_PROTOCOL: Final = "*"
#: A smaller amount of memory is a number with a missing unit.
_LEAST_MEMORY_BYTES: Final = 1024**2
_UNITLESS_BYTES: Final = 1000


def _check_bytes(value: int) -> int:
    if value < _LEAST_MEMORY_BYTES:
        # such as `memory: 16`; `1MB` has a unit
        hint = f"; give the unit, as in {max(value, 1)}GiB" if value < _UNITLESS_BYTES else ""
        raise ValueError(f"{format_bytes(value)} is less than 1MiB{hint}")
    return value


def _parse_scope(value: Any) -> Any:
    try:
        return str(Scope.parse(value))
    except LakeError as e:
        raise ValueError(str(e)) from e


def _check_class(value: str) -> str:
    if not value.isidentifier():
        raise ValueError(f"{value!r} is not a class name; omit the module, as in RelativeHybridTopologyProtocol")
    return value


def _check_class_or_any(value: str) -> str:
    return value if value == ANY_PROTOCOL else _check_class(value)


def _check_kind(value: str) -> str:
    if value not in OWN_KINDS and value not in (known := [*OWN_KINDS, *_kinds_elsewhere()]):
        *most, last = (repr(kind) for kind in known)
        expected = f"{', '.join(most)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return value


def _kinds_elsewhere() -> list[str]:
    """Return the kinds of pools whose engines are in other packages."""
    return [kind for kind in plugin_names(ENGINES) if kind not in OWN_KINDS]


def no_bool(value: Any) -> Any:
    # it would be accepted as 0 or 1
    if value is True or value is False:
        raise ValueError(f"{str(value).lower()} is not allowed here; give a number or text")
    return value


PoolKind = Annotated[str, AfterValidator(_check_kind)]
Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), AfterValidator(_check_bytes)]
ScopePattern = Annotated[str, BeforeValidator(_parse_scope)]
Share = Annotated[float, BeforeValidator(no_bool), Field(gt=0, le=1)]
ClassName = Annotated[str, AfterValidator(_check_class)]
ClassNameOrAny = Annotated[str, AfterValidator(_check_class_or_any)]
#: It becomes part of the names of jobs, deployments and objects.
PoolName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=63)]


def refuse(mistakes: Iterable[tuple[str, str]]) -> None:
    """Raise one ValueError with a line `key: what` for every mistake, so that all are reported at once."""
    lines = [f"{key}: {what}" for key, what in mistakes]
    if lines:
        raise ValueError("\n".join(lines))


class SettingsModel(BaseModel):
    """Base of all settings: frozen, without unknown keys, without a boolean where a number is meant."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_bool(cls, value: Any) -> Any:
        return no_bool(value)
