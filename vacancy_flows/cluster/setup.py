"""`init-cluster`: the files of ``fireworks_configs/``, filled in for this account."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from vacancy_flows.cluster.walltime import check_grace, check_queue, seconds
from vacancy_flows.errors import InputError
from vacancy_flows.output_paths import make_directory

_COMMON = ("FW_config.yaml", "my_launchpad.yaml", "jobflow.yaml", "my_fworker.yaml")
_REST = ("my_fworker_small.yaml", "atomate2.yaml", "env.sh")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@/-]*")
_GRACE = 120  # s, as in my_qadapter.yaml
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_URI = re.compile(r"mongodb(\+srv)?://[A-Za-z0-9.,:_\[\]-]+(/[\w-]*)?(\?[\w=&.,:/%+-]*)?")
_PLACE = re.compile(r"<([a-z_]+)>")


@dataclass(frozen=True)
class Account:
    """What is particular to an account on a cluster.

    Attributes
    ----------
    scheduler
        ``slurm`` or ``pbs``.
    partition, account, walltime, nodes, ntasks
        Of a job that runs VASP; ``ntasks`` on each node.
    modules
        To load, in order.
    vasp_command, vasp_gamma_command
        With their launcher.
    mongo_host, mongo_port, database, mongo_user
        The MongoDB server, or a URI of it without user; no password where ``mongo_user`` is empty.
    mongo_authsource
        Database that knows the user; where None, that of the URI, or else ``admin`` with
        ``mongodb+srv`` and ``database`` otherwise.
    mongo_tls, mongo_tls_ca_file
        Whether to encrypt, and who signed the server's certificate, where it is not known.
    password_variable
        Name of the environment variable that holds the password.
    """

    scheduler: str
    partition: str
    walltime: str
    vasp_command: str
    vasp_gamma_command: str
    account: str | None = None
    nodes: int = 1
    ntasks: int = 1
    modules: Sequence[str] = ()
    mongo_host: str = "localhost"
    mongo_port: int = 27017
    database: str = "vacancy_flows"
    mongo_user: str = ""
    mongo_authsource: str | None = None
    mongo_tls: bool = False
    mongo_tls_ca_file: Path | None = None
    password_variable: str = "VACANCY_FLOWS_MONGO_PASSWORD"  # noqa: S105  # its name


def init_cluster(account: Account, directory: Path) -> list[Path]:
    """Write the files and return them; each is readable by its owner alone.

    Parameters
    ----------
    account
        See `Account`.
    directory
        New, or without these files.

    Raises
    ------
    InputError
        Where a value cannot be used; nothing is written.
    """
    _check(account)
    _check_server(account)
    folder = directory.resolve()
    if "\n" in str(folder) or "$" in str(folder):
        raise InputError("shells would not read this path: name another", file=directory)
    texts = dict(_filled(account, folder))
    for name in texts:
        if (folder / name).exists():
            problem = "exists already: edit it, or name another folder"
            raise InputError(problem, file=directory / name, key="--output")
    is_new = not folder.exists()
    make_directory(folder, "--output")
    if is_new:
        folder.chmod(0o700)
    for name, text in texts.items():
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    return [folder / name for name in texts]


def _check(account: Account) -> None:
    _check_word(account.partition, "--partition")
    _check_word(account.account, "--account")
    for module in account.modules:
        _check_word(module, "--module")
    for key, command in (
        ("--vasp-command", account.vasp_command),
        ("--vasp-gamma-command", account.vasp_gamma_command),
    ):
        try:
            empty = not shlex.split(command)
        except ValueError as error:
            raise InputError(f"{command!r} is no command ({error})", key=key) from None
        if empty:
            raise InputError("is empty: name the program, with its launcher", key=key)
    try:
        check_queue(account.scheduler.upper(), account.partition, account.walltime)
        check_grace(account.walltime, _GRACE, account.scheduler.upper())
    except InputError as error:
        raise InputError(
            error.problem, key=f"--{error.key}".replace("queue", "partition")
        ) from None


def _check_word(value: str | None, key: str) -> None:
    if value is not None and not _WORD.fullmatch(value):
        raise InputError(f"{value!r} is no name: letters, digits and . _ + @ / - only", key=key)


def _check_server(account: Account) -> None:
    """Check what leads to MongoDB; what may be a password is not shown."""
    host = account.mongo_host
    if "://" in host:
        if "@" in host:
            problem = "holds a user or a password: give --mongo-user, and export the password"
            raise InputError(f"{problem} as {account.password_variable}", key="--mongo-host")
        if not _URI.fullmatch(host):
            raise InputError(f"{host!r} is no URI of MongoDB", key="--mongo-host")
    else:
        _check_word(host, "--mongo-host")
    _check_word(account.database, "--mongo-database")
    _check_word(account.mongo_user or None, "--mongo-user")
    _check_word(account.mongo_authsource, "--mongo-authsource")
    if "." in account.database:
        raise InputError(f"{account.database!r}: MongoDB takes no . in it", key="--mongo-database")
    if not _VARIABLE.fullmatch(account.password_variable):
        problem = f"{account.password_variable!r} is no name of an environment variable"
        raise InputError(problem, key="--password-variable")
    authority = account.mongo_tls_ca_file
    if authority is not None and not authority.is_file():
        raise InputError("is no file: name the certificate of who signed", file=authority)


def _client(account: Account) -> dict[str, Any]:
    """Return pymongo's own options."""
    authority = account.mongo_tls_ca_file
    found: dict[str, Any] = {"serverSelectionTimeoutMS": 300_000}
    if account.mongo_tls or authority is not None:
        found["tls"] = True
    if authority is not None:
        found["tlsCAFile"] = str(authority.resolve())
    return found


