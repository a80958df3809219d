"""LaunchPad and JobStore of a cluster: found, opened and checked before anything is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from jobflow import SETTINGS, JobStore
from pymongo.errors import ConfigurationError, InvalidName, OperationFailure, PyMongoError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from vacancy_flows.cluster.launchpad import CampaignLaunchPad, secret
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


def open_cluster(file: Path | None = None, *, prepare: bool = True) -> Cluster:
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


def open_jobstore(file: Path, *, prepare: bool = True) -> JobStore:
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
        if prepare:
            store.ensure_index("metadata.uid")
    return store


def read_jobstore(file: Path, wait_ms: int | None = None) -> JobStore:
    """Return the JobStore of a ``jobflow.yaml`` with its passwords from the environment.

    Parameters
    ----------
    file
        To read.
    wait_ms
        How long to wait for a server, instead of what the file says.

    Raises
    ------
    InputError
        Where the file holds none.
    """
    content = _read(file)
    spec = content.get("JOB_STORE")
    if not isinstance(spec, dict) or "docs_store" not in spec:
        raise InputError("names no docs_store: see `vacancy-flows init-cluster`", file=file)
    others = spec.get("additional_stores") or {}
    if not isinstance(others, Mapping):
        raise InputError("must hold keys and values", file=file, key="JOB_STORE.additional_stores")
    stores = [("docs_store", spec["docs_store"]), *others.items()]
    for name, store in stores:
        if not isinstance(store, dict) or "type" not in store:
            raise InputError("has no type", file=file, key=f"JOB_STORE.{name}")
        key = f"JOB_STORE.{name}.password"
        try:
            store["password"] = secret(store.get("password"), key) or ""
        except InputError as error:
            raise error.at(file=file) from None
        if wait_ms is not None and "Mongo" in store["type"] + store["type"].replace(
            "Grid", "Mongo"
        ):
            kwargs = store.get("mongoclient_kwargs") or {}
            store["mongoclient_kwargs"] = {**kwargs, "serverSelectionTimeoutMS": wait_ms}
        if not store["password"]:
            del store["password"]
    try:
        return JobStore.from_dict_spec(spec)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is no JobStore ({error})", file=file, key="JOB_STORE") from None


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
    if LAUNCHPAD_LOC is None:
        raise InputError(
            "no LaunchPad is configured: give its file, or source the env.sh that "
            "`vacancy-flows init-cluster` wrote",
            key="--launchpad",
        )
    return Path(LAUNCHPAD_LOC)


def _open_launchpad(file: Path, *, prepare: bool) -> CampaignLaunchPad:
    content = _read(file)
    if "host" not in content:
        raise InputError("names no host of a MongoDB server", file=file, key="host")
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
    except (TypeError, ValueError, ConfigurationError, InvalidName) as error:
        raise InputError(f"is no LaunchPad ({error})", file=file) from None
    with _told(file, "LaunchPad"):
        launchpad.fw_id_assigner.find_one({})
        if prepare:
            _prepare(launchpad)
    return launchpad


def _prepare(launchpad: CampaignLaunchPad) -> None:
    """Initialise a LaunchPad that was never used; index what is searched for."""
    if launchpad.fw_id_assigner.find_one({}) is None:
        if launchpad.fireworks.find_one({}) is not None:
            raise InputError("has Fireworks, but no counter of their ids: is it a LaunchPad?")
        launchpad.reset("", require_password=False)
    for key in _INDICES:
        launchpad.fireworks.create_index(key)


@contextmanager
def _told(file: Path, what: str) -> Iterator[None]:
    """Say in one message why a server cannot be used."""
    try:
        yield
    except OperationFailure as error:
        if error.code in {13, 18}:
            problem = f"the server of the {what} refuses user or password: check both"
        else:
            problem = f"the server of the {what} refuses ({error.details or error})"
        raise InputError(problem, file=file) from None
    except PyMongoError as error:
        reason = str(error).split(",", maxsplit=1)[0]
        problem = f"the server of the {what} does not answer ({reason}): check host and port"
        raise InputError(problem, file=file) from None
    except InputError as error:
        raise error.at(file=file) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"is no YAML ({' '.join(str(error).split())})", file=file) from None
    if not isinstance(content, Mapping):
        raise InputError("holds no keys and values", file=file)
    return dict(content)
