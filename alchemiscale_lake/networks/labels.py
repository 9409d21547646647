"""Labels of ligands as nodes: one label per component, unique within a network.

Estimators and experimental values are joined on these labels, so two components with the same name must not share a
label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .measures import is_absent

__all__ = ["label_ligands"]


def label_ligands(names: Mapping[str, str | None], taken: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a label for each ligand of a network.

    Parameters
    ----------
    names : mapping of str to str or None
        Component key to the component's name.
    taken : mapping of str to str, optional
        Existing labels, by component key. A ligand keeps its label.

    Returns
    -------
    dict of str to str
        Component key to label: the name if no other ligand of the network has it, else `name (beginning of the key's
        token)`; the key for a ligand without a name, or with the reserved name for no ligand.
    """
    labels = {key: taken[key] for key in names if key in taken} if taken else {}
    used = set(labels.values())
    new = {key: None if name and is_absent(name) else name for key, name in names.items() if key not in labels}
    counts: dict[str | None, int] = {}
    for name in new.values():
        counts[name] = counts.get(name, 0) + 1
    for key in sorted(new):
        name = new[key]
        alone = name is not None and counts[name] == 1
        label = next(c for c in _candidates(key, name, plain=alone) if c not in used)
        labels[key] = label
        used.add(label)
    return labels


def _candidates(key: str, name: str | None, *, plain: bool) -> Iterable[str]:
    """Yield labels from the most readable to the most specific."""
    token = key.partition("-")[2]
    if name is not None:
        if plain:
            yield name
        for length in range(6, len(token), 6):
            yield f"{name} ({token[:length]})"
        yield f"{name} ({key})"
    yield key
    n = 2
    while True:  # a ligand is named like another one's key
        yield f"{key} #{n}"
        n += 1
