"""LaunchPad and JobStore of a cluster: found, opened and checked before anything is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from jobflow import SETTINGS, JobStore
from pymongo.errors import (
    ConfigurationError,
    DuplicateKeyError,
    InvalidName,
    OperationFailure,
    PyMongoError,
)

from vacancy_flows.cluster.configuration import read_file, read_jobstore
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.errors import InputError

_WAIT_MS = 5000  # for a server to answer a command; what runs in a queue waits longer
_INDICES = ("spec.uid", "spec.campaign")


class Cluster(NamedTuple):
    """Where a campaign is kept.

    Attributes
    ----------
    launchpad
        What there is to do and what became of it.
    store
        What came out.
    """

    launchpad: CampaignLaunchPad
    store: JobStore


def open_cluster(file: Path | None = None, *, prepare: bool = False) -> Cluster:
    """Open the LaunchPad of a file and the JobStore that goes with it.

    Parameters
    ----------
    file
        ``my_launchpad.yaml``; where None, FireWorks' own. The JobStore is that of
        ``jobflow.yaml`` beside it, or else jobflow's own.
    prepare
        Whether to initialise and index what was never used; else nothing is written.

    Raises
    ------
    InputError
        Where there is none, it does not answer, or user or password are wrong.
    """
    file = launchpad_file(file)
    launchpad = _open_launchpad(file, prepare=prepare)
    beside = file.with_name("jobflow.yaml")
    found = beside if beside.is_file() else Path(SETTINGS.CONFIG_FILE)
    return Cluster(launchpad, open_jobstore(found, prepare=prepare))


def open_jobstore(file: Path, *, prepare: bool = False) -> JobStore:
    """Return the JobStore of a ``jobflow.yaml``, connected and checked.

    Raises
    ------
    InputError
        Where it cannot be used.
    """
    store = read_jobstore(file, wait_ms=_WAIT_MS)
    with _told(file, "JobStore"):
        store.connect()
        store.docs_store.query_one({}, ["uuid"])
        for blobs in store.additional_stores.values():
            blobs.count({blobs.key: ""})  # one may be on another server
        if prepare:
            store.ensure_index("metadata.uid")
    return store


def launchpad_file(file: Path | None = None) -> Path:
    """Return the LaunchPad's file, or what FireWorks itself would take where None.

    Raises
    ------
    InputError
        Where FireWorks knows none.
    """
    from fireworks.fw_config import LAUNCHPAD_LOC

    if file is not None:
        return file
    if not isinstance(LAUNCHPAD_LOC, str):
        raise InputError(
            "no LaunchPad is configured: give its file, or source the env.sh that "
            "`vacancy-flows init-cluster` wrote",
            key="--launchpad",
        )
    return Path(LAUNCHPAD_LOC)


def _open_launchpad(file: Path, *, prepare: bool) -> CampaignLaunchPad:
    content = read_file(file)
    given = content.get("mongoclient_kwargs") or {}
    if not isinstance(given, Mapping):
        raise InputError("must hold keys and values", file=file, key="mongoclient_kwargs")
    kwargs = {**given, "serverSelectionTimeoutMS": _WAIT_MS}
    try:
        launchpad = CampaignLaunchPad.from_dict(
            {**content, "mongoclient_kwargs": kwargs, "strm_lvl": "WARNING"}
        )
    except InputError as error:
        raise error.at(file=file) from None
    except (TypeError, ValueError, ConfigurationError, InvalidName, OSError) as error:
        raise InputError(f"is no LaunchPad ({error})", file=file) from None
    with _told(file, "LaunchPad"):
        launchpad.fw_id_assigner.find_one({})
        if prepare:
            _prepare(launchpad)
    return launchpad


def _prepare(launchpad: CampaignLaunchPad) -> None:
    """Initialise a LaunchPad that was never used; index what is searched for.

    Nothing is deleted, so that others may do the same meanwhile and add what they have.
    """
    used = launchpad.fireworks.find_one({}, {"fw_id": 1})  # before the counter is looked for
    if launchpad.fw_id_assigner.find_one({}) is None:
        if used is not None:
            raise InputError("has Fireworks, but no counter of their ids: is it a LaunchPad?")
        first = {"$setOnInsert": {"next_fw_id": 1, "next_launch_id": 1}}
        with suppress(DuplicateKeyError):  # by another process, just now
            launchpad.fw_id_assigner.update_one({"_id": -1}, first, upsert=True)
    if "fw_id_1" not in launchpad.fireworks.index_information():
        launchpad.tuneup()
    for key in _INDICES:
        launchpad.fireworks.create_index(key)


@contextmanager
def _told(file: Path, what: str) -> Iterator[None]:
    """Say in one message why a server cannot be used."""
    try:
        yield
    except InputError as error:
        raise error.at(file=file) from None
    except OperationFailure as error:
        if error.code in {13, 18}:
            problem = f"the server of the {what} refuses user or password: check both"
        else:
            problem = f"the server of the {what} refuses ({error.details or error})"
        raise InputError(problem, file=file) from None
    except (ConfigurationError, OSError, TypeError, ValueError) as error:
        raise InputError(f"is no {what} that can be connected to ({error})", file=file) from None
    except PyMongoError as error:
        reason = str(error).split(",", maxsplit=1)[0]
        problem = f"the server of the {what} does not answer ({reason}): check host and port"
        raise InputError(problem, file=file) from None
