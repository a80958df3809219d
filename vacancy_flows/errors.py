"""Errors that are told to a user in one message, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class InputError(ValueError):
    """Something the user wrote cannot be used.

    The command line prints it as one message and exits with status 2.

    Parameters
    ----------
    problem
        What is wrong, and the remedy.
    file
        The file it stands in, if any.
    key
        The key or option it stands under, e.g. ``hosts.0.supercell``.
    """

    def __init__(
        self, problem: str, *, file: str | Path | None = None, key: str | None = None
    ) -> None:
        self.problem, self.file, self.key = problem, file, key
        super().__init__(": ".join(str(part) for part in (file, key, problem) if part))

    def at(self, *, file: str | Path | None = None, key: str | None = None) -> InputError:
        """Return the same error with the place filled in where it was not known."""
        return InputError(self.problem, file=self.file or file, key=self.key or key)


class EngineError(RuntimeError):
    """An engine could not finish a calculation; the message says why."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the known words, the nearest first.

    Parameters
    ----------
    word
        What was typed.
    known
        What would have been understood.

    Returns
    -------
    str
        ``"did you mean 'strain'?"``, or the list of all known words where none is near.
    """
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(words) if words else "none is known"
