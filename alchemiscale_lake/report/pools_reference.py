"""Write the reference of the pools file: `python -m alchemiscale_lake.report.pools_reference > docs/pools.md`.

Keys, defaults and descriptions come from the models in `settings`, so that the page is always up to date.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..amounts import format_bytes, format_seconds
from ..resources import Resources
from ..settings import OWN_KINDS, Burst, FileRules, Limits, Monitors, Needs, Pool, Pools, QuarantineRules
from ..tasks.default_keep import default_keep
from ..tasks.default_needs import default_needs, unit_needs

__all__ = ["document"]

_HEAD: Final = """# The pools file

Generated from `alchemiscale_lake/settings/` by `python -m alchemiscale_lake.report.pools_reference`; edit it there.

One YAML file defines where Tasks run, on which resources, within which limits, and when. Dispatchers read the file
given by `--pools`, else the one in `ALCHEMISCALE_LAKE_POOLS`, else `./pools.yaml`. Start from one of
[deployments/pools](../deployments/pools) for [Slurm](../deployments/pools/slurm.yaml),
[PBS](../deployments/pools/pbs.yaml), [LSF](../deployments/pools/lsf.yaml) or
[Kubernetes](../deployments/pools/kubernetes.yaml); [deployments/pools.yaml](../deployments/pools.yaml) has several.

```bash
cat > two-pools.yaml <<'EOF'
pools:
  here:
    kind: local
    cores: 2
    protocols: [HydrationProtocol, HarmonicProtocol]
  cluster:
    kind: slurm
    queue: gpu
    cores: 8
    memory: 32GiB
    gpus: 1
    walltime: 24h
    work_root: /shared/work
    limits:
      maximum: 20
EOF
alchemiscale-lake pools check two-pools.yaml
alchemiscale-lake pools list two-pools.yaml
```

`pools check` reports all mistakes with their lines (exit code 1), summarises each pool in one sentence, shows the
directives of its jobs, and warns about settings that are allowed but probably not intended. It submits nothing.

## Format of values

- **Durations**: `90s`, `30m`, `24h`, `2d`, `1h30m`, a queue's `24:00:00` or `1-12:00:00`; a bare number is seconds.
- **Memory**: `32GiB` or `32Gi` (powers of 1024), `32GB` or `32G` (powers of 1000); a bare number is bytes.
- **Lists**: one item per line after `- `, or `[a, b]`; a single item needs no brackets.
- **Scopes**: `org-campaign-project`, with `*` for any. Quote values that start with it: `"*-*-*"`.
- **Variables**: `${NAME}` is an environment variable of the process that reads the file, `${NAME:-default}` one that
  may be missing, `$${` a literal `${`. In `environment` nothing is replaced: its lines are for the job's shell.
- **Anchors**: `&name` and `<<: *name` share keys between pools.
- **Spaces**: an account with spaces is quoted for Slurm, PBS, Moab and LSF, a `log_folder` for Slurm, LSF and HTCondor;
  elsewhere, and in `queue`, spaces are mistakes. In `directives`, quote such values yourself, and omit `#SBATCH`.
- **Secrets** are rejected, recognised by the names of keys and variables and by their format. Export them where
  dispatchers and workers run, or keep them in a Prefect block.
"""

_NEEDS: Final = """
## `protocols` and `units`: resource needs

By the name of the class, without its module. Omitted keys keep the defaults of the class; an unknown class needs one
core and no GPU, or the values under `"*"`. An unknown unit may use all GPUs of its Task, and shares its cores with the
other units. Memory is counted only where it is given: it depends on the system, so there is no default.

```yaml
protocols:
  RelativeHybridTopologyProtocol: {gpus: 0.5, cores: 2, memory: 8GiB, duration: 8h}
  "*": {gpus: 1}
units:
  HybridTopologySetupUnit: {cores: 1}
```
"""

_FILES: Final = """
## `files`: kept files of Tasks

