"""Engines: what turns a structure into energies, forces, stresses and moments."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vacancy_flows.engines.base import REFERENCE_KINDS, Engine, ReferenceCell, ReferenceKind
from vacancy_flows.errors import InputError, nearest

ENGINES = ("chgnet", "chgnet-r2scan")
"""Engines a campaign file may name."""

__all__ = [
    "ENGINES",
    "REFERENCE_KINDS",
    "Engine",
    "ReferenceCell",
    "ReferenceKind",
    "get_engine",
    "settings_model",
]


class ChgnetSettings(BaseModel):
    """Settings of the engines chgnet and chgnet-r2scan."""

    model_config = ConfigDict(extra="forbid", strict=True)

    device: str = Field(default="cpu", pattern=r"^(cpu|mps|cuda(:\d+)?)$")


def settings_model(name: str) -> type[BaseModel]:
    """Return the pydantic model that checks the ``settings`` of an engine.

    Raises
    ------
    InputError
        For an engine that is not known.
    """
    if name in ENGINES:
        return ChgnetSettings
    raise InputError(f"unknown engine {name!r}: {nearest(name, ENGINES)}", key="engine")


def get_engine(name: str, settings: dict[str, Any] | None = None) -> Engine:
    """Return an engine by the name a campaign file uses.

    Parameters
    ----------
    name
        One of `ENGINES`.
    settings
        Checked by `settings_model`.

    Raises
    ------
    InputError
        For an engine that is not known.
    """
    checked = settings_model(name)(**(settings or {}))
    from vacancy_flows.engines.chgnet import ChgnetEngine

    return ChgnetEngine(name=name, **checked.model_dump())
