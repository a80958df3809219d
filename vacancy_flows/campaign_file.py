"""Reading a campaign file: one message with file, key and remedy for whatever is wrong."""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from vacancy_flows.campaign import Campaign, check_scale
from vacancy_flows.engines import get_engine, settings_model
from vacancy_flows.errors import InputError, nearest
from vacancy_flows.structures.names import short

_MAX_BYTES = 1_000_000
_WANTED = {  # by pydantic's name of the error
    "string_type": "must be text",
    "float_type": "must be a number, without quotes or unit",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list, in brackets or with a dash before each entry",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
}


def load_campaign(path: str | Path) -> Campaign:
    """Read and check a campaign file.

    Parameters
    ----------
    path
        YAML file.

    Raises
    ------
    InputError
        Where the file cannot be read or anything in it cannot be used.
    """
    path = Path(path)
    content = _read_yaml(path)
    try:
        campaign = Campaign.model_validate(content)
    except ValidationError as error:
        raise InputError(_explain(error, Campaign), file=path) from None
    campaign._path = path  # noqa: SLF001
    check_engine(campaign, path)
    return campaign


def check_engine(campaign: Campaign, path: Path | None = None) -> None:
    """Check engine, its settings, and the oxygen reference against its energy scale.

    Raises
    ------
    InputError
        Where one of them cannot be used.
    """
    try:
        model = settings_model(campaign.engine)
        model.model_validate(campaign.settings)
    except InputError as error:
        raise error.at(file=path) from None
    except ValidationError as error:
        raise InputError(_explain(error, model, "settings."), file=path) from None
    engine = get_engine(campaign.engine, campaign.settings)
    problem = check_scale(campaign.oxygen_reference, engine.energy_scale)
    if problem:
        raise InputError(problem, file=path, key="oxygen_reference.shift")


def _read_yaml(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # noqa: BLE001  # tags such as !!float raise what they like
        detail = " ".join(str(error).split())
        raise InputError(f"is not valid YAML: {detail}", file=path) from None
    if content is None:
        raise InputError("is empty: a campaign needs name, engine and hosts", file=path)
    if not isinstance(content, dict):
        found = "a list" if isinstance(content, list) else f"only {_short(content)}"
        raise InputError(f"must hold keys (name, engine, hosts, ...), not {found}", file=path)
    return content


def _read_text(path: Path) -> str:
    """Return what a file holds, and never more than a campaign can need."""
    try:
        if path.exists() and not path.is_file():  # a pipe may never answer
            raise InputError("cannot be read (it is no regular file): check the path", file=path)
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}): check the path"
        raise InputError(problem, file=path) from None
    if len(content) > _MAX_BYTES:
        raise InputError("is larger than 1 MB: is it a campaign file?", file=path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text: is it a campaign file?", file=path) from None


def _explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """Return all problems of a validation, one a line where there are several."""
    lines = []
    for problem in error.errors(include_url=False):
        location = list(problem["loc"])
        key = prefix + ".".join(str(part) for part in location)
        lines.append(
            f"{key}: {_message(problem, model, location)}"
            if key.strip(".")
            else _message(problem, model, location)
        )
    lines = list(dict.fromkeys(lines))
    return lines[0] if len(lines) == 1 else "\n  " + "\n  ".join(lines)


def _message(problem: Any, model: type[BaseModel], location: list[Any]) -> str:
    if problem["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        return f"unknown key, {nearest(str(location[-1]), known)}"
    if problem["type"] == "missing":
        return "is required: add it"
    if problem["type"] == "too_short":
        return "is empty: give at least one"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return message
    found = _short(problem["input"])
    if problem["type"] == "literal_error":
        choices = re.split(", | or ", str(problem["ctx"]["expected"]).replace("'", ""))
        return f"{found} is not understood, {nearest(str(problem['input']), choices)}"
    wanted = _WANTED.get(problem["type"], f"{message[:1].lower()}{message[1:]}")
    return f"{wanted}, not {found}"


def _known_keys(model: type[BaseModel], location: list[Any]) -> list[str]:
    """Return the keys that are understood at a place in a model."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = next(
            (f for name, f in current.model_fields.items() if part in (name, f.alias)), None
        )
        current = _model_in(field.annotation) if field else None
        if current is None:
            return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType):
        found = (_model_in(argument) for argument in typing.get_args(annotation))
        return next((model for model in found if model), None)
    return None


def _short(value: Any) -> str:
    text = short(value)
    return text if len(text) <= 60 else text[:57] + "..."
