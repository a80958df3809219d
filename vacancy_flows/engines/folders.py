"""Directories of earlier runs, as FireWorks and atomate2 note them."""

from __future__ import annotations

from pathlib import Path

from atomate2.utils.path import strip_hostname


def local_path(where: str | Path) -> Path:
    """Return a directory that may be noted with its host, as ``host:/path``.

    Parameters
    ----------
    where
        An absolute path may hold colons itself.
    """
    text = str(where)
    return Path(text if text.startswith("/") else strip_hostname(text)).absolute()
