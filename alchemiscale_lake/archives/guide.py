"""The README of an archive: what is in it, and how to read it without alchemiscale-lake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..plurals import count
from ..schemas import TABLES
from .current import CURRENT
from .manifest import Manifest

__all__ = ["guide"]

_TEXT: Final = """\
# {title}

{about}

| network | Transformations | Tasks | results | failed |
| --- | --- | --- | --- | --- |
{networks}

Written by alchemiscale-lake {version}; newest row: {as_of}. Energies are in kcal/mol and times are UTC; units are
part of column names. ScopedKeys such as `{key}` join the tables.

## Read it

Every table is a Parquet file; DuckDB, polars, pandas and R read it. In DuckDB, in the folder of this file:

```sql
select ligand, value_kcal_mol, uncertainty_kcal_mol, experiment_kcal_mol
from 'current/free_energies.parquet'
order by network, kind, component, rank;
```

```sql
select ligand_i, ligand_j, value_kcal_mol, uncertainty_kcal_mol
from 'current/edges.parquet'
where status = 'ok';
```

Every result, with its Transformation:

```sql
select transformations.name, results.estimate_kcal_mol, results.uncertainty_kcal_mol, results.wall_time_s
from 'tables/results.parquet' as results
join 'tables/transformations.parquet' as transformations using (scope, transformation)
where results.ok
order by transformations.name, results.ended_at;
```

Why Tasks failed:

```sql
select exception, count(*) as n
from 'tables/results.parquet'
where not ok
group by exception
order by n desc;
```

A zip file must be unpacked first. A page per network, in `pages/`, shows the same in a browser.
`sha256sum --check SHA256SUMS` verifies the files. `alchemiscale-lake import ARCHIVE` takes all of it into a lake, where
calculations can go on.

## Files

| file | content |
| --- | --- |
| `archive.json` | what the archive contains, by numbers |
| `.zenodo.json` | description for a repository |
| `schema.json` | every column: type, unit and meaning |
| `pages/` | a page per network: estimates, experiment, findings, cost and failures |
{files}
| `objects/` | by their paths in the tables: what units printed, and results (keyed chains, JSON, zstd) {without} |
{left_out}"""


def guide(manifest: Manifest, about: str, rows: Mapping[str, int]) -> bytes:
    """Return the content of `README.md`.

    Parameters
    ----------
    manifest : Manifest
    about : str
        Description of the archive.
    rows : mapping of str to int
        Number of rows by file, such as `tables/results.parquet`.
    """
    docs = {f"tables/{name}.parquet": TABLES[name].doc for name in TABLES}
    docs |= {f"current/{name}.parquet": f"{what}." for name, (what, _, _) in CURRENT.items()}
    networks = [
        f"| {network.name or network.network} | {network.n_transformations} | {network.n_tasks} | {network.n_results} "
        f"| {network.n_failed} |"
        for network in manifest.networks
    ]
    files = [f"| `{name}` | {docs[name]} {count(n, 'row')}. |" for name, n in rows.items()]
    left_out = [f"- {what}: {why}" for what, why in manifest.left_out.items()]
    return _TEXT.format(
        without="without the gufe objects that `tables/gufe_objects.parquet` has",
        title=manifest.title,
        about=about,
        networks="\n".join(networks),
        version=manifest.package_version,
        as_of=manifest.as_of,
        key=manifest.networks[0].network,
        files="\n".join(files),
        left_out="\n".join(["", "Not in the archive:", "", *left_out, ""]) if left_out else "",
    ).encode()
