"""Engines: what turns a structure into energies, forces, stresses and moments."""

from __future__ import annotations

import re
from pkgutil import resolve_name
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from vacancy_flows.engines.base import REFERENCE_KINDS, Engine, ReferenceCell, ReferenceKind
from vacancy_flows.engines.gpaw import GpawSettings
from vacancy_flows.engines.vasp import VaspSettings
from vacancy_flows.errors import InputError, nearest

__all__ = [
    "ENGINES",
    "POTENTIALS",
    "REFERENCE_KINDS",
    "Engine",
    "ReferenceCell",
    "ReferenceKind",
    "default_prerelax",
    "get_engine",
    "settings_model",
]


class ChgnetSettings(BaseModel):
    """Settings of the engines chgnet and chgnet-r2scan."""

    model_config = ConfigDict(extra="forbid", strict=True)

    device: str = "cpu"

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", device):
            raise ValueError(f"{device!r} is no device: cpu, cuda, cuda:1 (the second) or mps")
        return device


class _Entry(NamedTuple):
    settings: type[BaseModel]
    place: str  # module:class, imported when the engine is used
    potential: bool = True  # relaxes in seconds, takes no moments: may go before DFT
    prerelax: str | None = None  # the potential that goes before it where nothing is said


_REGISTRY = {
    "chgnet": _Entry(ChgnetSettings, "vacancy_flows.engines.chgnet:ChgnetEngine"),
    "chgnet-r2scan": _Entry(ChgnetSettings, "vacancy_flows.engines.chgnet:ChgnetEngine"),
    "gpaw": _Entry(
        GpawSettings,
        "vacancy_flows.engines.gpaw.engine:GpawEngine",
        potential=False,
        prerelax="chgnet",
    ),
    "vasp": _Entry(VaspSettings, "vacancy_flows.engines.vasp.engine:VaspEngine", potential=False),
}

ENGINES = tuple(_REGISTRY)
"""Engines a campaign file may name, the default of the Makers first."""
POTENTIALS = tuple(name for name, entry in _REGISTRY.items() if entry.potential)
"""Those that may relax a cell before another engine does."""


def default_prerelax(name: str) -> str | None:
    """Return the potential that relaxes cells before an engine where a campaign says nothing."""
    return _REGISTRY[name].prerelax if name in _REGISTRY else None


def settings_model(name: str) -> type[BaseModel]:
    """Return the pydantic model that checks the ``settings`` of an engine.

    Raises
    ------
    InputError
        For an engine that is not known.
    """
    if name in _REGISTRY:
        return _REGISTRY[name].settings
    raise InputError(f"unknown engine {name!r}: {nearest(name, ENGINES)}", key="engine")


def get_engine(name: str = ENGINES[0], settings: dict[str, Any] | None = None) -> Engine:
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
    engine: Engine = resolve_name(_REGISTRY[name].place)(name=name, **checked.model_dump())
    return engine
