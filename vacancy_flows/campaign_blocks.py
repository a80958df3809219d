"""The blocks of a campaign file: hosts, strains, sites, relaxation, magnetism, oxygen.

Each checks its own keys; what concerns several of them is `vacancy_flows.campaign`'s.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from vacancy_flows.analysis import LI2O_FORMATION_ENTHALPY, OxygenReference
from vacancy_flows.structure_blocks import Described, described
from vacancy_flows.structures import MAX_STRAIN, supercell_matrix
from vacancy_flows.structures.names import short

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._+-]{0,79}")
_MISSING = {"na", "n/a", "nan", "none", "null", "inf", "infinity"}
_BOOLEANS = {"true", "false", "yes", "no", "y", "n", "on", "off"}  # in YAML 1.1
STRAIN_DIGITS = 8
"""To which a deformation enters a uid: strains closer than this are one."""
_LI2O_RANGE = (-7.0, -5.5)  # eV per formula unit; tables of measured values differ by 0.02 eV


def plain_name(name: str) -> str:
    """Return a name that is safe as a file name and in a table.

    Raises
    ------
    ValueError
        Where it is not ``[A-Za-z][A-Za-z0-9._+-]*`` of at most 80 characters, or reads as a
        number, a boolean or a missing value.
    """
    if not _NAME.fullmatch(name) or name.lower() in _MISSING | _BOOLEANS:
        raise ValueError(
            f"{name!r} is not a plain name: begin with a letter, use letters, digits and "
            "'._+-' only, at most 80, and no word that reads as a number, a boolean or a "
            "missing value"
        )
    return name


Name = Annotated[str, AfterValidator(plain_name)]


class Block(BaseModel):
    """A mapping of the campaign file: no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Magnetism(Block):
    """Initial magnetic order; engines that ignore moments ignore it too.

    ``magnetic_starts`` is the number of ways to place a vacancy's electrons that are tried.
    """

    order: Literal["fm", "afm"] = "fm"
    moments: dict[str, float] = Field(default_factory=dict)
    magnetic_starts: int = Field(default=1, ge=1, le=10)


class Strain(Block):
    """One strain mode and its values; 0.05 is 5 %.

    With ``predict`` no strained cell is calculated: E_f is predicted from the unstrained one.
    """

    mode: Literal["uniaxial-a", "uniaxial-b", "uniaxial-c*", "biaxial-ab", "hydrostatic"]
    values: list[Annotated[float, Field(allow_inf_nan=True)]] = Field(min_length=1)
    predict: bool = False

    @model_validator(mode="after")
    def _within(self) -> Strain:
        for value in self.values:
            if not math.isfinite(value) or abs(value) > MAX_STRAIN:
                raise ValueError(
                    f"strain {value} is beyond ±{MAX_STRAIN}: it is a fraction, 0.05 means 5 %"
                )
        if len({round(value, STRAIN_DIGITS) for value in self.values}) < len(self.values):
            raise ValueError(f"values {self.values} name a strain twice: leave one out")
        return self


class Delithiation(Block):
    """Share of Li removed after ``supercell``, and how the orderings are ranked."""

    model_config = ConfigDict(populate_by_name=True)

    fraction: float = Field(gt=0, le=1)
    keep: int = Field(default=1, ge=1)
    start: Literal["built", "relaxed"] = Field(default="built", alias="from")
    rank: Literal["engine", "electrostatics"] = "engine"
    cell: Literal["free", "fixed"] = "free"
    candidates: int = Field(default=24, ge=1)

    @model_validator(mode="after")
    def _enough(self) -> Delithiation:
        if self.start == "built" and self.cell == "fixed":
            raise ValueError(
                "cell: fixed would keep the built cell, a hidden strain: use from: relaxed with it"
            )
        if self.rank == "engine" and self.keep > self.candidates:
            raise ValueError(
                f"keep {self.keep} is more than candidates {self.candidates}: raise candidates"
            )
        return self


def _listed(value: Any) -> Any:
    """Take one block for a list of one."""
    return [value] if isinstance(value, dict) else value


def _supercell(value: Any) -> list[list[int]]:
    return [[int(n) for n in row] for row in supercell_matrix(value)]