See [Keep files](keep-files.md). Patterns are relative to the folder of each ProtocolUnit; those for a class of Protocol
replace the default ones of this class.

```yaml
files:
  per_file: 8GiB
  per_task: 20GiB
  per_scope: 2TB
  keep:
    RelativeHybridTopologyProtocol: {shared: ["*.nc", "*.png"], scratch: "*.log"}
```

"""

_SECTIONS: Final[tuple[tuple[str, type[BaseModel], str], ...]] = (
    ("The file", Pools, ""),
    (
        "`pools`: one pool",
        Pool,
        "The name of a pool starts with a letter and consists of letters, digits, `-` and `_`. "
        "Queues require `cores`, `memory` and `walltime`, HTCondor also `disk`, a work pool `work_pool`; "
        "`queue`, `account`, `directives`, `skip_directives`, `interface`, `log_folder` and `disk` are for queues "
        "only.",
    ),
    ("`limits`: limits on the use of a pool", Limits, ""),
    (
        "`burst`: when a rented pool may claim",
        Burst,
        "Exceeding any threshold opens it; the budget closes it until the next day (UTC).",
    ),
    (
        "`monitors`: when to stop packing",
        Monitors,
        "A worker that is already running something starts nothing more while one of these is exceeded. "
        "Unset: not checked.",
    ),
)


def document() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for title, model, text in _SECTIONS:
        parts.append(f"\n## {title}\n" + (f"\n{text}\n" if text else "") + "\n" + _keys(model))
    known = [("Protocol", {name: needs.resources for name, needs in default_needs().protocols.items()})]
    known.append(("ProtocolUnit", unit_needs(None)))
    parts += [_NEEDS, "\n", _keys(Needs), *(_known(noun, needs) for noun, needs in known)]
    parts.append("\n## `hosts`: quarantine of bad hosts\n\n" + _keys(QuarantineRules))
    parts += [_FILES, _keys(FileRules), "\n", _kept_by_default()]
    return "".join(parts)


def _kept_by_default() -> str:
    """Return what the shipped packages keep."""
    rows = [
        f"| `{name}` | {', '.join(f'`{pattern}`' for pattern in patterns.shared)} |\n"
        for name, patterns in sorted(default_keep().items())
    ]
    return "| Protocol | kept of `shared` by default |\n| --- | --- |\n" + "".join(rows)


def _keys(model: type[BaseModel]) -> str:
    rows = [
        f"| `{field.alias or name}` | {_kind(name, field)} | {_default(name, field)} | {field.description} |\n"
        for name, field in model.model_fields.items()
    ]
    return "| key | value | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(rows)


def _kind(name: str, field: FieldInfo) -> str:
    if name == "kind":
        return ", ".join(f"`{kind}`" for kind in OWN_KINDS)
    annotation: Any = field.annotation
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if name.endswith("_s"):
        return "duration"
    if name.endswith("_bytes"):
        return "memory"
    if origin is tuple:
        return "list"
    if origin is typing.Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    wanted = arguments[0] if arguments else annotation  # of `X | None`, X
    if origin is dict or issubclass(wanted, BaseModel):
        return "keys"
    return {int: "whole number", float: "number", str: "text"}[wanted]


def _default(name: str, field: FieldInfo) -> str:
    value: Any = field.default
    if field.is_required():
        return "required"
    if value is None or value in ((), {}) or isinstance(value, BaseModel):
        return ""
    if name.endswith("_s"):
        return f"`{format_seconds(value)}`"
    if name.endswith("_bytes"):
        return f"`{format_bytes(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _known(noun: str, needs: Mapping[str, Resources]) -> str:
    rows = "".join(f"| `{name}` | {one.gpus:g} | {one.cores} |\n" for name, one in needs.items())
    return f"\n| default of {noun} | GPUs | cores |\n| --- | --- | --- |\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(document())
