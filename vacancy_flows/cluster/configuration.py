"""What stands in the files of a cluster, with its passwords from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from vacancy_flows.cluster.jobstore import PatientJobStore
from vacancy_flows.errors import InputError

_NAMED = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")


def read_file(file: Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file.

    Raises
    ------
    InputError
        Where it cannot be read or holds something else.
    """
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"is no YAML ({' '.join(str(error).split())})", file=file) from None
    if not isinstance(content, Mapping):
        raise InputError("holds no keys and values", file=file)
    return dict(content)


def secret(value: str | None, key: str = "password") -> str | None:
    """Return a password that a file names by its environment variable, as ``$NAME``.

    Parameters
    ----------
    value
        As it stands in the file.
    key
        It stands under, for the message.

    Raises
    ------
    InputError
        Where the variable is not set, or the file holds a password itself.
    """
    if not value:
        return None
    named = _NAMED.fullmatch(value) if isinstance(value, str) else None
    if named is None:
        raise InputError(
            "holds a password: write the name of an environment variable instead, as $NAME", key=key
        )
    name = named[1] or named[2]
    found = os.environ.get(name)
    if not found:
        raise InputError(f"the environment variable {name} is not set: export it", key=key)
    return found


def address(host: Any, key: str = "host") -> Any:
    """Return a host, or a URI with the password that it names: ``mongodb://ada:$NAME@host``.

    Parameters
    ----------
    host
        As it stands in the file.
    key
        It stands under, for the message.

    Raises
    ------
    InputError
        See `secret`.
    """
    if not isinstance(host, str) or "://" not in host:
        return host
    scheme, _, rest = host.partition("://")
    user, at, servers = rest.rpartition("@")
    name, colon, password = user.partition(":")
    if not at or not colon:
        return host
    return f"{scheme}://{name}:{quote_plus(secret(password or ' ', key) or '')}@{servers}"


def read_jobstore(file: Path, wait_ms: int | None = None) -> PatientJobStore:
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
    spec = read_file(file).get("JOB_STORE")
    if not isinstance(spec, dict) or "docs_store" not in spec:
        raise InputError("names no docs_store: see `vacancy-flows init-cluster`", file=file)
    others = spec.get("additional_stores") or {}
    if not isinstance(others, Mapping):
        raise InputError("must hold keys and values", file=file, key="JOB_STORE.additional_stores")
    for name, store in [("docs_store", spec["docs_store"]), *others.items()]:
        key = f"JOB_STORE.{name}"
        if not isinstance(store, dict) or "type" not in store:
            raise InputError("has no type", file=file, key=key)
        try:
            _fill(store, key, wait_ms)
        except InputError as error:
            raise error.at(file=file) from None
    try:
        found: PatientJobStore = PatientJobStore.from_dict_spec(spec)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is no JobStore ({error})", file=file, key="JOB_STORE") from None
    return found


def _fill(store: dict[str, Any], key: str, wait_ms: int | None) -> None:
    """Put passwords in, and how long to wait."""
    for name in {"host", "uri"} & store.keys():
        store[name] = address(store[name], f"{key}.{name}")
    password = secret(store.pop("password", None), f"{key}.password")
    if password:
        store["password"] = password
    if wait_ms is not None and str(store["type"]).startswith(("Mongo", "GridFS")):
        kwargs = store.get("mongoclient_kwargs") or {}
        if not isinstance(kwargs, Mapping):
            raise InputError("must hold keys and values", key=f"{key}.mongoclient_kwargs")
        store["mongoclient_kwargs"] = {**kwargs, "serverSelectionTimeoutMS": wait_ms}