Strains = Annotated[list[Strain], BeforeValidator(_listed)]
Supercell = Annotated[Any, AfterValidator(_supercell)]


class Sites(Block):
    """Which sites become vacant: all classes of an element, or those of some labels.

    At boundaries those ``within`` a distance (Å) of the nearest plane of ``boundary``.
    """

    element: str = "O"
    labels: list[str] | None = Field(default=None, min_length=1)
    within: float | None = Field(default=None, gt=0, le=100)
    boundary: Literal[1, 2, "both"] = "both"

    @model_validator(mode="after")
    def _oxygen(self) -> Sites:
        if self.element != "O":
            raise ValueError(f"element {self.element!r}: only O vacancies are available for now")
        if self.within is None and self.boundary != "both":
            raise ValueError(f"boundary {self.boundary}: say within which distance of it (within)")
        if self.within is not None and self.labels is not None:
            raise ValueError("labels and within both choose sites: leave one out")
        return self


class Relax(Block):
    """Convergence of every relaxation, and whether a vacancy's cell moves.

    ``free_within`` (Å): at boundaries, what lies farther from every plane stays in its place
    wherever the cell is fixed. ``prerelax``: the potential that relaxes every cell first; where it
    is left out the engine's own choice, which ``none`` declines.
    """

    fmax: float = Field(default=0.01, gt=0, le=1)
    max_steps: int = Field(default=500, ge=1, le=100_000)
    cell: Literal["fixed", "free"] = "fixed"
    free_within: float | None = Field(default=None, gt=0, le=100)
    prerelax: Literal["chgnet", "chgnet-r2scan", "none"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _own_place(cls, data: Any) -> Any:
        if isinstance(data, dict) and "magnetic_starts" in data:
            raise ValueError("magnetic_starts: it stands in the block magnetism")
        return data


def _structure(value: Any) -> Any:
    """Refuse what neither names nor describes a structure, before pydantic tries each kind."""
    if not isinstance(value, str | BaseModel) or value == "":
        raise ValueError(
            f"give a built-in host, the path of a file, or keys that describe one, not "
            f"{short(value)}"
        )
    return value


class Host(Block):
    """A host: built in, any file pymatgen reads, or described.

    Boundaries are delithiated after their relaxation, by electrostatics and with a fixed cell
    where nothing else is said.
    """

    name: Name
    structure: Annotated[str | Described, BeforeValidator(_structure)]
    cell: Literal["conventional", "primitive"] | None = None
    supercell: Supercell = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    delithiate: Delithiation | None = None
    strain: Strains | None = None
    sites: Sites | None = None
    relax: Relax | None = None

    @model_validator(mode="before")
    @classmethod
    def _described(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("structure"), dict):
            return data
        structure = described(data["structure"])
        if data.get("cell") is not None:
            raise ValueError("cell: applies to built-in hosts only: leave it out")
        data = {**data, "structure": structure}
        if structure.is_boundary and isinstance(data.get("delithiate"), dict):
            policy = {"from": "relaxed", "rank": "electrostatics", "cell": "fixed"}
            data["delithiate"] = {**policy, **data["delithiate"]}
        return data

    @property
    def is_boundary(self) -> bool:
        """Whether it has boundaries, near which sites and free atoms can be chosen."""
        return not isinstance(self.structure, str) and self.structure.is_boundary


class OxygenBlock(Block):
    """The oxygen reference of the tables and figures; never part of a calculation."""

    scheme: Literal["O2", "Li2O", "user"] = "O2"
    temperature: float = 0.0
    pressure: float = 1.0
    mu_o: float | None = None
    shift: float | None = None
    li2o_enthalpy: float = LI2O_FORMATION_ENTHALPY

    @field_validator("li2o_enthalpy")
    @classmethod
    def _measurable(cls, value: float) -> float:
        low, high = _LI2O_RANGE
        if not low <= value <= high:
            raise ValueError(
                f"{value:g} is outside {low:g} to {high:g}: give the enthalpy of formation of Li2O "
                "in eV per formula unit, negative since heat is released, or leave it out for the "
                f"measured {LI2O_FORMATION_ENTHALPY}"
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> OxygenBlock:
        self.reference()
        return self

    def reference(self) -> OxygenReference:
        """Return the reference the analysis works with."""
        return OxygenReference(**self.model_dump())
