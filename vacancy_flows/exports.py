"""Rows of a results database for other programs: extended XYZ and pymatgen entries.

`to_defect_entry` hands a vacancy to pymatgen-analysis-defects (extra ``defects``), for what
this project does not do: charged states and their corrections.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from monty.json import MontyEncoder
from pymatgen.entries.computed_entries import ComputedStructureEntry
from pymatgen.io.ase import AseAtomsAdaptor

from vacancy_flows.errors import InputError
from vacancy_flows.schemas import Record


def to_extxyz(records: Iterable[Record]) -> str:
    """Return relaxed cells with energy, forces and stress as extended XYZ.

    Parameters
    ----------
    records
        Any kinds; uid, kind, host, site and strain stand in each comment line.

    Returns
    -------
    str
        Frames one after the other; energies in eV, forces in eV/Å, stress in eV/Å³ (ASE's
        sign).
    """
    frames = []
    for record in records:
        atoms = AseAtomsAdaptor.get_atoms(_bare(record), msonable=False)
        result, calculation = record.result, record.calculation
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=result.energy,
            forces=np.array(result.forces),
            **({} if result.stress is None else {"stress": np.array(result.stress)}),
        )
        atoms.info = {
            name: value
            for name in ("uid", "kind", "host", "site", "strain_mode", "strain", "campaign")
            if (value := getattr(calculation, name)) not in (None, "")
        }
        atoms.info |= {"engine": record.engine, "energy_scale": record.energy_scale}
        atoms.info["converged"] = result.converged
        frames.append(atoms)
    if not frames:
        return ""
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    return text.getvalue()


def to_entry(record: Record) -> ComputedStructureEntry:
    """Return a calculation as pymatgen's entry, energy uncorrected, eV per cell.

    The energy scale stands in ``parameters``: entries of two scales must not meet in one
    phase diagram.
    """
    calculation = record.calculation
    return ComputedStructureEntry(
        _bare(record),
        record.result.energy,
        parameters={
            "engine": record.engine,
            "energy_scale": record.energy_scale,
            **record.fingerprint,
        },
        data={
            "uid": record.uid,
            "kind": calculation.kind,
            "host": calculation.host,
            "site": calculation.site,
            "strain_mode": calculation.strain_mode,
            "strain": calculation.strain,
            "converged": record.result.converged,
        },
        entry_id=record.uid,
    )


def to_entries(records: Iterable[Record]) -> str:
    """Return `to_entry` of records as JSON that monty reads back."""
    return json.dumps([to_entry(record) for record in records], cls=MontyEncoder) + "\n"


def to_defect_entry(vacancy: Record, pristine: Record) -> Any:
    """Return a neutral vacancy as a ``DefectEntry`` of pymatgen-analysis-defects.

    Parameters
    ----------
    vacancy, pristine
        Of one pair; energies stay raw, eV per cell.

    Returns
    -------
    pymatgen.analysis.defects.thermo.DefectEntry
        Charge 0, no correction, the pristine cell as bulk entry.

    Raises
    ------
    ValueError
        Where the two are no pair or the engines differ.
    InputError
        Where pymatgen-analysis-defects is not installed.
    """
    try:
        from pymatgen.analysis.defects.core import Vacancy
        from pymatgen.analysis.defects.thermo import DefectEntry
    except ImportError:
        raise InputError(
            "defect entries need pymatgen-analysis-defects: pip install 'vacancy-flows[defects]'"
        ) from None
    calculation = vacancy.calculation
    if calculation.pristine_uid != pristine.uid:
        raise ValueError(f"{pristine.uid} is not the pristine cell of {vacancy.uid}")
    if (vacancy.engine, vacancy.energy_scale) != (pristine.engine, pristine.energy_scale):
        raise ValueError(f"{vacancy.uid} and {pristine.uid} are of different engines or scales")
    cell = _bare(pristine)
    site = cell[cell.site_properties["label"].index(calculation.site)]
    cell.remove_site_property("label")
    return DefectEntry(
        defect=Vacancy(cell, type(site)(site.species, site.frac_coords, site.lattice)),
        charge_state=0,
        sc_entry=to_entry(vacancy),
        bulk_entry=to_entry(pristine),
        sc_defect_frac_coords=tuple(site.frac_coords),
        entry_id=vacancy.uid,
    )


def _bare(record: Record) -> Any:
    structure = record.structure.copy()
    for name in list(structure.site_properties):
        if name != "label":
            structure.remove_site_property(name)
    return structure
