"""What a reader wants beyond E_f, from stored records: environments, dipoles, T and p."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.concentration import nonstoichiometry
from vacancy_flows.analysis.correlation import correlation_table
from vacancy_flows.analysis.dipole import CellStress, ElasticDipole
from vacancy_flows.analysis.dipole_prediction import compare_with_direct
from vacancy_flows.analysis.environments import environment_of, environment_table
from vacancy_flows.analysis.relaxation import environment_changes
from vacancy_flows.analysis.size import extrapolate_table
from vacancy_flows.analysis.thermodynamics_tables import thermodynamics_table
from vacancy_flows.boundary_tables import boundary_energies, boundary_geometry, lithiated_hosts
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.lattice_errors import with_lattice_errors
from vacancy_flows.schemas import Record
from vacancy_flows.structures import conventional_axes
from vacancy_flows.structures.boundaries import boundary_planes
from vacancy_flows.tables import with_reference
from vacancy_flows.uses import SEPARATOR

TEMPERATURES = (300.0, 600.0, 900.0, 1200.0)  # K
PRESSURES = (0.21, 1.0)  # bar; air and pure O2
_KEYS = ["campaign", "engine", "energy_scale", "host", "n_atoms", "ordering", "site"]
_REFERENCE = ["oxygen_scheme", "temperature_K", "pressure_bar"]  # of every E_f
_DESCRIBED = ("uid", "host", "strain_mode", "strain")
_ENERGY = ("formation_energy_eV", "engine", "energy_scale", *_REFERENCE)
_NEIGHBOURS = ("coordination", "tm_neighbours", "li_neighbours")


class Stored(NamedTuple):
    """Records behind a table, by uid: its vacancies, and their pristine cells."""

    vacancies: dict[str, Record]
    pristine: dict[str, Record]


def records_of(database: ResultsDatabase, table: pd.DataFrame) -> Stored:
    """Return the records of some vacancies, and those of their pristine cells."""
    records = {uid: r for uid in dict.fromkeys(table["uid"]) if (r := database.get(uid))}
    partners = {str(record.calculation.pristine_uid) for record in records.values()}
    return Stored(records, {uid: r for uid in sorted(partners) if (r := database.get(uid))})


def derived_tables(
    database: ResultsDatabase,
    table: pd.DataFrame,
    reference: OxygenReference,
    stored: Stored,
) -> dict[str, pd.DataFrame]:
    """Return further tables of some vacancies by name; empty ones are left out.

    Parameters
    ----------
    database
        That the table came from.
    table
        Vacancies with E_f.
    reference
        That the table was made with.
    stored
        Of the table, see `records_of`.

    Returns
    -------
    dict
        ``environments`` (with the correlation of E_f in ``correlations``), ``bond_changes``,
        ``size_extrapolation``, ``elastic_dipoles``, ``strain_comparison``, at boundaries
        ``boundaries`` and ``boundary_energy``, and, but for a
        user's own mu_O, ``thermodynamics`` and ``nonstoichiometry`` at `TEMPERATURES` and
        `PRESSURES`.
    """
    found = {"environments": environments(table, *stored)}
    found["correlations"] = _correlations(table, found["environments"])
    found["bond_changes"] = bond_changes(table, *stored)
    found["size_extrapolation"] = size_extrapolation(table, stored.pristine, stored.vacancies)
    found["elastic_dipoles"], found["strain_comparison"] = dipoles(table, *stored)
    found["elastic_dipoles"] = with_lattice_errors(found["elastic_dipoles"], database, *stored)
    found["boundaries"] = boundary_geometry(stored.pristine.values())
    if not found["boundaries"].empty:
        hosts = lithiated_hosts(database, campaigns_of(table))
        found["boundary_energy"] = boundary_energies(hosts)
    if reference.scheme != "user":
        cold = replace(reference, temperature=0.0)
        cold_table = with_reference(database, table, cold)
        finished = cold_table[cold_table["converged"] & cold_table["formation_energy_eV"].notna()]
        if not finished.empty:
            found["thermodynamics"] = thermodynamics_table(finished, cold, TEMPERATURES, PRESSURES)
            found["nonstoichiometry"] = pd.concat(
                [nonstoichiometry(cold_table, cold, t, p) for t in TEMPERATURES for p in PRESSURES],
                ignore_index=True,
            )
    return {name: frame for name, frame in found.items() if not frame.empty}


def campaigns_of(table: pd.DataFrame) -> set[str]:
    """Return the names of the campaigns that use some vacancies."""
    return {name for cell in table["campaign"].dropna() for name in str(cell).split(SEPARATOR)}


def environments(
    table: pd.DataFrame, records: Mapping[str, Record], pristine: Mapping[str, Record]
) -> pd.DataFrame:
    """Return the neighbours that each vacant site had in its relaxed pristine cell."""
    rows, described = [], []
    for row in table.to_dict("records"):
        record = records.get(row["uid"])
        partner = pristine.get(str(record.calculation.pristine_uid)) if record else None
        if record is not None and partner is not None and record.calculation.site:
            cell = partner.structure
            planes = boundary_planes(cell) if cell.properties.get("boundary") else []
            rows.append(environment_of(cell, record.calculation.site, planes=planes))
            described.append({name: row[name] for name in (*_DESCRIBED, *_ENERGY)})
    if not rows:
        return pd.DataFrame()
    frame = environment_table(rows)
    frame.insert(0, "uid", [row.pop("uid") for row in described])
    return frame.join(pd.DataFrame(described))


def bond_changes(
    table: pd.DataFrame, records: Mapping[str, Record], pristine: Mapping[str, Record]
) -> pd.DataFrame:
    """Return how the former neighbours of each converged vacancy moved, a row per bond."""
    frames = []
    for row in table[table["converged"]].to_dict("records"):
        record = records.get(row["uid"])
        partner = pristine.get(str(record.calculation.pristine_uid)) if record else None
        if record is None or partner is None or record.calculation.cell != "fixed":
            continue
        site = str(record.calculation.site)
        moved = environment_changes(partner.structure, record.structure, site)
        described = {"vacancy": site, **{name: row[name] for name in _DESCRIBED}}
        frames.append(moved.assign(**described))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def size_extrapolation(
    table: pd.DataFrame, pristine: Mapping[str, Record], records: Mapping[str, Record]
) -> pd.DataFrame:
    """Return E_f extrapolated in 1/N, where a site was calculated in cells of several sizes.

    The sizes are hosts of their own; they belong together by composition and Wyckoff letter.
    """
    partners = {
        uid: pristine.get(str(record.calculation.pristine_uid)) for uid, record in records.items()
    }
    formulas = {
        uid: partner.structure.composition.reduced_formula
        for uid, partner in partners.items()
        if partner is not None
    }
    rows = table.assign(formula_unit=table["uid"].map(formulas))
    keys = ["campaign", "engine", "energy_scale", *_REFERENCE]
    keys += ["formula_unit", "wyckoff", "strain_mode", "strain", "ordering"]
    found = []
    for values, part in rows.groupby(keys, dropna=False, sort=False):
        if part["n_atoms"].nunique() < 2:
            continue
        try:
            limit = extrapolate_table(part)
        except ValueError:  # not a series: too few finished, or several sites of one letter
            continue
        named = dict(zip(keys, values, strict=True))
        sizes = " ".join(str(n) for n in sorted(part["n_atoms"].unique()))
        numbers = {
            "e_infinite_eV": limit.e_infinite,
            "slope_eV_atoms": limit.slope,
            "standard_error_eV": limit.standard_error,
            "reason": limit.reason,
        }
        found.append({**named, "n_atoms": sizes, **numbers})
    return pd.DataFrame(found)


def dipoles(
    table: pd.DataFrame, records: Mapping[str, Record], pristine: Mapping[str, Record]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the elastic dipole of every unstrained site, and what it predicts for strain.

    Returns
    -------
    tuple of pandas.DataFrame
        P_ij, trace and principal values in eV; predicted against directly strained E_f.
    """
    tensors, predictions = [], []
    for keys, rows in table.groupby([*_KEYS, *_REFERENCE], sort=False, dropna=False):
        unstrained = rows[(rows["strain_mode"] == "none") & rows["converged"]]
        if len(unstrained) != 1:
            continue
        record = records.get(unstrained["uid"].iloc[0])
        partner = pristine.get(str(record.calculation.pristine_uid)) if record else None
        if record is None or partner is None or record.calculation.cell != "fixed":
            continue
        if record.result.stress is None or partner.result.stress is None:
            continue
        dipole = ElasticDipole.from_cells(cell_stress(record), cell_stress(partner))
        named: dict[str, Any] = dict(zip([*_KEYS, *_REFERENCE], keys, strict=True))
        host = {name: named[name] for name in _KEYS}  # no reference enters a dipole
        tensors.append({"uid": record.uid, **host, **_components(dipole)})
        compared = compare_with_direct(rows, dipole, conventional_axes(partner.structure))
        predictions.append(compared.assign(**named))
    frames = [frame for frame in predictions if not frame.empty]
    return pd.DataFrame(tensors), pd.concat(frames) if frames else pd.DataFrame()


