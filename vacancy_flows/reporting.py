"""From a results database to `report.html` and the figures beside it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.plots import plot_strain
from vacancy_flows.analysis.report import ReportCell, ReportSection, write_report
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.derived import derived_tables, write_maps
from vacancy_flows.errors import InputError
from vacancy_flows.outputs import write_csv
from vacancy_flows.schemas import Record
from vacancy_flows.tables import Tables

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
    for number, (reference, table) in enumerate(tables):
        suffix = "" if len(tables) == 1 else f"_{number + 1}"
        write_csv(table, directory / f"vacancies{suffix}.csv")
        written.append(directory / f"vacancies{suffix}.csv")
        for engine, part in table.groupby("engine", sort=False):
            stem = directory / f"formation_energy_strain{suffix}_{engine}"
            try:
                written += plot_strain(part, stem, reference)
            except ValueError as error:
                raise InputError(str(error), key="selection") from None
        for name, frame in derived_tables(database, table, reference).items():
            write_csv(frame, directory / f"{name}{suffix}.csv")
            written.append(directory / f"{name}{suffix}.csv")
        written += write_maps(database, table, reference, directory, suffix)
    return [write_page(database, tables, directory, title), *written]


def write_page(database: ResultsDatabase, tables: Tables, directory: Path, title: str) -> Path:
    """Write ``report.html``: tables, figures, a 3D view of each cell, provenance.

    Parameters
    ----------
    database, tables, directory, title
        As in `report_tables`.
    """
    records = {
        uid: record
        for _, table in tables
        for uid in table["uid"]
        if (record := database.get(uid)) is not None
    }
    return write_report(
        directory / "report.html",
        title=title,
        sections=[ReportSection(_name(table, used), table, used) for used, table in tables],
        cells={uid: _cell(database, record) for uid, record in records.items()},
        provenance=_provenance(database, records),
    )


def _name(table: Any, reference: OxygenReference) -> str:
    names = sorted({str(name) for name in table["campaign"].dropna()})
    return ", ".join(names) or f"scheme {reference.scheme}"


def _cell(database: ResultsDatabase, record: Record) -> ReportCell:
    """Return the relaxed cell with the place of the site that was removed."""
    pristine = database.get(record.calculation.pristine_uid or "")
    site = record.calculation.site
    labels = pristine.structure.site_properties.get("label", []) if pristine else []
    if pristine is None or site not in labels:
        return ReportCell.from_structure(record.structure, None)
    position = pristine.structure.frac_coords[labels.index(site)]
    return ReportCell.from_structure(record.structure, position)


def _provenance(database: ResultsDatabase, records: Mapping[str, Record]) -> dict[str, Any]:
    versions = {name: found for name in _PACKAGES if (found := _version(name))}
    for record in records.values():
        versions |= {name: str(value) for name, value in record.result.provenance.items()}
    content: dict[str, Any] = {
        "Versions": versions,
        "Engine settings": sorted({f"{r.engine}: {r.fingerprint}" for r in records.values()}),
        "Campaigns": {name: str(text) for name, text in database.campaigns.items()},
        "Database": database.location,
    }
    dates = sorted(record.created for record in records.values())
    if dates:
        content["Dates"] = {"first calculation": dates[0], "last calculation": dates[-1]}
    return content


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
