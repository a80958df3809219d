"""Tables of E_f read from a results database, for the reference each row asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vacancy_flows.analysis import (
    CALCULATION_COLUMNS,
    OxygenReference,
    ReferenceMismatch,
    formation_table,
)
from vacancy_flows.bulk import Term
from vacancy_flows.database import PARTNERS, ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.rows import CAMPAIGN_SEPARATOR

Tables = list[tuple[OxygenReference, pd.DataFrame]]
"""Tables of vacancies, each with the oxygen reference it was made with."""


def vacancy_tables(
    database: ResultsDatabase,
    reference: OxygenReference | None = None,
    conditions: Sequence[Term] = (),
) -> Tables:
    """Return the vacancies of a database with E_f, one table per oxygen reference.

    Parameters
    ----------
    database
        To read.
    reference
        For all rows; where None each row takes that of the campaign it was made for.
    conditions
        (column, operator, value); those the database can answer narrow what is read.

    Returns
    -------
    list of (OxygenReference, pandas.DataFrame)
        The contract's columns and ``campaign``.

    Raises
    ------
    InputError
        Where the reference does not fit the energy scale (the guard of the references).
    """
    calculations = database.vacancies(conditions)
    if reference is not None:
        return [(reference, _table(calculations, reference))]
    wanted = _references(database.campaigns)
    is_vacancy = calculations["kind"] == "vacancy"
    first = calculations["campaign"].astype(str).str.split(CAMPAIGN_SEPARATOR).str[0]
    chosen = first.map(lambda name: wanted.get(name, OxygenReference()))
    tables = []
    for choice in dict.fromkeys(chosen[is_vacancy]):
        part = calculations[~is_vacancy | (chosen == choice)]
        tables.append((choice, _table(part, choice)))
    empty = OxygenReference()
    return tables or [(empty, _table(calculations, empty))]


def table_of(
    database: ResultsDatabase, uids: Iterable[str], reference: OxygenReference
) -> pd.DataFrame:
    """Return some vacancies with E_f for another reference, in the order of ``uids``.

    Parameters
    ----------
    database
        To read.
    uids
        Of the vacancies.
    reference
        For all of them.
    """
    wanted = list(uids)
    vacancies = database.table(wanted)
    partners = {uid for name in PARTNERS for uid in vacancies[name].dropna() if uid not in wanted}
    table = _table(pd.concat([vacancies, database.table(partners)]), reference)
    return table.set_index("uid", drop=False).loc[wanted].reset_index(drop=True)


def calculations_table(database: ResultsDatabase) -> pd.DataFrame:
    """Return every calculation as it is stored, references per unit."""
    return database.table()[[*CALCULATION_COLUMNS, "campaign"]]


def campaign_table(
    database: ResultsDatabase,
    hosts: dict[str, str],
    reference: OxygenReference,
    order: Sequence[str],
) -> pd.DataFrame:
    """Return the vacancies of one campaign under its own host names.

    Parameters
    ----------
    database
        To read.
    hosts
        Host by uid, of all calculations of the campaign.
    reference
        Of the campaign.
    order
        Names of the hosts, as in the campaign file.
    """
    calculations = database.table()
    mine = calculations["uid"].isin(list(hosts))
    calculations = calculations[mine | (calculations["kind"] == "reference")].copy()
    own = calculations["uid"].map(hosts)
    calculations["host"] = own.where(own.notna(), calculations["host"])
    table = _table(calculations, reference)
    return _sorted(table, order)


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


def _table(calculations: pd.DataFrame, reference: OxygenReference) -> pd.DataFrame:
    try:
        table = formation_table(calculations, reference)
    except ReferenceMismatch as error:
        raise InputError(str(error), key="oxygen_reference") from None
    campaigns = calculations.set_index("uid")["campaign"]
    table["campaign"] = table["uid"].map(campaigns)
    return table


def _references(campaigns: dict[str, Any]) -> dict[str, OxygenReference]:
    return {
        name: OxygenReference(**description["oxygen_reference"])
        for name, description in campaigns.items()
    }
