"""The figures of a report beyond E_f against strain, drawn from stored records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pymatgen.core import Structure

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.figures_cells import plot_cell
from vacancy_flows.analysis.figures_charge import plot_charge
from vacancy_flows.analysis.figures_maps import plot_temperature_pressure
from vacancy_flows.analysis.figures_sites import plot_sites_along_b
from vacancy_flows.analysis.report import ReportFigure
from vacancy_flows.boundary_sites import sets_along_b
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.derived import Stored
from vacancy_flows.schemas import Record
from vacancy_flows.tables import with_reference

MAX_CELLS = 24
"""Pictures of cells that a report draws at most: the easiest vacancies."""


def write_maps(
    database: ResultsDatabase,
    table: pd.DataFrame,
    reference: OxygenReference,
    directory: Path,
    suffix: str = "",
) -> list[ReportFigure]:
    """Draw E_f over T and p for the easiest unstrained vacancy of each engine and host.

    Parameters
    ----------
    database
        That the table came from.
    table
        Vacancies with E_f.
    reference
        That the table was made with.
    directory
        That exists.
    suffix
        Of the file names, where there are several tables.

    Returns
    -------
    list of ReportFigure
        None with a user's own mu_O, whose T and p are labels.
    """
    if reference.scheme == "user":
        return []
    cold = replace(reference, temperature=0.0)
    rows = _unstrained(with_reference(database, table, cold))
    written: list[ReportFigure] = []
    for (engine, host), part in rows.groupby(["engine", "host"], sort=False):
        row = part.iloc[0]
        label = f"{host} {row['site']}, unstrained"
        paths = plot_temperature_pressure(
            float(row["formation_energy_eV"]),
            directory / f"temperature_pressure{suffix}_{engine}_{host}",
            cold,
            label=label,
            engine=str(row["engine"]),
            scale=str(row["energy_scale"]),
            n_atoms=int(row["n_atoms"]),
        )
        written += _figures(paths, f"E_f of {label}, over temperature and O2 pressure ({engine}).")
    return written


def write_site_figures(
    table: pd.DataFrame,
    stored: Stored,
    reference: OxygenReference,
    directory: Path,
    suffix: str = "",
) -> list[ReportFigure]:
    """Draw E_f against the net charge, and along b of each boundary with the bulk beside it.

    Parameters
    ----------
    table
        Vacancies with E_f.
    stored
        Of the table.
    reference
        That the table was made with.
    directory
        That exists.
    suffix
        Of the file names, where there are several tables.
    """
    written: list[ReportFigure] = []
    sites = table.join(_site_columns(table, stored))
    for engine, part in sites.groupby("engine", sort=False):
        name = f"{suffix}_{engine}"
        if part["net_charge"].notna().any():
            paths = plot_charge(part, directory / f"net_charge{name}", reference)
            written += _figures(paths, f"E_f against the net charge of the O removed ({engine}).")
        for host, rows in _by_boundary(part):
            for (mode, strain), drawn in rows.groupby(["strain_mode", "strain"], sort=False):
                end = "" if mode == "none" else f"_{mode}_{strain:+g}"
                stem = directory / f"sites_b{name}_{host}{end}"
                paths = plot_sites_along_b(drawn, stem, reference)
                charge = " and net charge" if drawn["net_charge"].notna().any() else ""
                caption = f"E_f{charge} of each site along b at the boundary of {host}"
                written += _figures(paths, f"{caption}, bulk beside it ({engine}{end}).")
    return written


def write_cells(
    table: pd.DataFrame,
    stored: Stored,
    directory: Path,
) -> list[Path]:
    """Draw the cells of unstrained vacancies, the vacancy marked: at most `MAX_CELLS`.

    Returns
    -------
    list of pathlib.Path
        In ``cells/`` under the directory.
    """
    written: list[Path] = []
    for row in _unstrained(table).head(MAX_CELLS).to_dict("records"):
        record = stored.vacancies.get(row["uid"])
        position = site_position(record, stored.pristine)
        if record is None or position is None:
            continue
        folder = directory / "cells"
        folder.mkdir(exist_ok=True)
        ordering = "" if pd.isna(row["ordering"]) else f"_{row['ordering']}"
        stem = folder / f"{row['engine']}_{row['host']}{ordering}_{row['site']}_{row['uid'][:7]}"
        title = f"{row['host']}  {row['site']}"
        written += plot_cell(record.structure, position, stem, title)
    return written


def site_position(record: Record | None, pristine: Mapping[str, Record]) -> Any:
    """Return the fractional coordinates that the site removed had in its pristine cell.

    Parameters
    ----------
    record
        A vacancy.
    pristine
        Pristine cells by uid.

    Returns
    -------
    numpy.ndarray or None
        Shape (3,); None where the cell or the label is not there.
    """
    partner = pristine.get(str(record.calculation.pristine_uid)) if record else None
    if record is None or partner is None:
        return None
    labels = partner.structure.site_properties.get("label", [])
    site = record.calculation.site
    return partner.structure.frac_coords[labels.index(site)] if site in labels else None


def _by_boundary(sites: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each boundary and of the bulk of its metals, with its first host's name."""
    for (campaign, _), rows in sites.groupby(["campaign", "boundary"], sort=False):
        bulk = (sites["region"] == "bulk") & sites["metals"].isin(rows["metals"])
        beside = bulk & (sites["campaign"] == campaign)
        yield str(rows["host"].iloc[0]), sites[sites.index.isin(rows.index) | beside]


def _site_columns(table: pd.DataFrame, stored: Stored) -> pd.DataFrame:
    """Return what `plot_sites_along_b` asks of each row, its boundary and its metals."""
    sets = sets_along_b(table["uid"], *stored)
    rows = []
    for uid, ordering in zip(table["uid"], table["ordering"], strict=True):
        row = {
            "position_b_A": np.nan,
            "lithiation": "lithiated" if pd.isna(ordering) else "delithiated",
            "region": "bulk",
            "set": sets.get(uid, ""),
            "boundary": None,
            "metals": None,
        }
        record = stored.vacancies.get(uid)
        position = site_position(record, stored.pristine)
        if record is not None and position is not None:
            cell = stored.pristine[str(record.calculation.pristine_uid)].structure
            row["metals"] = _metals(cell)
            if built := cell.properties.get("boundary"):
                row["region"] = "boundary"
                row["boundary"] = json.dumps(built.get("preset", {}), sort_keys=True)
                row["position_b_A"] = float(position[1] % 1.0) * cell.lattice.b
        rows.append(row)
    return pd.DataFrame(rows, index=table.index)


def _metals(cell: Structure) -> str:
    """Name what stays when lithium leaves: the formula without it."""
    return str((cell.composition - {"Li": cell.composition["Li"]}).reduced_formula)


def _unstrained(table: pd.DataFrame) -> pd.DataFrame:
    """Return finished unstrained vacancies, the lowest E_f first."""
    rows = table[table["converged"] & (table["strain_mode"] == "none")]
    return rows.dropna(subset="formation_energy_eV").sort_values("formation_energy_eV")


def _figures(paths: Iterable[Path], caption: str) -> list[ReportFigure]:
    """Return the SVG of a figure, with its caption."""
    return [ReportFigure(path, caption) for path in paths if path.suffix == ".svg"]
