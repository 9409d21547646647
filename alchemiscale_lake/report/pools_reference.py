"""Write the reference of the pools file: `python -m alchemiscale_lake.report.pools_reference > docs/pools.md`.

Keys, defaults and explanations come from the models in `settings`, so that the page cannot tell of others.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..amounts import format_seconds
from ..resources import Resources
from ..settings import Burst, Limits, Monitors, Needs, Pool, Pools, QuarantineRules
from ..tasks.default_needs import PROTOCOL_NEEDS, unit_needs

__all__ = ["document"]

_HEAD: Final = """# The pools file

Written from `alchemiscale_lake/settings.py` by `python -m alchemiscale_lake.report.pools_reference`; change it there.

One YAML file says where Tasks run, on what, how much of it, and when. Dispatchers read the file that `--pools` names,
else the one that `ALCHEMISCALE_LAKE_POOLS` names, else `./pools.yaml`. Begin with one of
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

`pools check` tells all mistakes with their lines (exit code 1), says of each pool in one sentence what will happen,
shows the directives that its jobs would carry, and warns of what is allowed but probably not meant. It submits nothing.

## How values are written

- **Durations**: `90s`, `30m`, `24h`, `2d`, `1h30m`, a queue's `24:00:00` or `1-12:00:00`; a bare number is seconds.
- **Memory**: `32GiB` or `32Gi` (powers of 1024), `32GB` or `32G` (powers of 1000); a bare number is bytes.
- **Lists**: one item a line after `- `, or `[a, b]`; a single item may stand alone.
- **Scopes**: `org-campaign-project`, with `*` for any. Quote what begins with it: `"*-*-*"`.
- **Variables**: `${NAME}` is a variable of the process that reads the file, `${NAME:-default}` one that may be missing,
  `$${` the two characters themselves. In `environment` nothing is replaced: its lines are for the job's shell.
- **Anchors**: `&name` and `<<: *name` share keys between pools.
- **Spaces**: an account with one is quoted for Slurm, PBS, Moab and LSF, a `log_folder` for Slurm, LSF and HTCondor;
  elsewhere, and in `queue`, they are mistakes. In `directives` put such values between quotes, and leave out `#SBATCH`.
- **Secrets** are refused, by the names of keys and variables and by their form. Export them where dispatchers and
  workers run, or keep them in a Prefect block.
"""

_NEEDS: Final = """
## `protocols` and `units`: what is taken

By the name of the class, without its module. Keys that are left out keep the values known for the class; a class that
is not known takes one core and no GPU, or what stands under `"*"`. A unit that is not known may use all of its Task's
share of a GPU, and divides its cores with the others. Memory is counted only where it is given: it follows the system,
so nothing is guessed.

```yaml
protocols:
  RelativeHybridTopologyProtocol: {gpus: 0.5, cores: 2, memory: 8GiB, duration: 8h}
  "*": {gpus: 1}
units:
  HybridTopologySetupUnit: {cores: 1}
```
"""

_SECTIONS: Final[tuple[tuple[str, type[BaseModel], str], ...]] = (
    ("The file", Pools, ""),
    (
        "`pools`: one pool",
        Pool,
        "Under a name that begins with a letter and holds letters, digits, `-` and `_`. "
        "A queue has to be told `cores`, `memory` and `walltime`, HTCondor `disk` as well, a work pool `work_pool`; "
        "`queue`, `account`, `directives`, `skip_directives`, `interface`, `log_folder` and `disk` are for queues "
        "alone.",
    ),
    ("`limits`: how much of a pool", Limits, ""),
    (
        "`burst`: when a rented pool may claim",
        Burst,
        "Any threshold that is passed opens it, the budget closes it until the next day (UTC).",
    ),
    (
        "`monitors`: when to stop packing",
        Monitors,
        "A worker that already runs something starts nothing beside it while one of these is passed. "
        "Unset: not looked at.",
    ),
)


def document() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for title, model, text in _SECTIONS:
        parts.append(f"\n## {title}\n" + (f"\n{text}\n" if text else "") + "\n" + _keys(model))
    known = [("Protocol", {name: needs.resources for name, needs in PROTOCOL_NEEDS.items()})]
    known.append(("ProtocolUnit", unit_needs(None)))
    parts += [_NEEDS, "\n", _keys(Needs), *(_known(noun, needs) for noun, needs in known)]
    parts.append("\n## `hosts`: bad hosts\n\n" + _keys(QuarantineRules))
    return "".join(parts)


def _keys(model: type[BaseModel]) -> str:
    rows = [
        f"| `{field.alias or name}` | {_kind(name, field)} | {_default(name, field)} | {field.description} |\n"
        for name, field in model.model_fields.items()
    ]
    return "| key | value | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(rows)


def _kind(name: str, field: FieldInfo) -> str:
    annotation: Any = field.annotation
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if name.endswith("_s"):
        return "duration"
    if name.endswith("_bytes"):
        return "memory"
    if origin is tuple:
        return "list"
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
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _known(noun: str, needs: Mapping[str, Resources]) -> str:
    rows = "".join(f"| `{name}` | {one.gpus:g} | {one.cores} |\n" for name, one in needs.items())
    return f"\n| {noun} known here | GPUs | cores |\n| --- | --- | --- |\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(document())
