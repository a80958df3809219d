"""One writer at a time, and no lock that outlives its owner."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from vacancy_flows.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class WriterLock:
    """Exclusive right to write a results database.

    The kernel holds the lock (``flock``) and lets go of it when the process ends, by
    ``kill -9`` too, so nothing stale is left to wait for. The file names host and pid of
    the owner, for the message.

    Parameters
    ----------
    database
        The file to be written; the lock stands beside it as ``<name>.writer``.

    Raises
    ------
    InputError
        On entering, where another process writes, or its file cannot be opened.
    """

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".writer")
        self._file: int | None = None

    def __enter__(self) -> Self:
        """Take the lock or refuse at once."""
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            problem = f"cannot be opened ({error.strerror}): remove it, or choose another folder"
            raise InputError(problem, file=self.path) from None
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = self.path.read_text(encoding="utf-8", errors="replace").strip()
            os.close(self._file)
            self._file = None
            raise InputError(
                f"is being written by {owner or 'another process'}: wait for it or stop it",
                file=self.path.with_suffix(""),
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"pid {os.getpid()} on {socket.gethostname()}\n".encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go; the file stays, empty of an owner."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None
