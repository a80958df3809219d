"""Tables of E_f read from a results database, for the reference each row asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vacancy_flows.analysis import (
    CALCULATION_COLUMNS,
    OxygenReference,
    ReferenceMismatch,
    formation_table,
)
from vacancy_flows.database import NUMERIC_COLUMNS, PARTNERS, ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.selection import Condition, parse_selection, select, truth, typed
from vacancy_flows.uses import SEPARATOR, Use

Tables = list[tuple[OxygenReference, pd.DataFrame]]
"""Tables of vacancies, each with the oxygen reference it was made with."""

Adaptation = Callable[[OxygenReference], OxygenReference]
"""What is made of a campaign's own oxygen reference."""
SUPERSEDED = "superseded"
"""What a selection asks for to see rows of earlier settings of a campaign."""
_OF_USE = {
    "host": "host",
    "ordering": "ordering",
    "ordering_energy": "ordering_energy_eV",
}  # what a use says, and its column
_OF_REFERENCE = (
    "mu_o_eV",
    "oxygen_scheme",
    "temperature_K",
    "pressure_bar",
    "formation_energy_eV",
    "converged",
    "reason",
)


def vacancy_tables(
    database: ResultsDatabase,
    reference: OxygenReference | Adaptation | None = None,
    selection: str | list[Condition] = "",
) -> Tables:
    """Return the vacancies of a database with E_f, one table per oxygen reference.

    Parameters
    ----------
    database
        To read.
    reference
        For all rows, or what is made of each campaign's own; where None each row takes that
        of the campaign it was made for.
    selection
        In ASE's syntax, or as `vacancy_flows.selection.parse_selection` returns it.
        ``superseded=True`` asks for rows of earlier settings, which no campaign uses any
        more, instead of all others.

    Returns
    -------
    list of (OxygenReference, pandas.DataFrame)
        The contract's columns and ``campaign``. A row that several campaigns use is one row
        under the names of the first of them that the selection leaves, and names them all.

    Raises
    ------
    InputError
        Where the selection is not understood, or a reference given here does not fit the
        energy scale (the guard of the references). A campaign's own that does not fit leaves
        its rows without E_f and says why, so that the others can be read.
    """
    terms = parse_selection(selection) if isinstance(selection, str) else selection
    old = any(truth(*term) for term in terms if term[0] == SUPERSEDED)
    terms = [term for term in terms if term[0] != SUPERSEDED]
    calculations = database.vacancies(typed(terms, NUMERIC_COLUMNS))
    used = _uses(calculations[calculations["kind"] == "vacancy"], superseded=old)
    campaigns = _references(database.campaigns)
    wanted = {name: _chosen(reference, own) for name, own in campaigns.items()}
    default = _chosen(reference, OxygenReference())
    chosen = [wanted.get(use.campaign, default) for use in used["use"]]
    tables = []
    for choice in dict.fromkeys(chosen):
        part = used[[found == choice for found in chosen]]
        made = _table(calculations, part, choice, refuse=reference is not None)
        table = _once(select(made, terms))
        if not table.empty:
            tables.append((choice, table))
    return tables or [(default, select(_table(calculations, used[:0], default), terms))]


def with_reference(
    database: ResultsDatabase, table: pd.DataFrame, reference: OxygenReference
) -> pd.DataFrame:
    """Return the same vacancies with E_f for another reference.

    Parameters
    ----------
    database
        To read.
    table
        Of `vacancy_tables` or `campaign_table`.
    reference
        For all rows.
    """
    vacancies = database.table(dict.fromkeys(table["uid"]))
    partners = {uid for name in PARTNERS for uid in vacancies[name].dropna()}
    others = database.table(partners - set(vacancies["uid"]))
    found = _formation(pd.concat([vacancies, others]), reference).set_index("uid")
    result = table.copy()
    for name in _OF_REFERENCE:
        result[name] = found[name].reindex(table["uid"]).to_numpy()
    return result


def calculations_table(database: ResultsDatabase, terms: list[Condition]) -> pd.DataFrame:
    """Return calculations of any kind as they are stored, references per unit.

    Parameters
    ----------
    database
        To read.
    terms
        Of a selection; a row is found under the names of each of its uses.
    """
    stored = database.table()
    old = any(truth(*term) for term in terms if term[0] == SUPERSEDED)
    used = _uses(stored, superseded=old)
    table = _named(stored[[*CALCULATION_COLUMNS, "campaign"]], used)
    return _once(select(table, [term for term in terms if term[0] != SUPERSEDED]))


