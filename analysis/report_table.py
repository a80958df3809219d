"""The report's table: which columns, and every row as HTML that JavaScript sorts and filters."""

import html
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import pandas as pd

from vacancy_flows.analysis.report_parts import strain_text


class Column(NamedTuple):
    """A column: name of the contract, heading (HTML), and how values are shown and filtered."""

    name: str
    heading: str
    kind: str = "text"  # or "number"
    digits: int | None = None  # decimals; None: as short as it goes
    filter: str = ""  # "select", "range" or none
    more: bool = False  # shown on demand only
    label: str = ""  # heading without markup, for controls


COLUMNS = (
    Column("section", "Section", filter="select"),
    Column("host", "Host", filter="select"),
    Column("site", "Site", filter="select"),
    Column("strain_mode", "Strain mode", filter="select"),
    Column("strain", "Strain (%)", "number", filter="select"),
    Column(
        "formation_energy_eV",
        "<i>E</i><sub>f</sub> (eV)",
        "number",
        3,
        "range",
        label="E_f (eV)",
    ),
    Column("converged", "Converged", filter="select"),
    Column("ordering", "Li ordering", "number", filter="select"),
    Column("n_atoms", "Atoms", "number"),
    Column("multiplicity", "Multi&shy;plicity", "number", label="Multiplicity"),
    Column("coordination", "Coordi&shy;nation", "number", label="Coordination"),
    Column("engine", "Engine", filter="select"),
    Column("energy_scale", "Energy scale", filter="select"),
    Column("max_force_eV_A", "Max. force (eV/Å)", "number", 4, more=True),
    Column("wyckoff", "Wyckoff", more=True),
    Column("formula", "Formula", more=True),
    Column("removed_element", "Removed", more=True),
    Column("e_vacancy_eV", "<i>E</i>(vacancy) (eV)", "number", 3, more=True),
    Column("e_pristine_eV", "<i>E</i>(pristine) (eV)", "number", 3, more=True),
    Column("mu_o_eV", "<i>μ</i><sub>O</sub> (eV)", "number", 3, more=True),
    Column("oxygen_scheme", "Oxygen scheme", more=True),
    Column("temperature_K", "<i>T</i> (K)", "number", more=True),
    Column("pressure_bar", "<i>p</i> (bar)", "number", more=True),
    Column("ordering_energy_eV", "Ordering energy (eV)", "number", 3, more=True),
    Column("reason", "Why it stopped", more=True),
    Column("campaign", "Campaign", more=True),
    Column("uid", "uid", more=True),
)
"""All columns the report knows, in its order."""

_ONLY_WHERE_DIFFERENT = ("section", "engine", "energy_scale", "oxygen_scheme")


def shown_columns(table: pd.DataFrame) -> list[Column]:
    """Choose columns: those there, without empty ones; constant labels only on demand."""
    chosen = []
    for column in COLUMNS:
        if column.name not in table.columns:
            continue
        values = table[column.name]
        if column.name == "ordering" and values.isna().all():
            continue
        if column.name == "section" and values.nunique() < 2:
            continue
        if column.name in _ONLY_WHERE_DIFFERENT:
            chosen.append(column._replace(more=values.nunique() < 2))
        else:
            chosen.append(column)
    return chosen


def headings_html(columns: Sequence[Column]) -> str:
    """Return the heading cells; each holds the button that sorts."""
    cells = []
    for column in columns:
        label = html.escape(column.label or column.heading)
        cells.append(
            f'<th scope="col" class="{_classes(column)}" data-name="{column.name}" '
            f'data-kind="{column.kind}" data-filter="{column.filter}" data-label="{label}">'
            f'<button type="button">{column.heading}</button></th>'
        )
    return "".join(cells)


def rows_html(table: pd.DataFrame, columns: Sequence[Column], with_cell: Collection[str]) -> str:
    """Return one row per vacancy; numbers keep their full value beside the rounded one.

    Parameters
    ----------
    table : pandas.DataFrame
        All sections under each other.
    columns : Sequence[Column]
        From `shown_columns`.
    with_cell : Collection[str]
        uids whose cell the 3D view can show.
    """
    return "\n".join(_row(record, columns, with_cell) for record in table.to_dict(orient="records"))


def _row(record: dict[Any, Any], columns: Sequence[Column], with_cell: Collection[str]) -> str:
    where = strain_text(record["strain_mode"], record["strain"])
    energy = _number(record["formation_energy_eV"], 3) or "no E_f"
    title = f"{record['host']} · {record['site']} · {where} · {energy}"
    title += " eV" if energy != "no E_f" else ""
    mark = "" if record["converged"] else ' class="bad"'
    cells = "".join(_cell(record, column, with_cell) for column in columns)
    uid = html.escape(str(record["uid"]))
    return f'<tr{mark} data-uid="{uid}" data-title="{html.escape(title)}">{cells}</tr>'


def _cell(record: dict[Any, Any], column: Column, with_cell: Collection[str]) -> str:
    value = record[column.name]
    classes = _classes(column)
    opening = f'<td class="{classes}"' if classes else "<td"
    if column.name == "converged":
        return _converged(opening, record)
    if column.kind == "number":
        if _missing(value):
            return f"{opening}></td>"
        scale = 100 if column.name == "strain" else 1
        shown = _number(scale * value, column.digits)
        return f'{opening} data-v="{value:.10g}">{shown}</td>'
    text = "" if _missing(value) else html.escape(str(value))
    if column.name == "site" and str(record["uid"]) in with_cell:
        text = f'<button type="button" class="pick">{text}</button>'
    return f"{opening}>{text}</td>"


def _converged(opening: str, record: dict[Any, Any]) -> str:
    if record["converged"]:
        return f'{opening} data-t="True">yes</td>'
    reason = "" if _missing(record["reason"]) else html.escape(str(record["reason"]))
    return f'{opening} data-t="False"><b>✗ no</b><small>{reason}</small></td>'


def _classes(column: Column) -> str:
    marks: list[tuple[str, Callable[[Column], bool]]] = [
        ("n", lambda c: c.kind == "number"),
        ("more", lambda c: c.more),
        ("energy", lambda c: c.name == "formation_energy_eV"),
    ]
    return " ".join(name for name, holds in marks if holds(column))


def _number(value: Any, digits: int | None) -> str:
    if _missing(value):
        return ""
    return f"{value:.{digits}f}" if digits is not None else f"{value:.6g}"


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