def _authsource(account: Account) -> str | None:
    if not account.mongo_user:
        return None
    if account.mongo_authsource:
        return account.mongo_authsource
    uri = urlsplit(account.mongo_host if "://" in account.mongo_host else "")
    options = {name.lower(): value for name, value in parse_qsl(uri.query)}
    named = options.get("authsource") or uri.path.strip("/")  # pymongo prefers what we give
    return named or ("admin" if uri.scheme == "mongodb+srv" else account.database)


def _filled(account: Account, folder: Path) -> list[tuple[str, str]]:
    """Return name and text of every file."""
    values = _values(account, folder)
    source = files("vacancy_flows.fireworks_configs")
    own = source / account.scheduler
    places = [source / name for name in (*_COMMON, *_REST)]
    places += sorted((p for p in own.iterdir() if p.is_file()), key=lambda p: p.name)
    return [(place.name, _fill(place.name, place.read_text("utf-8"), values)) for place in places]


def _values(account: Account, folder: Path) -> dict[str, Any]:
    user = account.mongo_user or None
    command = Path(sys.executable).with_name("vacancy-flows")
    return {
        "directory": str(folder),
        "programs": str(Path(sys.executable).parent),
        "command": shlex.quote(str(command)),
        "modules": "\n".join(f"module load {shlex.quote(m)}" for m in account.modules),
        "mongo_host": account.mongo_host,
        "mongo_port": account.mongo_port,
        "database": account.database,
        "mongo_user": user,
        "mongo_username_or_empty": user or "",
        "mongo_password": f"${account.password_variable}" if user else None,
        "mongo_authsource": _authsource(account),
        "mongo_client": _client(account),
        "fworker": account.partition,
        "partition": account.partition,
        "account": account.account,
        "walltime": account.walltime,
        "walltime_s": seconds(account.walltime, account.scheduler.upper()),
        "nodes": account.nodes,
        "ntasks": account.ntasks,
        "vasp_command": account.vasp_command,
        "vasp_gamma_command": account.vasp_gamma_command,
    }


def _fill(name: str, text: str, values: dict[str, Any]) -> str:
    """Put values into ``<places>``: quoted for YAML where they stand alone, for the shell else."""
    if name.endswith(".sh"):
        return _PLACE.sub(lambda m: _shell(m[1], values[m[1]]), text)
    lines = []
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        if line.lstrip().startswith("#") or not _PLACE.search(value):
            lines.append(line)
            continue
        if _PLACE.fullmatch(value):
            filled = values[value[1:-1]]
        elif key.strip() in {"rocket_launch", "pre_rocket"}:
            filled = _PLACE.sub(lambda m: _shell(m[1], values[m[1]]), value)
        else:
            filled = _PLACE.sub(lambda m: str(values[m[1]]), value)
        if filled is not None or key.strip() != "account":  # CommonAdapter writes None out
            lines.append(f"{key}: {json.dumps(filled)}")
    return "\n".join(lines) + "\n"


def _shell(name: str, value: Any) -> str:
    """Return a value for a shell; a part of a path is quoted as it stands."""
    return str(value) if name in {"modules", "command"} else shlex.quote(str(value))
