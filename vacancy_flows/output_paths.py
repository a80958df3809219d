"""Where results go: checked before anything is computed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from vacancy_flows.errors import InputError


def check_path(path: str | Path, option: str) -> None:
    """Refuse a path that is empty or that no text file can hold.

    Parameters
    ----------
    path
        As the user typed it.
    option
        Of the command line, for the message.

    Raises
    ------
    InputError
        Where it cannot be used.
    """
    if not str(path):
        raise InputError("is empty: name a path (`.` is the current folder)", key=option)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="backslashreplace").decode()
        problem = "is not UTF-8, and reports could not name it: use another name"
        raise InputError(problem, file=shown, key=option) from None


def make_directory(
    directory: Path, option: str, files: Iterable[str] = (), folders: Iterable[str] = ()
) -> None:
    """Make a directory for results, and see that they can be written there.

    Parameters
    ----------
    directory
        As the user named it.
    option
        Of the command line, for the message.
    files, folders
        What will be written, relative to ``directory``.

    Raises
    ------
    InputError
        Where it cannot be made or written to, or something else has one of the names.
    """
    check_path(directory, option)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError("is a file, not a directory", file=directory, key=option) from None
    except OSError as error:
        problem = f"cannot be made ({error.strerror}): name another folder"
        raise InputError(problem, file=directory, key=option) from None
    _check_writable(directory, option)
    for path in (directory / name for name in files):
        if os.path.lexists(path) and not path.is_file():
            problem = "is in the way of a file of this name: move it away"
            raise InputError(problem, file=path, key=option)
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            problem = "may not be written to: make it writable, or name another folder"
            raise InputError(problem, file=path, key=option)
    for path in (directory / name for name in folders):
        if os.path.lexists(path) and not path.is_dir():
            problem = "is in the way of a folder of this name: move it away"
            raise InputError(problem, file=path, key=option)
        if path.exists():
            _check_writable(path, option)


def _check_writable(directory: Path, option: str) -> None:
    """Make a file and remove it: permissions alone do not tell (/proc, quotas)."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".vacancy-flows-", dir=directory):
            pass
    except OSError as error:
        problem = f"no file can be made in it ({error.strerror}): name another folder"
        raise InputError(problem, file=directory, key=option) from None
