"""Where a results database is: a file, or a PostgreSQL server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock

_URL = re.compile(r"postgres(ql)?://")
_LOCK = 0x76616366  # "vacf", the key of the advisory lock


def is_url(location: str | Path) -> bool:
    """Tell a server's URL from the path of a file."""
    return isinstance(location, str) and bool(_URL.match(location))


def shown(location: str | Path) -> str:
    """Return a location that can be printed: without its password.

    Examples
    --------
    >>> shown("postgresql://ada:secret@host/db")
    'postgresql://ada@host/db'
    """
    return re.sub(r"(://[^:/@]+):[^@]*@", r"\1@", str(location))


def connect_server(url: str) -> Any:
    """Return ASE's database on a PostgreSQL server.

    Raises
    ------
    InputError
        Where the packages are missing or the server does not answer.
    """
    try:
        import psycopg2
        from ase_db_backends.postgresql import PostgreSQLDatabase
    except ImportError:
        raise InputError(
            "PostgreSQL needs more packages: pip install 'vacancy-flows[postgres]'",
            file=shown(url),
        ) from None
    database = PostgreSQLDatabase(url)
    try:
        database.count()
    except psycopg2.Error as error:
        raise InputError(
            f"cannot be used ({_first_line(error)}): check address, name and password "
            "(PGPASSWORD or ~/.pgpass)",
            file=shown(url),
        ) from None
    return database


@contextmanager
def writer_lock(location: str | Path) -> Iterator[None]:
    """Hold the exclusive right to write a results database.

    A file has a `WriterLock`, a server an advisory lock, which it drops with the connection.

    Raises
    ------
    InputError
        Where another process writes.
    """
    if not is_url(location):
        with WriterLock(Path(location)):
            yield
        return
    import psycopg2

    connection = psycopg2.connect(str(location))
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        if not cursor.fetchone()[0]:
            raise InputError(
                "is being written by another process: wait for it", file=shown(location)
            )
        yield
    finally:
        connection.close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
