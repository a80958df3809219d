"""The report: one HTML file with summary, table, figures, 3D view, provenance and caveats.

It needs no network and no library, runs from a file, and everything that comes from a user is
escaped; a content security policy lets no script run but its own.
"""

import base64
import hashlib
import html
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pymatgen.core import Structure

from vacancy_flows.analysis.formation import require_reference
from vacancy_flows.analysis.oxygen import OxygenReference
from vacancy_flows.analysis.report_citations import citations, citations_html
from vacancy_flows.analysis.report_parts import (
    Provenance,
    caveats_html,
    cells_json,
    energies_note,
    figure_html,
    lead,
    provenance_html,
    summary_html,
)
from vacancy_flows.analysis.report_table import headings_html, rows_html, shown_columns

__all__ = ["ReportCell", "ReportFigure", "ReportSection", "write_report"]

_ASSETS = files("vacancy_flows.analysis").joinpath("report_assets")
_SCRIPTS = ("page.js", "table.js", "crystal.js", "paint.js", "viewer.js")


@dataclass(frozen=True)
class ReportFigure:
    """A figure from a file, embedded in the report.

    Parameters
    ----------
    path : pathlib.Path
        SVG, PNG or JPEG.
    caption : str
        What it shows, in a sentence; also read out to who cannot see it.
    """

    path: Path
    caption: str


@dataclass(frozen=True)
class ReportSection:
    """Vacancies on one oxygen reference.

    Parameters
    ----------
    title : str
        Such as the campaign's name. With several sections it is a column of the table.
    table : pandas.DataFrame
        From `vacancy_flows.analysis.formation_table`; a column `campaign` is shown as well.
    reference : OxygenReference
        The reference the table was made with.
    figures : Sequence[ReportFigure]
        Shown after E_f against strain, which the report draws itself.
    cites : Sequence[str]
        Keys of `vacancy_flows.analysis.report_citations.CITATIONS` that figures or texts rest on,
        beyond what engine, scale, reference and codes ask for.
    """

    title: str
    table: pd.DataFrame
    reference: OxygenReference
    figures: Sequence[ReportFigure] = ()
    cites: Sequence[str] = ()


@dataclass(frozen=True)
class ReportCell:
    """A vacancy's cell for the 3D view.

    Parameters
    ----------
    lattice : array_like, shape (3, 3)
        Rows a, b, c in Å.
    species : Sequence[str]
        Element of each atom.
    frac_coords : array_like, shape (n, 3)
        Fractional coordinates; wrapped into the cell when drawn.
    vacancy : array_like, shape (3,), optional
        Fractional coordinates of the vacant site; None where not known (no ring then).
    """

    lattice: ArrayLike
    species: Sequence[str]
    frac_coords: ArrayLike
    vacancy: ArrayLike | None = None

    def __post_init__(self) -> None:
        shapes = np.shape(self.lattice), np.shape(self.frac_coords)
        if shapes != ((3, 3), (len(self.species), 3)):
            raise ValueError(
                f"a cell needs a 3x3 lattice and {len(self.species)} x 3 coordinates, one per "
                f"species; these are {shapes[0]} and {shapes[1]}"
            )

    @classmethod
    def from_structure(cls, structure: Structure, vacancy: ArrayLike | None = None) -> Self:
        """Take what is drawn from a structure.

        Parameters
        ----------
        structure : pymatgen.core.Structure
            Ordered cell with the vacancy in it.
        vacancy : array_like, shape (3,), optional
            Fractional coordinates of the vacant site, such as those of the site removed in the
            relaxed pristine cell.
        """
        species = [site.specie.symbol for site in structure]
        return cls(structure.lattice.matrix, species, structure.frac_coords, vacancy)


def write_report(
    path: Path,
    *,
    title: str,
    sections: Sequence[ReportSection],
    cells: Mapping[str, ReportCell],
    provenance: Mapping[str, Provenance],
) -> Path:
    """Write the report as one self-contained HTML file.

    Parameters
    ----------
    path : pathlib.Path
        File to write, replaced in one step; its folder must exist.
    title : str
        Title of the page.
    sections : Sequence[ReportSection]
        One per oxygen reference.
    cells : Mapping[str, ReportCell]
        Cell by uid, for as many rows as have one.
    provenance : Mapping[str, str | Sequence[str] | Mapping[str, str]]
        What to state beyond the numbers, under headings of the caller's choice: campaigns,
        dates, fingerprints. Under "Versions", the names (such as "pymatgen" or "gpaw") decide
        which codes are cited.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ValueError
        If a table was made with another reference than its section's, a citation is unknown, or
        a figure is of an unknown format.
    """
    for section in sections:
        require_reference(section.table, section.reference)
    page = _page(title, sections, cells, provenance)
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    return part.replace(path)


def _page(
    title: str,
    sections: Sequence[ReportSection],
    cells: Mapping[str, ReportCell],
    provenance: Mapping[str, Provenance],
) -> str:
    table = _joined(sections)
    columns = shown_columns(table)
    script = "".join(_asset(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    known = {uid: cells[uid] for uid in dict.fromkeys(table["uid"]) if uid in cells}
    parts = [(s.title, s.table, s.reference) for s in sections]
    cited = citations([part[1:] for part in parts], provenance, _cites(sections))
    return Template(_asset("report.html")).substitute(
        script_hash=f"sha256-{digest}",
        title=html.escape(title),
        style=_asset("report.css"),
        lead=lead(table, [section.title for section in sections]),
        summary=summary_html(parts),
        figures="".join(_figures(section) for section in sections) or "<p>No figure.</p>",
        energies=energies_note(parts),
        n_rows=len(table),
        headings=headings_html(columns),
        rows=rows_html(table, columns, set(known)),
        caveats=caveats_html(table),
        provenance=provenance_html(provenance),
        references=citations_html(cited),
        cells=cells_json(known),
        script=script,
    )


def _joined(sections: Sequence[ReportSection]) -> pd.DataFrame:
    """Put the tables under each other, their section as a column."""
    tables = [section.table.assign(section=section.title) for section in sections]
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled or tables or [pd.DataFrame(columns=["uid"])], ignore_index=True)


def _cites(sections: Sequence[ReportSection]) -> list[str]:
    return [key for section in sections for key in section.cites]


def _figures(section: ReportSection) -> str:
    """Draw E_f against strain for each engine and scale, then embed the section's own figures."""
    from vacancy_flows.analysis.plots import plot_strain

    shown = []
    with tempfile.TemporaryDirectory() as folder:
        groups = section.table.groupby(["engine", "energy_scale"], sort=False)
        for number, ((engine, scale), rows) in enumerate(groups):
            stem = Path(folder) / f"strain{number}"
            drawn = plot_strain(rows.reset_index(drop=True), stem, section.reference)
            against = " against strain" if rows["strain_mode"].ne("none").any() else ""
            caption = (
                f"{section.title}: formation energy of neutral oxygen vacancies{against}, "
                f"engine {engine}, energy scale {scale}, oxygen reference "
                f"{section.reference.label(str(scale))}."
            )
            shown += [figure_html(one, caption) for one in drawn if one.suffix == ".svg"]
        shown += [figure_html(figure.path, figure.caption) for figure in section.figures]
    return f'<div class="figures">{"".join(shown)}</div>' if shown else ""


def _asset(name: str) -> str:
    return _ASSETS.joinpath(name).read_text(encoding="utf-8")
