"""Experimental values of ligands in tables: free energies, pKi and pIC50, and Kd, Ki and IC50 as concentrations.

A concentration K becomes R T ln(K / 1 M), a pKi -R T ln(10) pKi. An IC50 or EC50 is taken for a Ki. A bound (`>1000`)
is not a value and is left out. Column names in the files of ChEMBL, BindingDB and openfe's benchmarks are known.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final, Literal, get_args

from ..cells import MISSING
from ..plurals import count, verb
from ..units import KCAL_PER_KJ, kt_kcal_mol
from .table_columns import ABSOLUTE, energy_unit, plain_name

__all__ = ["DUPLICATES", "TEMPERATURE_KELVIN", "Duplicates", "Measured", "Measurements", "merged", "merged_note"]

#: Treatment of several values of one ligand: refuse them, or take the geometric mean of the affinities.
Duplicates = Literal["refuse", "geomean"]
DUPLICATES: Final[tuple[Duplicates, ...]] = get_args(Duplicates)
#: Temperature of concentrations and p-values, unless another is given.
TEMPERATURE_KELVIN: Final = 298.15
_NAMED: Final = 10
#: Common names of columns, without unit, case and punctuation; the first match counts.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "ligand": (
        "ligand", "name", "ligand name", "compound", "molecule", "label", "bindingdb ligand name", "compound name",
        "molecule name", "compound id", "molecule chembl id", "compound chembl id",
    ),
    "value": (
        "exp dg", "expt dg", "dg exp", "dg expt", "exp", "expt", "experiment", "experimental value", "value",
        "standard value", "dg",
    ),
    "pic50": ("pic50", "exp pic50", "pki", "exp pki", "pkd", "exp pkd", "pchembl value", "pchembl"),
    "uncertainty": (
        "exp ddg", "expt ddg", "exp uncertainty", "experimental uncertainty", "dg exp uncertainty", "exp dg error",
        "exp dg uncertainty", "exp ddg uncertainty", "uncertainty", "error", "ddg",
    ),
    "pic50 uncertainty": ("pic50 uncertainty", "pki uncertainty", "pkd uncertainty"),
    "type": ("standard type", "measurement type", "type"),
    "unit": ("standard units", "standard unit", "units", "unit"),
    "relation": ("standard relation", "relation", "qualifier"),
    "remark": ("annotation", "remark", "comment", "note"),
    "temperature": (
        "temperature kelvin", "temperature k", "temperature", "temp", "temp k", "temp c", "temperature c",
    ),
    "smiles": ("smiles", "ligand smiles", "canonical smiles"),
    "source": ("source", "reference", "doi", "document chembl id", "article doi"),
}  # fmt: skip
_ENERGIES: Final = {"kcal": 1.0, "kj": KCAL_PER_KJ}
#: In the order in which they are taken, if a ligand has several.
_KINDS: Final = ("kd", "ki", "ic50", "ec50", "affinity")
_AFFINITY: Final = re.compile(
    r"(?:exp |expt |experimental |measured |binding )*(kd|ki|ic50|ec50|affinity)"
    r"( error| uncertainty| sd| std| stdev| sem)?(?: ([munpf]?m))?( error| uncertainty)?"
)
_MOLAR: Final[Mapping[str, float]] = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "fm": 1e-15}
_BOUND: Final = re.compile(r"\s*['\"]?\s*[<>≤≥]")
_AS: Final = {
    "ic50": "IC50, taken as Ki",
    "ec50": "EC50, taken as Ki",
    "affinity": "affinities of an unnamed kind, taken as Kd",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One experimental value.

    Attributes
    ----------
    ligand : str
        Name of the ligand.
    value_kcal_mol : float
        Free energy.
    uncertainty_kcal_mol : float or None
        None if none is stated.
    smiles : str or None
        SMILES of the ligand, if stated.
    source : str or None
        Reference or assay, if stated.
    """

    ligand: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float | None
    smiles: str | None
    source: str | None


def merged(values: Sequence[tuple[float, float | None]]) -> tuple[float, float | None]:
    """Return the mean of several measurements of one free energy, and its uncertainty.

    The mean of free energies is that of the geometric mean of the affinities. The uncertainty is the standard deviation
    of the measurements, or the largest one stated if that is larger; None if both are unknown or zero.

    Parameters
    ----------
    values : sequence of (float, float or None)
        Values and stated uncertainties, kcal/mol.
    """
    numbers = [value for value, _ in values]
    scatter = stdev(numbers) if len(numbers) > 1 else 0.0
    widest = max([scatter, *(stated for _, stated in values if stated is not None)])
    return fmean(numbers), widest or None


