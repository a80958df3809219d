"""The results database: one row per calculation, raw numbers only.

An ASE database, a SQLite file or a PostgreSQL server. E_f is derived on reading, so another
oxygen reference never needs another calculation and no row can go stale.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ase.db
import pandas as pd
from ase.db.row import AtomsRow

from vacancy_flows.analysis import CALCULATION_COLUMNS
from vacancy_flows.bulk import Term, add_indices, pushable, read_pairs, read_uids, stored_uids
from vacancy_flows.errors import InputError
from vacancy_flows.location import connect_server, is_url, shown
from vacancy_flows.rows import from_row, to_row
from vacancy_flows.schemas import Record
from vacancy_flows.uses import SEPARATOR, Use, pairs_of, uses_of, with_use

_SQLITE_HEAD = b"SQLite format 3\0"
# stored name -> column of the analysis
_COLUMNS = {
    "cell_formula": "formula",
    "ordering_energy": "ordering_energy_eV",
    "max_force": "max_force_eV_A",
    "is_converged": "converged",
}
# Columns of a table of vacancies that are stored under the same name with the same meaning;
# `converged` and `reason` of a vacancy also depend on its partners.
_STORED = {
    **{name: name for name in ("uid", "kind", "host", "engine", "energy_scale", "strain_mode")},
    **{name: name for name in ("strain", "site", "wyckoff", "multiplicity", "coordination")},
    **{name: name for name in ("n_atoms", "ordering", "removed_element", "net_charge")},
    **{column: key for key, column in _COLUMNS.items() if column != "converged"},
}
NUMERIC_COLUMNS = (
    "strain",
    "multiplicity",
    "coordination",
    "n_atoms",
    "ordering",
    "ordering_energy_eV",
    "energy_eV",
    "max_force_eV_A",
    "net_charge",
)
"""Columns of `ResultsDatabase.table` that hold numbers."""
PARTNERS = ("pristine_uid", "o2_uid", "li_uid", "li2o_uid")
"""Columns of a vacancy that name other calculations."""


class ResultsDatabase:
    """Records in, records and tables out.

    Readers need no lock; whoever writes holds a `vacancy_flows.lock.WriterLock`.

    Parameters
    ----------
    location
        ``results.db``, made on the first write, or ``postgresql://...``.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = shown(location)
        self.path = None if is_url(location) else Path(location)
        if self.path is None:
            self._db = connect_server(str(location))
        else:
            # ASE's own lock file would outlive a killed process and make the next one wait.
            self._db = ase.db.connect(self.path, type="db", use_lock_file=False)

    @classmethod
    def open(cls, location: str | Path) -> ResultsDatabase:
        """Open a database that exists.

        Raises
        ------
        InputError
            Where there is none, or it is something else.
        """
        if is_url(location):
            return cls(location)
        path = Path(location)
        if not path.is_file():
            raise InputError("no such results database: `vacancy-flows run` makes one", file=path)
        try:
            _check_tables(path)
            database = cls(path)
            _check_rows(database, path)
        except (sqlite3.DatabaseError, OSError) as error:
            problem = f"is not a results database ({error}): name one that `run` made"
            raise InputError(problem, file=path) from None
        return database

    @property
    def exists(self) -> bool:
        """Whether there is anything to read."""
        return self.path is None or (self.path.is_file() and self.path.stat().st_size > 0)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._db.count()) if self.exists else 0

    def uids(self) -> set[str]:
        """Return the uids of all rows."""
        return stored_uids(self._db) if self.exists else set()

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
        records = list(records)
        known = stored_uids(self._db, [r.uid for r in records]) if self.exists else set()
        fresh = {r.uid: r for r in records if r.uid not in known}
        with self._db:
            for record in fresh.values():
                row, pairs, data = to_row(record)
                self._db.write(row, data=data, **pairs)
        add_indices(self._db)
        self.use(r for r in records if r.uid in known)
        return len(fresh)

    def use(self, records: Iterable[Record]) -> None:
        """Say that a campaign uses records that are stored, as which host and ordering."""
        with self._db:
            for record in records:
                row = self._row(record.uid)
                if row is not None:
                    self._use(row, record)

    def set_uses(self, uses: Mapping[str, list[Use]]) -> None:
        """Say who uses rows, by uid, instead of what was known."""
        with self._db:
            for uid, found in uses.items():
                row = self._row(uid)
                if row is not None:
                    self._update(row, pairs_of(found))

    def remove(self, uid: str) -> list[Use]:
        """Take a row out and return who used it."""
        row = self._row(uid)
        if row is None:
            return []
        self._db.delete([row.id])
        return uses_of(row.key_value_pairs)

    def replace(self, record: Record) -> None:
        """Store a record in the place of an earlier one of its uid, which was used alike."""
        uses = self.remove(record.uid)
        self.add([record])
        if uses:
            self.set_uses({record.uid: uses})

    def supersede(self, campaign: str, uids: Collection[str] | None = None) -> set[str]:
        """Take a campaign's name off rows, all or some: its settings have changed.

        Rows that no other campaign uses stay, marked ``superseded``, until `use` says that
        they belong to a campaign again.

        Returns
        -------
        set of str
            uids of the rows that had its name.
        """
        found = [
            pairs
            for pairs in (read_pairs(self._db) if self.exists else ())
            if campaign in str(pairs.get("campaign", "")).split(SEPARATOR)
            and (uids is None or pairs["uid"] in uids)
        ]
        with self._db:
            for pairs in found:
                row = self._row(pairs["uid"])
                kept = [use for use in uses_of(pairs) if use.campaign != campaign]
                self._update(row, pairs_of(kept))
        return {pairs["uid"] for pairs in found}

    def records(self) -> Iterator[Record]:
        """Yield every record."""
        for row in self._rows(data=True):
            yield from_row(row)

    @property
    def superseded(self) -> int:
        """Number of vacancies of earlier settings, which no campaign uses any more."""
        terms: list[Term] = [("kind", "=", "vacancy"), ("superseded", "=", True)]
        return sum(1 for _ in read_pairs(self._db, terms)) if self.exists else 0

    @property
    def campaigns(self) -> dict[str, Any]:
        """What campaigns wrote here, by name: their oxygen reference and file."""
        if not self.exists:
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
            Columns of `CALCULATION_COLUMNS`, then ``campaign``, ``parent_uid`` and ``uses``
            (lists of `Use`, empty where superseded).
        """
        if not self.exists:
            return _frame([])
        return _frame(list(read_pairs(self._db) if uids is None else read_uids(self._db, uids)))

    def vacancies(self, conditions: Sequence[Term] = ()) -> pd.DataFrame:
        """Return vacancies and the pristine cells and references that they name.

        Parameters
        ----------
        conditions
            (column, operator, value) as a user wrote them; those a statement can ask for
            (see `askable`) narrow what is read, the others are the caller's.
        """
        if not self.exists:
            return _frame([])
        terms = [(_STORED[c], op, value) for c, op, value in conditions if askable(c, op, value)]
        rows = list(read_pairs(self._db, [("kind", "=", "vacancy"), *terms]))
        partners = {row[name] for row in rows for name in PARTNERS if row.get(name)}
        return _frame([*rows, *read_uids(self._db, sorted(partners))])

    def _rows(self, *, data: bool = False) -> Iterator[AtomsRow]:
        if self.exists:
            yield from self._db.select(include_data=data)

    def _row(self, uid: str) -> AtomsRow | None:
        if not self.exists:
            return None
        return next(iter(self._db.select(unique_id=uid, limit=1)), None)

    def _use(self, row: AtomsRow, record: Record) -> None:
        calculation = record.calculation
        pairs = row.key_value_pairs
        wanted = pairs_of(with_use(uses_of(pairs), Use.of(calculation)))
        for kind, uid in calculation.reference_uids.items():
            if pairs.get(f"{kind.lower()}_uid") is None:
                wanted[f"{kind.lower()}_uid"] = uid
        self._update(row, wanted)

    def _update(self, row: AtomsRow, wanted: dict[str, Any]) -> None:
        """Write what differs; a key goes where its value is None."""
        pairs = row.key_value_pairs
        changed = {k: v for k, v in wanted.items() if v is not None and pairs.get(k) != v}
        gone = [key for key, value in wanted.items() if value is None and key in pairs]
        if changed or gone:
            self._db.update(row.id, delete_keys=gone, **changed)


def askable(column: str, op: str, value: str | float | bool) -> bool:
    """Tell whether the database itself can answer a condition on a vacancy's column."""
    return column in _STORED and column != "kind" and op != "exists" and pushable(op, value)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = (*CALCULATION_COLUMNS, "campaign", "parent_uid", "units", "uses")
    rows = [{**row, "uses": uses_of(row)} for row in rows]
    df = pd.DataFrame(rows).rename(columns=_COLUMNS).reindex(columns=list(names))
    units = pd.to_numeric(df.pop("units")).fillna(1)
    for name in NUMERIC_COLUMNS:
        df[name] = pd.to_numeric(df[name])
    df["energy_eV"] = df["energy_eV"] / units  # references per unit
    df["converged"] = df["converged"].astype(bool)
    return df


def _check_tables(path: Path) -> None:
    """Refuse another program's file, to which ASE would add its own tables."""
    with path.open("rb") as file:
        head = file.read(len(_SQLITE_HEAD))
    if head and head != _SQLITE_HEAD:  # SQLite takes a file of a few bytes for an empty one
        raise sqlite3.DatabaseError("file is not a database")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {name for (name,) in found}
    finally:
        connection.close()
    if names and "systems" not in names:  # none: a run was killed before its first row
        raise InputError("is not a results database: it holds other tables", file=path)


def _check_rows(database: ResultsDatabase, path: Path) -> None:
    """Refuse an ASE database that another program filled."""
    if len(database) and "uid" not in next(read_pairs(database._db, page=1)):  # noqa: SLF001
        raise InputError(
            "is an ASE database, but its rows are not of vacancy-flows: name a results.db",
            file=path,
        )
