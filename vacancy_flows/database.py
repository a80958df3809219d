"""The results database: one row per calculation, raw numbers only.

An ASE database (SQLite file). E_f is derived on reading, so another oxygen reference never
needs another calculation and no row can go stale.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ase.db
import pandas as pd
from ase.db.row import AtomsRow

from vacancy_flows.analysis import CALCULATION_COLUMNS
from vacancy_flows.errors import InputError
from vacancy_flows.rows import CAMPAIGN_SEPARATOR, from_row, to_row
from vacancy_flows.schemas import Record

# stored name -> column of the analysis
_COLUMNS = {
    "cell_formula": "formula",
    "ordering_energy": "ordering_energy_eV",
    "max_force": "max_force_eV_A",
    "is_converged": "converged",
}


class ResultsDatabase:
    """Records in, records and tables out.

    Readers need no lock; whoever writes holds a `vacancy_flows.lock.WriterLock`.

    Parameters
    ----------
    path
        ``results.db``; made on the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # ASE's own lock file would outlive a killed process and make the next one wait.
        self._db = ase.db.connect(path, type="db", use_lock_file=False)

    @classmethod
    def open(cls, path: str | Path) -> ResultsDatabase:
        """Open a database that exists.

        Raises
        ------
        InputError
            Where there is none, or the file is something else.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError("no such results database: `vacancy-flows run` makes one", file=path)
        try:
            _check_tables(path)
            database = cls(path)
            len(database)
        except (sqlite3.DatabaseError, OSError) as error:
            raise InputError(f"is not a results database ({error})", file=path) from None
        return database

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._db.count())

    def uids(self) -> set[str]:
        """Return the uids of all rows."""
        return {row.uid for row in self._rows()}

    def get(self, uid: str) -> Record | None:
        """Return a record, None where it is not stored."""
        row = self._row(uid)
        return None if row is None else from_row(row)

    def add(self, records: Iterable[Record]) -> int:
        """Store records in one transaction; those already there gain a campaign.

        Parameters
        ----------
        records
            Finished calculations.

        Returns
        -------
        int
            Number of new rows.
        """
        new = 0
        with self._db:
            for record in records:
                row = self._row(record.uid)
                if row is None:
                    fresh, pairs, data = to_row(record)
                    self._db.write(fresh, data=data, **pairs)
                    new += 1
                else:
                    self._use(row, record)
        return new

    def use(self, records: Iterable[Record]) -> None:
        """Say that a campaign uses records that are stored, and as which ordering."""
        with self._db:
            for record in records:
                row = self._row(record.uid)
                if row is not None:
                    self._use(row, record)

    def records(self) -> Iterator[Record]:
        """Yield every record."""
        for row in self._rows(data=True):
            yield from_row(row)

    @property
    def campaigns(self) -> dict[str, Any]:
        """What campaigns wrote here, by name: their oxygen reference and file."""
        if not self.path.exists():
            return {}
        found = self._db.metadata.get("campaigns", {})
        return dict(found)

    def describe_campaign(self, name: str, description: dict[str, Any]) -> None:
        """Keep what is needed to show a campaign's numbers as it asked for them."""
        known = self.campaigns
        if known.get(name) != description:
            metadata = dict(self._db.metadata)
            metadata["campaigns"] = {**known, name: description}
            self._db.metadata = metadata

    def table(self, uids: Iterable[str] | None = None) -> pd.DataFrame:
        """Return calculations as `analysis.formation_table` reads them.

        Parameters
        ----------
        uids
            Only these; all where None.

        Returns
        -------
        pandas.DataFrame
            Columns of `CALCULATION_COLUMNS`, then ``campaign`` and ``parent_uid``.
        """
        wanted = None if uids is None else set(uids)
        rows = [
            {**row.key_value_pairs, "energy_eV": row.energy}
            for row in self._rows()
            if wanted is None or row.uid in wanted
        ]
        names = (*CALCULATION_COLUMNS, "campaign", "parent_uid", "units")
        df = pd.DataFrame(rows).rename(columns=_COLUMNS).reindex(columns=list(names))
        units = pd.to_numeric(df.pop("units")).fillna(1)
        df["energy_eV"] = pd.to_numeric(df["energy_eV"]) / units  # references per unit
        df["converged"] = df["converged"].astype(bool)
        return df

    def _rows(self, *, data: bool = False) -> Iterator[AtomsRow]:
        if self.path.exists():
            yield from self._db.select(include_data=data)

    def _row(self, uid: str) -> AtomsRow | None:
        if not self.path.exists():
            return None
        return next(iter(self._db.select(unique_id=uid, limit=1)), None)

    def _use(self, row: AtomsRow, record: Record) -> None:
        calculation = record.calculation
        names = [name for name in row.get("campaign", "").split(CAMPAIGN_SEPARATOR) if name]
        uses = list(row.data.get("uses", []))
        use = {"campaign": calculation.campaign, "host": calculation.host}
        changed: dict[str, Any] = {}
        if calculation.campaign and calculation.campaign not in names:
            changed["campaign"] = CAMPAIGN_SEPARATOR.join([*names, calculation.campaign])
        for name in ("ordering", "ordering_energy"):
            value = getattr(calculation, name)
            if value is not None and row.get(name) != value:
                changed[name] = value
        for kind, uid in calculation.reference_uids.items():
            if row.get(f"{kind.lower()}_uid") is None:
                changed[f"{kind.lower()}_uid"] = uid
        data = {} if use in uses else {"data": {**row.data, "uses": [*uses, use]}}
        if changed or data:
            self._db.update(row.id, **changed, **data)


def _check_tables(path: Path) -> None:
    """Refuse another program's SQLite file, to which ASE would add its own tables."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {name for (name,) in found}
    finally:
        connection.close()
    if names and "systems" not in names:  # none: a run was killed before its first row
        raise InputError("is not a results database: it holds other tables", file=path)