def _correlations(table: pd.DataFrame, environments: pd.DataFrame) -> pd.DataFrame:
    """Return how E_f goes with the neighbours, over converged rows of one engine and reference."""
    labels = table[["engine", "energy_scale", *_REFERENCE]].drop_duplicates()
    if environments.empty or len(labels) != 1:
        return pd.DataFrame()
    once = environments.drop_duplicates("uid").set_index("uid")  # hosts may share a vacancy
    neighbours = once[["tm_neighbours", "li_neighbours"]]
    joined = table.drop_duplicates("uid").join(neighbours, on="uid")
    charged = ("net_charge",) if joined["net_charge"].notna().any() else ()
    found = correlation_table(joined, columns=[*charged, *_NEIGHBOURS])
    return found.assign(**{str(name): value for name, value in labels.iloc[0].items()})


def cell_stress(record: Record) -> CellStress:
    """Return lattice and stress of a fixed-cell calculation, as a dipole needs them."""
    return CellStress(
        record.structure.lattice.matrix,
        record.result.stress or [],
        record.result.converged,
        record.uid,
    )


def _components(dipole: ElasticDipole) -> dict[str, float]:
    axes = "xyz"
    components = {
        f"P_{axes[i]}{axes[j]}_eV": float(dipole.tensor[i][j])
        for i in range(3)
        for j in range(i, 3)
    }
    values = {f"P_{k + 1}_eV": float(v) for k, v in enumerate(dipole.principal_values)}
    return {**components, "trace_eV": float(dipole.trace), **values}
