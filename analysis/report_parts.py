"""Parts of the report as HTML; everything that is not written here is escaped here."""

import base64
import html
import json
import mimetypes
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from vacancy_flows.analysis.caveats import NEUTRAL, SIZE, mlip_caveat
from vacancy_flows.analysis.curves import UNSTRAINED, cell_names, cell_sizes
from vacancy_flows.analysis.oxygen import OxygenReference
from vacancy_flows.analysis.summary import summarise

Provenance = str | Sequence[str] | Mapping[str, str]
"""A text, a list of texts, or texts by name."""

Part = tuple[str, pd.DataFrame, OxygenReference]
"""Title, table and reference of a section."""

ENERGY = "<i>E</i><sub>f</sub>"
_MU = "<i>μ</i><sub>O</sub>"
_IMAGES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}


class Cell(Protocol):
    """What is drawn of a cell; see `vacancy_flows.analysis.report.ReportCell`."""

    @property
    def lattice(self) -> ArrayLike: ...  # noqa: D102
    @property
    def species(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def frac_coords(self) -> ArrayLike: ...  # noqa: D102
    @property
    def vacancy(self) -> ArrayLike | None: ...  # noqa: D102


def lead(table: pd.DataFrame, titles: Sequence[str]) -> str:
    """Say in a line what the report holds."""
    names = ", ".join(html.escape(title) for title in titles)
    if table.empty:
        return "No vacancies."
    hosts = table["host"].nunique()
    plural = "host" if hosts == 1 else "hosts"
    return f"{len(table)} neutral oxygen vacancies in {hosts} {plural} · {names}"


def energies_note(parts: Sequence[Part]) -> str:
    """Say what E_f is and which reference each section of the table uses."""
    formula = f"{ENERGY} = <i>E</i>(vacancy) − <i>E</i>(pristine) + {_MU}, in eV per vacancy."
    texts = []
    for title, table, reference in parts:
        scales = table["energy_scale"].dropna().unique()
        labels = "; ".join(f"{reference.label(str(s))} on {s}" for s in scales)
        name = f"{title}: " if len(parts) > 1 else "Oxygen reference: "
        texts.append(html.escape(f"{name}{labels}.") if labels else "")
    return " ".join([formula, *texts])


def summary_html(parts: Sequence[Part]) -> str:
    """Return tiles, the ranges of E_f and the printed summary of every section."""
    shown = []
    for title, table, reference in parts:
        shown.append(f"<h3>{html.escape(title)}</h3>")
        if table.empty:
            shown.append("<p>No vacancies.</p>")
            continue
        for (engine, scale), rows in table.groupby(["engine", "energy_scale"], sort=False):
            shown.append(_tiles(rows, str(engine), str(scale), reference))
            shown.append(_ranges(rows))
        text = html.escape(summarise(table, reference))
        shown.append(
            f"<details><summary>As text, with every strain</summary><pre>{text}</pre></details>"
        )
    return "\n".join(shown) or "<p>No vacancies.</p>"


def _tiles(rows: pd.DataFrame, engine: str, scale: str, reference: OxygenReference) -> str:
    values = sorted(rows["mu_o_eV"].dropna().round(6).unique())
    mu_o = ", ".join(f"{value:.3f}" for value in values)
    done, bad = int(rows["converged"].sum()), int((~rows["converged"]).sum())
    energies = rows.loc[rows["converged"], "formation_energy_eV"].dropna()
    span = f"{energies.min():.2f} to {energies.max():.2f} eV" if len(energies) else "none"
    missing = int(rows["formation_energy_eV"].isna().sum())
    failed = f"{bad} not converged" + (f", {missing} without E_f" if missing else "")
    label = reference.label(scale)
    sizes = ", ".join(str(n) for n in sorted(rows["n_atoms"].dropna().unique()))
    tiles = [
        ("Engine", engine, f"energy scale {scale}", ""),
        (f"Oxygen reference, {_MU}", f"{mu_o} eV".replace("-", "−") if mu_o else "none", label, ""),
        ("Calculations converged", f"{done} of {len(rows)}", failed, "bad" if bad else ""),
        (f"{ENERGY}, converged rows", span, "per vacancy, neutral", ""),
        ("Atoms per pristine cell", sizes or "not known", cell_sizes(rows), ""),
    ]
    return f'<dl class="tiles">{"".join(_tile(*tile) for tile in tiles)}</dl>'


def _tile(name: str, value: str, note: str, mark: str) -> str:
    return (
        f'<div class="{mark}"><dt>{name}</dt>'
        f"<dd>{html.escape(value)}<small>{html.escape(note)}</small></dd></div>"
    )


def _ranges(rows: pd.DataFrame) -> str:
    """Return the lowest and highest converged E_f of each host, and where."""
    body = []
    for name, group in rows.groupby(cell_names(rows), sort=False):
        good = group[group["converged"] & group["formation_energy_eV"].notna()]
        ends = ['<td class="n">none</td><td></td>'] * 2
        if len(good):
            order = good.sort_values("formation_energy_eV", kind="stable")
            ends = [_end(order.iloc[0]), _end(order.iloc[-1])]
        count = f'<td class="n">{len(good)} of {len(group)}</td>'
        body.append(f'<tr><th scope="row">{html.escape(str(name))}</th>{count}{"".join(ends)}</tr>')
    return (
        '<div class="plain"><table class="data"><thead><tr><th scope="col">Host</th>'
        '<th scope="col" class="n">Converged</th>'
        f'<th scope="col" class="n">Lowest {ENERGY} (eV)</th><th scope="col">at</th>'
        f'<th scope="col" class="n">Highest {ENERGY} (eV)</th><th scope="col">at</th>'
        f"</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _end(row: Any) -> str:
    where = f"{row['site']}, {strain_text(row['strain_mode'], row['strain'])}"
    return f'<td class="n">{row["formation_energy_eV"]:.2f}</td><td>{html.escape(where)}</td>'


def strain_text(mode: Any, strain: Any) -> str:
    """Write a strain as people say it: "biaxial-ab 2 %", "unstrained", "custom"."""
    if mode == UNSTRAINED:
        return "unstrained"
    return str(mode) if pd.isna(strain) else f"{mode} {100 * strain:g} %"


def caveats_html(table: pd.DataFrame) -> str:
    """List what must be said beside these numbers."""
    texts = [NEUTRAL, SIZE]
    if not table.empty:
        texts += [mlip_caveat(str(engine)) for engine in table["engine"].dropna().unique()]
        bad = int((~table["converged"].astype(bool)).sum())
        if bad:
            texts.append(
                f"{bad} of {len(table)} rows are not converged: they are marked, in figures too, "
                "left out of every range, and no result."
            )
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts if text)
    return f'<ul class="caveats">{items}</ul>'


def figure_html(path: Path, caption: str) -> str:
    """Embed an image file; as an image even an SVG can run no script.

    Raises
    ------
    ValueError
        For files that are no SVG, PNG or JPEG.
    """
    kind = _IMAGES.get(path.suffix.lower(), mimetypes.guess_type(path.name)[0])
    if kind not in _IMAGES.values():
        raise ValueError(f"{path}: the report takes SVG, PNG and JPEG figures, no {path.suffix!r}")
    data = base64.b64encode(path.read_bytes()).decode()
    text = html.escape(caption)
    return (
        f'<figure><img src="data:{kind};base64,{data}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def provenance_html(provenance: Mapping[str, Provenance]) -> str:
    """Return headings with texts, lists or names with texts."""
    shown = []
    for heading, content in provenance.items():
        shown.append(f"<h3>{html.escape(heading)}</h3>")
        if isinstance(content, str):
            shown.append(f"<p>{html.escape(content)}</p>")
        elif isinstance(content, Mapping):
            pairs = [
                f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(text))}</dd>"
                for name, text in content.items()
            ]
            shown.append(f'<dl class="facts">{"".join(pairs)}</dl>')
        else:
            items = "".join(f"<li>{html.escape(str(text))}</li>" for text in content)
            shown.append(f"<ul>{items}</ul>")
    return "\n".join(shown) or "<p>Nothing was recorded.</p>"


def cells_json(cells: Mapping[str, Cell]) -> str:
    """Pack cells for the viewer: lattice, runs of elements, coordinates as base64 of uint16.

    Coordinates are kept to 1/65536 of a lattice vector (0.0005 Å in 30 Å) at 8 characters an
    atom, so that 500 cells of 96 atoms take 0.5 MB.
    """
    packed = {uid: _pack(cell) for uid, cell in cells.items()}
    text = json.dumps(packed, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # no text can end the script element


def _pack(cell: Cell) -> list[Any]:
    lattice = np.round(np.asarray(cell.lattice, dtype=float), 4).ravel().tolist()
    runs = [[element, len(list(run))] for element, run in groupby(cell.species)]
    coordinates = np.asarray(cell.frac_coords, dtype=float) % 1.0
    steps = (np.round(coordinates * 65536).astype(np.int64) % 65536).astype("<u2")
    vacancy = None
    if cell.vacancy is not None:
        wrapped = np.round(np.asarray(cell.vacancy, dtype=float) % 1.0, 4) % 1.0
        vacancy = wrapped.tolist()
    return [lattice, runs, base64.b64encode(steps.tobytes()).decode(), vacancy]
