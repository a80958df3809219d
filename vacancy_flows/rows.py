"""Between a `Record` and a row of an ASE database, without loss.

The relaxed cell with its energy, forces, stress and moments is the row's atoms; what is
worth selecting on is a key-value pair; everything else is in ``data``.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from ase.db.core import now
from ase.db.row import AtomsRow
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from monty.json import MontyEncoder
from pymatgen.core import Structure

from vacancy_flows.schemas import Record

# Key-value pairs. ASE refuses None (the key is left out) and reserves names such as
# `formula` and `energy`, so they have names of their own here and the contract's on output.
_DESCRIPTION = (
    "uid",
    "kind",
    "host",
    "strain_mode",
    "strain",
    "site",
    "wyckoff",
    "multiplicity",
    "coordination",
    "n_atoms",
    "ordering",
    "ordering_energy",
    "removed_element",
    "net_charge",
    "pristine_uid",
    "parent_uid",
    "reference_kind",
)


def to_row(record: Record) -> tuple[AtomsRow, dict[str, Any], dict[str, Any]]:
    """Return row, key-value pairs and data of a record.

    The uid is also ASE's ``unique_id``, which the database indexes and keeps unique.

    Parameters
    ----------
    record
        A finished calculation.
    """
    result, structure = record.result, record.result.structure
    content: dict[str, Any] = {
        "numbers": np.array(structure.atomic_numbers, dtype=np.int32),
        "positions": np.ascontiguousarray(structure.cart_coords),
        "cell": np.array(structure.lattice.matrix),
        "pbc": np.ones(3, dtype=bool),
        "calculator": "unknown",
        "calculator_parameters": {},
        "energy": result.energy,
        "forces": np.array(result.forces),
        "unique_id": record.uid,
        "ctime": now(),
        "user": os.getenv("USER"),
    }
    if result.stress is not None:
        content["stress"] = full_3x3_to_voigt_6_stress(np.array(result.stress))
    if result.moments is not None:
        content["magmoms"] = np.array(result.moments)
    return AtomsRow(content), _pairs(record), _data(record)


def from_row(row: AtomsRow) -> Record:
    """Return the record of a row."""
    data = json.loads(row.data["record"])
    geometry = json.loads(row.data["geometry"])
    atoms = row.toatoms()
    structure = Structure(
        atoms.cell.array,
        atoms.get_chemical_symbols(),
        np.array(geometry["frac_coords"]),
        site_properties=geometry["site_properties"] or None,
        properties=geometry["properties"],
    )
    stress = row.get("stress")
    moments = row.get("magmoms")
    data["result"] |= {
        "structure": structure,
        "energy": row.energy,
        "forces": row.forces.tolist(),
        "stress": None if stress is None else voigt_6_to_full_3x3_stress(stress).tolist(),
        "moments": None if moments is None else moments.tolist(),
    }
    data["calculation"] |= {"structure": structure}
    return Record.model_validate(data)


def _pairs(record: Record) -> dict[str, Any]:
    calculation, result = record.calculation, record.result
    pairs = {name: getattr(calculation, name) for name in _DESCRIPTION}
    pairs |= {f"{kind.lower()}_uid": uid for kind, uid in calculation.reference_uids.items()}
    pairs |= {
        "campaign": calculation.campaign,
        "engine": record.engine,
        "energy_scale": record.energy_scale,
        "cell_formula": formula(result.structure),
        "units": calculation.operation.get("units"),
        "max_force": result.max_force,
        "is_converged": result.converged,
        "reason": result.reason,
        "notes": record.notes,
        "volume_per_atom": result.structure.volume / len(result.structure),
        "wall_s": result.wall_s,
        "cpu_s": result.cpu_s,
    }
    return {key: value for key, value in pairs.items() if value is not None and value != ""}


def _data(record: Record) -> dict[str, Any]:
    structure = record.result.structure
    content = record.model_dump(
        exclude={
            "result": {"structure", "energy", "forces", "stress", "moments"},
            "calculation": {"structure"},
        }
    )
    return {
        "record": json.dumps(content, cls=MontyEncoder),
        # As text, which is read and written ten times faster than ASE's own encoding.
        "geometry": json.dumps(
            {
                "frac_coords": structure.frac_coords.tolist(),  # unwrapped, as they came out
                "site_properties": structure.site_properties,
                "properties": structure.properties,
            },
            cls=MontyEncoder,
        ),
    }


def formula(structure: Structure) -> str:
    """Return the full formula of a cell, in pymatgen's order, without spaces."""
    return str(structure.composition.formula).replace(" ", "")
