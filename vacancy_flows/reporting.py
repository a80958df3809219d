"""From a results database to `report.html` and the figures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.plots import plot_strain
from vacancy_flows.analysis.report import ReportCell, ReportFigure, ReportSection, write_report
from vacancy_flows.boundary_tables import boundary_energies, energy_lines, lithiated_hosts
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.derived import derived_tables, records_of
from vacancy_flows.errors import InputError
from vacancy_flows.outputs import write_csv
from vacancy_flows.predictions import Wanted, prediction_figures, write_predictions
from vacancy_flows.report_figures import (
    site_position,
    write_cells,
    write_maps,
    write_site_figures,
)
from vacancy_flows.schemas import Record
from vacancy_flows.tables import Tables
from vacancy_flows.uses import campaigns_in

_CODES = ("chgnet", "torch", "weights", "device", "vasp", "gpaw")  # as engines report them
_PACKAGES = ("vacancy-flows", "pymatgen", "ase", "atomate2", "jobflow", "spglib", "numpy")


def report_tables(
    database: ResultsDatabase, tables: Tables, directory: Path, title: str
) -> list[Path]:
    """Write table, figures and ``report.html`` of some vacancies.

    Parameters
    ----------
    database
        The tables' own, for cells and provenance.
    tables
        One per oxygen reference.
    directory
        Made where it does not exist.
    title
        Of the page.

    Returns
    -------
    list of Path
        Files written.

    Raises
    ------
    InputError
        Where a table mixes engines or energy scales.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    figures: list[list[ReportFigure]] = []
    for number, (reference, table) in enumerate(tables):
        suffix = "" if len(tables) == 1 else f"_{number + 1}"
        paths, drawn = _report_table(database, table, reference, directory, suffix)
        figures.append(drawn)
        written += [*paths, *(part for one in drawn for part in _both(one.path))]
    return [write_page(database, tables, directory, title, figures), *written]


def _report_table(
    database: ResultsDatabase,
    table: pd.DataFrame,
    reference: OxygenReference,
    directory: Path,
    suffix: str,
) -> tuple[list[Path], list[ReportFigure]]:
    """Write the tables and figures of one oxygen reference."""
    written = [directory / f"vacancies{suffix}.csv"]
    write_csv(table, written[0])
    for engine, part in table.groupby("engine", sort=False):
        stem = directory / f"formation_energy_strain{suffix}_{engine}"
        try:
            written += plot_strain(part, stem, reference)
        except ValueError as error:
            raise InputError(str(error), key="selection") from None
    stored = records_of(database, table)
    for name, frame in derived_tables(database, table, reference, stored).items():
        written.append(directory / f"{name}{suffix}.csv")
        write_csv(frame, written[-1])
    written += write_cells(table, stored, directory)
    predicted = write_predictions(
        _wanted(database, table), database, table, directory, reference, suffix=suffix
    )
    written += predicted.paths[:1]
    figures = [
        *prediction_figures(predicted),
        *write_site_figures(table, stored, reference, directory, suffix),
        *write_maps(database, table, reference, directory, suffix),
    ]
    return written, figures


def write_page(
    database: ResultsDatabase,
    tables: Tables,
    directory: Path,
    title: str,
    figures: Sequence[Sequence[ReportFigure]] = (),
) -> Path:
    """Write ``report.html``: tables, figures, a 3D view of each cell, provenance.

    Parameters
    ----------
    database, tables, directory, title
        As in `report_tables`.
    figures
        For each table, what is shown after E_f against strain.
    """
    records: dict[str, Record] = {}
    pristine: dict[str, Record] = {}
    for _, table in tables:
        found, partners = records_of(database, table)
        records |= found
        pristine |= partners
    shown = [*figures, *([[]] * (len(tables) - len(figures)))]
    return write_report(
        directory / "report.html",
        title=title,
        sections=[
            ReportSection(_name(table, used), table, used, more)
            for (used, table), more in zip(tables, shown, strict=True)
        ],
        cells={
            uid: ReportCell.from_structure(record.structure, site_position(record, pristine))
            for uid, record in records.items()
        },
        provenance=_provenance(database, records),
    )


def _wanted(database: ResultsDatabase, table: pd.DataFrame) -> Wanted:
    """Return the strains that the campaigns of a table ask to predict."""
    names = campaigns_in(table["campaign"])
    known = database.campaigns
    found: dict[str, list[tuple[str, float]]] = {}
    for name in sorted(names & known.keys()):
        for host, strains in known[name].get("predict", {}).items():
            pairs = [(str(mode), float(value)) for mode, value in strains]
            found[host] = list(dict.fromkeys([*found.get(host, []), *pairs]))
    return found


def _both(path: Path) -> list[Path]:
    """Return a figure's PNG and SVG."""
    return [path.with_suffix(".png"), path]


def _name(table: Any, reference: OxygenReference) -> str:
    names = sorted({str(name) for name in table["campaign"].dropna()})
    return ", ".join(names) or f"scheme {reference.scheme}"


def _provenance(database: ResultsDatabase, records: Mapping[str, Record]) -> dict[str, Any]:
    versions = {name: found for name in _PACKAGES if (found := _version(name))}
    for record in records.values():
        told = record.result.provenance
        versions |= {name: told[name] for name in _CODES if isinstance(told.get(name), str)}
    content: dict[str, Any] = {
        "Versions": versions,
        "Engine settings": sorted({f"{r.engine}: {r.fingerprint}" for r in records.values()}),
        "Campaigns": {name: str(text) for name, text in database.campaigns.items()},
        "Database": database.location,
    }
    if any(record.structure.properties.get("boundary") for record in records.values()):
        hosts = lithiated_hosts(database, {r.calculation.campaign for r in records.values()})
        content["Boundary energies"] = energy_lines(boundary_energies(hosts))
    dates = sorted(record.created for record in records.values())
    if dates:
        content["Dates"] = {"first calculation": dates[0], "last calculation": dates[-1]}
    return content


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
