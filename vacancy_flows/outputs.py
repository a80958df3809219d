"""What a campaign leaves for people: ``vacancies.csv``, figures, a summary."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vacancy_flows.analysis import OxygenReference, summarise


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all.

    Parameters
    ----------
    table
        Any table.
    path
        Replaced in one step, so a reader never sees half a file.
    """
    part = path.with_name(path.name + ".part")
    part.write_text(to_csv(table), encoding="utf-8")
    part.replace(path)


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, energies to 1e-6 eV."""
    return str(table.to_csv(index=False, float_format=_number))


def write_figures(table: pd.DataFrame, directory: Path, reference: OxygenReference) -> list[Path]:
    """Draw E_f against strain as PNG and SVG.

    Parameters
    ----------
    table
        Of one campaign.
    directory
        Made where it does not exist.
    reference
        That the table was made with.

    Returns
    -------
    list of Path
        Files written; none where no row can be drawn.
    """
    from vacancy_flows.analysis.plots import plot_strain

    directory.mkdir(parents=True, exist_ok=True)
    return list(plot_strain(table, directory / "formation_energy_strain", reference))


def remove_figures(directory: Path) -> list[Path]:
    """Remove what `run` drew earlier, which no longer belongs to the table, and return it."""
    found = [*(directory / "figures").glob("formation_energy_*"), directory / "report.html"]
    present = [path for path in found if path.is_file()]
    for path in present:
        path.unlink()
    return present


def summary(table: pd.DataFrame, reference: OxygenReference) -> str:
    """Return the printed summary: engine, scale, reference, sizes, caveats."""
    return summarise(table, reference)


def _number(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    if 0 < abs(number) < 1e-4:
        return f"{number:.6g}"  # concentrations and p values, not energies
    text = f"{number:.6f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