def merged_note(numbers: Sequence[int]) -> str:
    """Return a message on ligands with several measurements each, given their numbers."""
    n = len(numbers)
    return (
        f"{count(n, 'ligand')} {verb(n, 'has', 'have')} {count(sum(numbers), 'measurement')}: their geometric mean is "
        "used, with their standard deviation as its uncertainty"
    )


class Measurements:
    """Reads rows of experimental values.

    Parameters
    ----------
    header : sequence of str
    temperature_kelvin : float
        Of concentrations and p-values in rows that do not state theirs.

    Attributes
    ----------
    at : dict of str to int
        Positions of known columns.
    explicit : bool
        Whether columns are marked as experimental, or hold what only experiments give.
    """

    def __init__(self, header: Sequence[str], temperature_kelvin: float = TEMPERATURE_KELVIN) -> None:
        self._header = list(header)
        self._temperature = temperature_kelvin
        plain = [plain_name(cell.replace("µ", "u").replace("μ", "u")) for cell in header]
        self._energy = [energy_unit(cell) for cell in header]
        self.at = {
            column: plain.index(next(name for name in names if name in plain))
            for column, names in _NAMES.items()
            if any(name in plain for name in names)
        }
        self._ligands = [plain.index(name) for name in _NAMES["ligand"] if name in plain]
        if "value" in self.at and plain[self.at["value"]] != "dg" and not {"dg", *ABSOLUTE}.isdisjoint(plain):
            # the others belong to a computed value
            known = [name for name in _NAMES["uncertainty"] if name in plain and "exp" in name]
            self.at.pop("uncertainty", None)
            self.at |= {"uncertainty": plain.index(known[0])} if known else {}
        self._affinities = _affinities(plain)
        named = {"value", "standard value", "dg"}
        self.explicit = bool(
            "pic50" in self.at or self._affinities or ("value" in self.at and plain[self.at["value"]] not in named)
        )
        self._counts: Counter[str] = Counter()
        self._bounds: list[str] = []

    @property
    def has_values(self) -> bool:
        """Return whether any column has values."""
        return "value" in self.at or "pic50" in self.at or bool(self._affinities)

    def notes(self) -> list[str]:
        """Return how values were taken and which were left out, with counts."""
        said = [f"{count(n, 'value')} {verb(n)} {how}" for how, n in self._counts.items()]
        if self._bounds:
            more = f" and {len(self._bounds) - _NAMED} more" if len(self._bounds) > _NAMED else ""
            said.append(f"left out as bounds, not values: {', '.join(self._bounds[:_NAMED])}{more}")
        return said

    def read(self, row: Sequence[str]) -> Measured | str:
        """Return the value of a row; if it has none, the ligand or, of a bound, the empty text.

        Raises
        ------
        ValueError
            If a cell cannot be read.
        """
        ligand = next((row[at] for at in self._ligands if at < len(row) and row[at]), None)
        if ligand is None:
            raise ValueError("no name in the ligand column")
        if self._is_bound(row, ligand):
            return ""
        found = self._value(row)
        if found is None:
            return ligand
        value, uncertainty = found
        if uncertainty is not None and uncertainty < 0:
            raise ValueError(f"the uncertainty of ligand {ligand!r} is negative")
        return Measured(ligand, value, uncertainty, self._text(row, "smiles"), self._text(row, "source"))

    # --- cells ------------------------------------------------------------------------------------

    def _text(self, row: Sequence[str], column: str) -> str | None:
        at = self.at.get(column)
        return (row[at] or None) if at is not None and at < len(row) else None

    def _number(self, row: Sequence[str], at: int | None) -> float | None:
        text = row[at].strip() if at is not None and at < len(row) else ""
        if text.lower() in MISSING:
            return None
        try:
            value = float(text.lstrip("~= "))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"{self._header[at or 0].strip()} is {text!r}, not a number")
        return value

    def _is_bound(self, row: Sequence[str], ligand: str) -> bool:
        places = [self.at.get(column) for column in ("relation", "remark", "value", "pic50")]
        places += [at["value"] for at in self._affinities.values() if "value" in at]
        for at in places:
            if at is not None and at < len(row) and _BOUND.match(row[at]):
                self._bounds.append(f"{ligand} ({row[at]})")
                return True
        return False

    def _kt(self, row: Sequence[str]) -> float:
        """Return R T in kcal/mol, at the row's own temperature if it states one."""
        text = self._text(row, "temperature")
        found = re.match(r"\s*([\d.]+)\s*(?:°?\s*([CK]))?", text, re.IGNORECASE) if text else None
        if text is None or text.lower() in MISSING:
            return kt_kcal_mol(self._temperature)
        if found is None:
            raise ValueError(f"temperature is {text!r}, not a number")
        value = float(found[1])
        header = self._header[self.at["temperature"]].lower()
        celsius = (found[2] or "").lower() == "c" or (not found[2] and re.search(r"[ (_]c\)?$", header) is not None)
        kelvin = value + 273.15 if celsius else value
        if not 250.0 <= kelvin <= 400.0:
            raise ValueError(f"temperature is {text!r}; give it in kelvin, or write (C) into the header")
        return kt_kcal_mol(kelvin)

    # --- values -----------------------------------------------------------------------------------

    def _value(self, row: Sequence[str]) -> tuple[float, float | None] | None:
        return self._stated(row) or self._logarithm(row) or self._concentration(row)

    def _stated(self, row: Sequence[str]) -> tuple[float, float | None] | None:
        """Return the value of the column for values: an energy, or what a column for units says."""
        at = self.at.get("value")
        value, error = self._number(row, at), self._number(row, self.at.get("uncertainty"))
        if value is None or at is None:
            return None
        unit = (self._text(row, "unit") or "").lower().replace("µ", "u").replace("μ", "u")
        kind = (self._text(row, "type") or "").lower()
        if unit in _MOLAR:
            return self._energy_of(row, value * _MOLAR[unit], _scaled(error, _MOLAR[unit]), kind)
        if unit and energy_unit(unit) is None:
            raise ValueError(f"unit {unit!r} is not one of kcal/mol, kJ/mol, M, mM, uM, nM, pM, fM")
        if not unit and kind.startswith("p"):
            return self._from_logarithm(row, value, error)
        if not unit and kind in _KINDS:
            raise ValueError(
                f"{kind} without a unit; give a column of units, or write it into the header as in Ki (nM)"
            )
        factor = _ENERGIES[energy_unit(unit) or self._energy[at] or "kcal"]
        own = self._energy[self.at["uncertainty"]] if "uncertainty" in self.at else None
        return value * factor, _scaled(error, _ENERGIES[energy_unit(unit) or own or "kcal"])

    def _logarithm(self, row: Sequence[str]) -> tuple[float, float | None] | None:
        value = self._number(row, self.at.get("pic50"))
        if value is None:
            return None
        own = self._number(row, self.at.get("pic50 uncertainty"))
        at = self.at.get("uncertainty")
        unit = None if at is None else self._energy[at]
        if own is None and unit is not None:
            return self._from_logarithm(row, value, None)[0], _scaled(self._number(row, at), _ENERGIES[unit])
        # without a unit, an uncertainty has that of the value beside it
        return self._from_logarithm(row, value, own if own is not None else self._number(row, at))

    def _from_logarithm(self, row: Sequence[str], value: float, error: float | None) -> tuple[float, float | None]:
        slope = self._kt(row) * math.log(10.0)
        return -slope * value, _scaled(error, slope)

    def _concentration(self, row: Sequence[str]) -> tuple[float, float | None] | None:
        found = [kind for kind in _KINDS if kind in self._affinities]
        given = [kind for kind in found if self._number(row, self._affinities[kind].get("value")) is not None]
        if not given:
            return None
        kind, at = given[0], self._affinities[given[0]]
        value, error = self._number(row, at["value"]), self._number(row, at.get("error"))
        unit = self._unit_of(row, at)
        if len(given) > 1:
            self._counts[f"taken from {kind}, of several kinds for one ligand"] += 1
        return self._energy_of(row, (value or 0.0) * unit, _scaled(error, unit), kind)

    def _unit_of(self, row: Sequence[str], at: Mapping[str, int]) -> float:
        header = self._header[at["value"]]
        found = _AFFINITY.fullmatch(plain_name(header.replace("µ", "u").replace("μ", "u")))
        unit = (found[3] if found else None) or (self._text(row, "unit") or "").lower()
        if unit not in _MOLAR:
            raise ValueError(f"{header.strip()} has no unit; write it into the header, as in Ki (nM)")
        return _MOLAR[unit]

    def _energy_of(
        self, row: Sequence[str], molar: float, error: float | None, kind: str
    ) -> tuple[float, float | None]:
        if molar <= 0:
            raise ValueError(f"a concentration is {molar:g} M; it must be positive")
        if kind in _AS:
            self._counts[_AS[kind]] += 1
        kt = self._kt(row)
        # -1 stands for an error that is not known
        known = error if error is not None and error >= 0 else None
        return kt * math.log(molar), None if known is None else kt * known / molar


def _affinities(plain: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the positions of value and error of each kind of concentration."""
    found: dict[str, dict[str, int]] = {}
    for position, name in enumerate(plain):
        match = _AFFINITY.fullmatch(name)
        if match:
            found.setdefault(match[1], {}).setdefault("error" if match[2] or match[4] else "value", position)
    return {kind: at for kind, at in found.items() if "value" in at}


def _scaled(number: float | None, factor: float) -> float | None:
    return None if number is None else number * factor