def campaign_table(
    database: ResultsDatabase,
    campaign: str,
    uids: Collection[str],
    reference: OxygenReference,
    order: Sequence[str],
) -> pd.DataFrame:
    """Return the vacancies of one campaign under its own host names.

    Parameters
    ----------
    database
        To read.
    campaign
        Its name.
    uids
        Of its vacancies and pristine cells.
    reference
        Of the campaign.
    order
        Names of the hosts, as in the campaign file.
    """
    calculations = database.table()
    wanted = calculations["uid"].isin(list(uids)) | (calculations["kind"] == "reference")
    calculations = calculations[wanted]
    used = _uses(calculations[calculations["kind"] == "vacancy"])
    mine = [use.campaign == campaign and use.host in order for use in used["use"]]
    return _sorted(_table(calculations, used[np.array(mine, dtype=bool)], reference), order)


def _sorted(table: pd.DataFrame, hosts: Sequence[str]) -> pd.DataFrame:
    """Hosts as in the campaign file, then ordering, strain (unstrained first) and site."""
    keys = pd.DataFrame(
        {
            "host": table["host"].map(hosts.index),
            "ordering": table["ordering"].fillna(0),
            "strained": table["strain_mode"] != "none",
            "mode": table["strain_mode"],
            "strain": table["strain"],
            "site": table["site"],
        }
    )
    order = keys.sort_values(list(keys.columns), kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _uses(calculations: pd.DataFrame, *, superseded: bool = False) -> pd.DataFrame:
    """Return uid and use of every calculation, one row per use."""
    if superseded:
        columns = ["host", "ordering", "ordering_energy_eV"]
        gone = calculations[np.array([not uses for uses in calculations["uses"]], dtype=bool)]
        names = gone[columns].astype(object).where(gone[columns].notna(), None)
        old = [Use("", *row) for row in names.itertuples(index=False)]
        return pd.DataFrame({"uid": gone["uid"], "use": old})
    pairs = zip(calculations["uid"], calculations["uses"], strict=True)
    return pd.DataFrame([(uid, use) for uid, uses in pairs for use in uses], columns=["uid", "use"])


def _chosen(
    reference: OxygenReference | Adaptation | None, own: OxygenReference
) -> OxygenReference:
    if reference is None or isinstance(reference, OxygenReference):
        return reference or own
    return reference(own)


def _table(
    calculations: pd.DataFrame,
    used: pd.DataFrame,
    reference: OxygenReference,
    *,
    refuse: bool = True,
) -> pd.DataFrame:
    """Return a row of E_f for every use, under its names; without E_f where it is refused."""
    wanted = calculations["uid"].isin(used["uid"]) | (calculations["kind"] != "vacancy")
    try:
        found = _formation(calculations[wanted], reference)
    except InputError as error:
        if refuse:
            raise
        found = _refused(calculations[wanted], reference, str(error))
    return _named(found, used)


def _named(found: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Return a row for every use, under its names."""
    table = found.set_index("uid", drop=False).loc[list(used["uid"])].reset_index(drop=True)
    for name, column in _OF_USE.items():
        values = pd.Series([getattr(use, name) for use in used["use"]], dtype=object)
        table[column] = values.astype(table[column].dtype)
    table["campaign"] = [use.campaign for use in used["use"]]
    return table


def _once(table: pd.DataFrame) -> pd.DataFrame:
    """Keep each calculation under the names of its first campaign, and name all of them."""
    groups = table.groupby("uid", sort=False)["campaign"]
    first = table["campaign"] == groups.transform("first")
    names = groups.agg(lambda found: SEPARATOR.join(dict.fromkeys(filter(None, found))))
    kept = table[first].reset_index(drop=True)
    return kept.assign(campaign=kept["uid"].map(names))


def _refused(calculations: pd.DataFrame, reference: OxygenReference, reason: str) -> pd.DataFrame:
    """Return the vacancies without E_f, for a reason."""
    labels = OxygenReference(
        scheme="user", temperature=reference.temperature, pressure=reference.pressure, mu_o=0.0
    )
    found = _formation(calculations, labels)
    nothing = {"mu_o_eV": np.nan, "formation_energy_eV": np.nan, "converged": False}
    return found.assign(oxygen_scheme=reference.scheme, reason=reason, **nothing)


def _formation(calculations: pd.DataFrame, reference: OxygenReference) -> pd.DataFrame:
    try:
        return formation_table(calculations.drop(columns="uses"), reference)
    except ReferenceMismatch as error:
        raise InputError(str(error), key="oxygen_reference") from None


def _references(campaigns: dict[str, Any]) -> dict[str, OxygenReference]:
    return {
        name: OxygenReference(**description["oxygen_reference"])
        for name, description in campaigns.items()
    }
