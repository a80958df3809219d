"""What is too large for a document of the JobStore."""

from __future__ import annotations

from jobflow import Flow

_LARGE = "calcs_reversed"  # of a TaskDoc: its ionic steps


def keep_apart(flow: Flow) -> None:
    """Have the large parts of what an engine's jobs return stored in ``data``."""
    for each in flow.jobs:
        if isinstance(each, Flow):
            keep_apart(each)
        elif each.maker is not None:
            each._kwargs["data"] = _LARGE  # noqa: SLF001  # jobflow has no other way in, once made
