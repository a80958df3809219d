"""Where results go: checked before anything is computed."""

from __future__ import annotations

from pathlib import Path

from vacancy_flows.errors import InputError


def make_directory(directory: Path, option: str) -> None:
    """Make a directory for results.

    Parameters
    ----------
    directory
        As the user named it.
    option
        Of the command line, for the message.

    Raises
    ------
    InputError
        Where it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError("is a file, not a directory", file=directory, key=option) from None
    except OSError as error:
        problem = f"cannot be made ({error.strerror})"
        raise InputError(problem, file=directory, key=option) from None
