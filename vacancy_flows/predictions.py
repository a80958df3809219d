"""E_f of strains that a campaign asks to predict: from unstrained cells and their stresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.curves import UNSTRAINED
from vacancy_flows.analysis.dipole import ElasticDipole
from vacancy_flows.analysis.dipole_prediction import curvature_error, predicted_curve
from vacancy_flows.analysis.report import ReportFigure
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.derived import cell_stress
from vacancy_flows.outputs import write_csv
from vacancy_flows.schemas import Record
from vacancy_flows.structures import conventional_axes

PREDICTION_COLUMNS = (
    "host",
    "ordering",
    "site",
    "strain_mode",
    "strain",
    "predicted_eV",
    "error_eV",
    "formation_energy_unstrained_eV",
    "uid",
    "engine",
    "energy_scale",
    "oxygen_scheme",
    "temperature_K",
    "pressure_bar",
    "mu_o_eV",
    "n_atoms",
)
"""Columns of ``strain_predictions.csv``; ``uid`` is that of the unstrained vacancy."""


class Predicted(NamedTuple):
    """What `write_predictions` left.

    Attributes
    ----------
    paths
        Files written.
    note
        Says what they hold; empty where the campaign predicts nothing.
    """

    paths: list[Path]
    note: str


Wanted = Mapping[str, Sequence[tuple[str, float]]]
"""(mode, strain) to predict, by host."""


def predict_strains(wanted: Wanted, database: ResultsDatabase, table: pd.DataFrame) -> pd.DataFrame:
    """Return E_f at strains that are to be predicted, ``E_f(0) - P:ε``, with its error.

    Parameters
    ----------
    wanted
        See `Campaign.predictions`.
    database
        Which holds the stresses.
    table
        Vacancies with E_f, under the same host names.

    Returns
    -------
    pandas.DataFrame
        `PREDICTION_COLUMNS`. Vacancies that are not converged (references included), without
        E_f, or without the stress of a fixed cell are left out. ``error_eV`` is
        `vacancy_flows.analysis.dipole_prediction.curvature_error`, an estimate to be read as ±.
    """
    usable = table[(table["strain_mode"] == UNSTRAINED) & table["converged"]]
    usable = usable.dropna(subset="formation_energy_eV")
    rows: list[dict[str, Any]] = []
    for vacancy in usable.to_dict("records"):
        strains = wanted.get(vacancy["host"], [])
        record = database.get(vacancy["uid"]) if strains else None
        partner = database.get(record.calculation.pristine_uid or "") if record else None
        if record is None or partner is None or not _has_stress(record, partner):
            continue
        dipole = ElasticDipole.from_cells(cell_stress(record), cell_stress(partner))
        axes = conventional_axes(partner.structure)
        e_f0 = float(vacancy["formation_energy_eV"])
        for mode, strain in strains:
            rows.append(
                {
                    **{name: vacancy[name] for name in PREDICTION_COLUMNS if name in vacancy},
                    "strain_mode": mode,
                    "strain": strain,
                    "predicted_eV": float(predicted_curve(e_f0, dipole, axes, mode, [strain])[0]),
                    "error_eV": float(curvature_error(mode, strain)),
                    "formation_energy_unstrained_eV": e_f0,
                }
            )
    frame = pd.DataFrame(rows, columns=list(PREDICTION_COLUMNS))
    return frame.astype({"ordering": "Int64", "n_atoms": "Int64"})


def write_predictions(
    wanted: Wanted,
    database: ResultsDatabase,
    table: pd.DataFrame,
    directory: Path,
    reference: OxygenReference,
    *,
    suffix: str = "",
) -> Predicted:
    """Write ``strain_predictions.csv`` and its figure, where they are asked for.

    Parameters
    ----------
    wanted, database, table
        As in `predict_strains`.
    directory
        Of the run.
    reference
        That the table was made with.
    suffix
        Of the file names, where there are several tables.
    """
    if not wanted:
        return Predicted([], "")
    from vacancy_flows.analysis.figures_prediction import plot_predictions

    predictions = predict_strains(wanted, database, table)
    path = directory / f"strain_predictions{suffix}.csv"
    write_csv(predictions, path)  # empty rather than that of an earlier run
    figures = directory / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    written = plot_predictions(
        predictions, figures / f"formation_energy_predicted{suffix}", reference
    )
    if predictions.empty:
        for old in figures.glob(f"formation_energy_predicted{suffix}.*"):
            old.unlink()
        note = "nothing could be predicted: no unstrained vacancy is converged, with its stress"
    else:
        note = (
            f"{len(predictions)} values of E_f under strain are predicted from the elastic dipole, "
            f"not calculated: {path}, with error_eV an estimate from Li2MnO3, not a bound; the "
            "table above holds calculated values only"
        )
    return Predicted([path, *written], note)


def prediction_figures(predicted: Predicted) -> list[ReportFigure]:
    """Return the figure of predictions as a report shows it."""
    caption = (
        "E_f under strain, predicted from the elastic dipole of the unstrained vacancy, not "
        "calculated; the band is the estimated error."
    )
    return [ReportFigure(path, caption) for path in predicted.paths if path.suffix == ".svg"]


def _has_stress(*records: Record) -> bool:
    """Tell whether cells were fixed and left a stress."""
    return all(
        record.calculation.cell == "fixed" and record.result.stress is not None
        for record in records
    )
