"""Boundary energies and geometries, from stored records; nothing of them is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd

from vacancy_flows.analysis.boundary_energy import boundary_energy
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.schemas import Record
from vacancy_flows.structures.boundaries import (
    boundaries_are_equal,
    boundary_profiles,
    grain_cores,
)

_ELECTROSTATIC = "electrostatics"  # in the name of an order that each cell finds on its own
EQUAL, MEAN = "two, equal by symmetry", "two that differ: their mean"
"""What an energy of a cell with two boundaries is."""


def lithiated_hosts(database: ResultsDatabase, campaigns: Collection[str]) -> list[Record]:
    """Return the hosts of some campaigns that were relaxed with a free cell, nothing removed.

    Each bears the names of its first use in one of them, those of hosts joined where a
    delithiated host shares it.
    """
    table = database.table()
    found = []
    for row in table[table["kind"] == "host"].to_dict("records"):
        uses = [use for use in row["uses"] if use.campaign in campaigns]
        record = database.get(row["uid"]) if uses else None
        if record is None or record.calculation.operation.get("remove"):
            continue
        if record.calculation.cell != "free":
            continue
        first = uses[0].campaign
        names = sorted({use.host for use in uses if use.campaign == first}, key=len)
        update = {"campaign": first, "host": names[0]}
        found.append(
            record.model_copy(update={"calculation": record.calculation.model_copy(update=update)})
        )
    return found


def boundary_energies(hosts: Iterable[Record]) -> pd.DataFrame:
    """Return the energy of each boundary cell against the bulk of the same metal order.

    Parameters
    ----------
    hosts
        Of `lithiated_hosts`: boundary cells and bulk.

    Returns
    -------
    pandas.DataFrame
        A row per boundary cell. ``gamma_J_m2`` is empty where there is no such bulk on the same
        engine and settings, with what is missing in ``reason``; ``boundaries`` says whether it
        is of two boundaries that symmetry makes equal or the mean of two that differ.
    """
    records = list(hosts)
    bulk = [r for r in records if not r.structure.properties.get("boundary")]
    cells = [r for r in records if r.structure.properties.get("boundary")]
    return pd.DataFrame([_energy_row(cell, _bulk_of(cell, bulk)) for cell in cells])


def _energy_row(cell: Record, bulk: Record | None) -> dict[str, Any]:
    structure, properties = cell.structure, cell.structure.properties["boundary"]
    a, b, _ = structure.lattice.matrix
    area, units = float(np.linalg.norm(np.cross(a, b))), _units(cell)
    row: dict[str, Any] = {
        "uid": cell.uid,
        "campaign": cell.calculation.campaign,
        "engine": cell.engine,
        "energy_scale": cell.energy_scale,
        "host": cell.calculation.host,
        "boundary": properties.get("preset", {}).get("name") or properties["kind"],
        "formula": structure.composition.reduced_formula,
        "n_atoms": len(structure),
        "n_units": units,
        "area_A2": area,
        "e_cell_eV": cell.result.energy,
        "bulk_host": None if bulk is None else bulk.calculation.host,
        "bulk_uid": None if bulk is None else bulk.uid,
        "bulk_n_atoms": None if bulk is None else len(bulk.structure),
        "e_bulk_eV_per_unit": None if bulk is None else bulk.result.energy / _units(bulk),
        "gamma_J_m2": np.nan,
        "boundaries": EQUAL if boundaries_are_equal(structure) else MEAN,
        "converged": cell.result.converged,
        "reason": "",
    }
    problem = _problem(cell, bulk)
    if bulk is not None and problem is None:
        row["gamma_J_m2"] = boundary_energy(
            cell.result.energy, row["e_bulk_eV_per_unit"], units, area
        )
        row["converged"] = cell.result.converged and bulk.result.converged
        if _ELECTROSTATIC in _order(cell):
            row["reason"] = (
                "metals arranged by electrostatics in either cell on its own: "
                "the difference of the arrangements is part of it"
            )
    return row | ({"converged": False, "reason": problem} if problem else {})


def _problem(cell: Record, bulk: Record | None) -> str | None:
    """Return why a cell has no boundary energy, None where it has one."""
    if len(cell.structure.properties["boundary"]["planes"]) != 2:
        return "the cell has surfaces besides its boundary"
    if bulk is None:
        return (
            f"no bulk host of the same composition, metal order ({_order(cell) or 'unknown'}) and "
            "settings in the campaign: add one"
        )
    return None


def _bulk_of(cell: Record, bulk: Iterable[Record]) -> Record | None:
    """Return the largest bulk cell of the same order, composition and settings."""
    wanted = _order(cell)
    fitting = [
        record
        for record in bulk
        if record.calculation.campaign == cell.calculation.campaign
        and (record.engine, record.energy_scale) == (cell.engine, cell.energy_scale)
        and record.fingerprint == cell.fingerprint
        and record.structure.composition.reduced_formula
        == cell.structure.composition.reduced_formula
        and _same_order(_order(record), wanted)
    ]
    return max(fitting, key=lambda record: len(record.structure), default=None)


def _same_order(one: str, other: str) -> bool:
    return bool(one) and (one == other or (_ELECTROSTATIC in one and _ELECTROSTATIC in other))


def _order(record: Record) -> str:
    """Return how the metals stand, as the builder named it."""
    return str(record.structure.properties.get("provenance", {}).get("order", ""))


def _units(record: Record) -> float:
    """Return the formula units in a cell."""
    composition = record.structure.composition
    return float(composition.get_reduced_composition_and_factor()[1])


def boundary_geometry(cells: Iterable[Record]) -> pd.DataFrame:
    """Return what can be said of each boundary on its own, and the angles of both grains.

    Parameters
    ----------
    cells
        Relaxed pristine cells; those without boundaries are left out.

    Returns
    -------
    pandas.DataFrame
        A row per cell and boundary, see `BoundaryProfile`; angles as of `layer_angle`, read
        back from the relaxed cell, empty where a grain is too thin to show a layer.
    """
    rows = []
    for record in cells:
        if not record.structure.properties.get("boundary"):
            continue
        cores = grain_cores(record.structure)
        angles = {
            f"layer_angle_{grain}_deg": cores[grain].angle if grain in cores else np.nan
            for grain in ("top", "bottom")
        }
        calculation = record.calculation
        rows += [
            {
                "uid": record.uid,
                "campaign": calculation.campaign,
                "engine": record.engine,
                "host": calculation.host,
                "ordering": calculation.ordering,
                "strain_mode": calculation.strain_mode,
                "strain": calculation.strain,
                "n_atoms": len(record.structure),
                "boundary": profile.boundary,
                "o_coordination": _counted(profile.o_coordination),
                "metals": profile.metals,
                "metals_under_six": _counted(profile.metals_under_six),
                "width_A": profile.width,
                **angles,
            }
            for profile in boundary_profiles(record.structure)
        ]
    return pd.DataFrame(rows)


def energy_lines(table: pd.DataFrame) -> list[str]:
    """Say the boundary energies of a table in words, one line each."""
    lines = []
    for row in table.to_dict("records"):
        name = f"{row['host']} ({row['boundary']}, {row['n_atoms']} atoms, {row['engine']})"
        if np.isnan(row["gamma_J_m2"]):
            lines.append(f"boundary energy of {name}: none, {row['reason']}")
            continue
        mark = "" if row["converged"] else ", not converged"
        note = f"; {row['reason']}" if row["reason"] else ""
        lines.append(
            f"boundary energy of {name}: {row['gamma_J_m2']:.3f} J/m², {row['boundaries']}, "
            f"against {row['bulk_host']} ({row['bulk_n_atoms']} atoms), energy scale "
            f"{row['energy_scale']}{mark}{note}"
        )
    return lines


def _counted(counts: dict[Any, int]) -> str:
    """Return counts as text: ``5:4 6:2``."""
    return " ".join(f"{key}:{number}" for key, number in counts.items())
