"""Hosts that a campaign file describes instead of naming: boundaries and layered cells."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vacancy_flows.errors import nearest
from vacancy_flows.structures.boundaries import PRESETS
from vacancy_flows.structures.names import short


def _three(value: Any) -> list[int]:
    whole = isinstance(value, list) and all(type(number) is int for number in value)
    if not whole or len(value) != 3:
        raise ValueError(f"give three integers, not {short(value)}")
    return list(value)


Triple = Annotated[list[int], BeforeValidator(_three)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
    is_boundary: ClassVar[bool] = True


class _Built(_Block):
    """Of the boundaries that a search found, ``candidate`` numbers the one taken, from 0."""

    candidate: int = Field(default=0, ge=0, le=11)


class Boundary(_Built):
    """A boundary of Li3NiCoMnO6 by its name, and the thickness of each grain in Å."""

    boundary: Literal[PRESETS]  # type: ignore[valid-type]
    thickness: float | None = Field(default=None, gt=0, le=100)


class TwinBlock(_Built):
    """A mirror twin on the plane (hkl) of a bulk: see `structures.boundaries.twins`.

    ``bulk`` is built in or a file, ``axis`` the direction [uvw] along which a lies.
    """

    twin: Triple
    bulk: str = "Li3NiCoMnO6"
    axis: Triple | None = None
    thickness: float = Field(default=8.1, gt=0, le=100)


class Tilt(_Block):
    """Axis, what points up (direction or normal of a plane), and the angles.

    The words of ingrained are understood too.
    """

    axis: Triple
    up: Triple | None = None
    up_plane: Triple | None = None
    top_angle: float
    bottom_angle: float

    @model_validator(mode="before")
    @classmethod
    def _ingrained(cls, data: Any) -> Any:
        words = {
            "project": "axis",
            "upward": "up",
            "tilt_top": "top_angle",
            "tilt_bottom": "bottom_angle",
        }
        if not isinstance(data, dict):
            return data
        for word, own in words.items():
            if word in data and own in data:
                raise ValueError(f"{word} and {own} are the same: leave one out")
        return {words.get(key, key): value for key, value in data.items()}

    @model_validator(mode="after")
    def _one_up(self) -> Tilt:
        if (self.up is None) == (self.up_plane is None):
            raise ValueError("give up (a direction) or up_plane (a plane), one of them")
        return self


class Bicrystal(_Built):
    """Two grains of a bulk that are turned about an axis: see `structures.boundaries`.

    ``match`` is the number of a line in the table of matches, which `build` prints; ``depth``
    the repeats along the axis; ``vacuum`` (Å) takes the place of the second boundary.
    """

    bicrystal: Tilt
    bulk: str = "Li3NiCoMnO6"
    thickness: float = Field(default=9.4, gt=0, le=100)
    depth: int = Field(default=1, ge=1, le=100)
    width: float = Field(default=32.0, gt=0, le=200)
    strain: float = Field(default=0.02, ge=0, le=0.2)
    shear: float = Field(default=0.02, ge=0, le=0.2)
    tolerance: float = Field(default=2.0, ge=0, le=20)
    match: int = Field(default=0, ge=0)
    vacuum: float | None = Field(default=None, gt=0, le=100)


class Layered(_Block):
    """A layered cell Li(1+x)TM(1-x)O2 of a composition: see `li_rich_cell`.

    ``cells`` are hexagonal cells of R-3m along a, b, c, ``tolerance`` atoms per O2.
    """

    is_boundary: ClassVar[bool] = False
    composition: str
    cells: Triple
    order: Literal["ordered", "disordered"] = "ordered"
    seed: int = Field(default=0, ge=0)
    tolerance: float = Field(default=0.02, gt=0, le=1)


Described = Boundary | TwinBlock | Bicrystal | Layered

_BLOCKS: dict[str, type[Described]] = {
    "boundary": Boundary,
    "twin": TwinBlock,
    "bicrystal": Bicrystal,
    "composition": Layered,
}


def described(data: dict[str, Any]) -> Described:
    """Read the mapping under ``structure``.

    Parameters
    ----------
    data
        With one of the keys ``boundary``, ``twin``, ``bicrystal``, ``composition``.

    Raises
    ------
    ValueError
        With the key and the remedy, where it cannot be used.
    """
    kinds = [key for key in _BLOCKS if key in data]
    if len(kinds) != 1:
        found = f"has {' and '.join(kinds)}" if kinds else f"has {', '.join(map(str, data))}"
        raise ValueError(f"structure: give one of {', '.join(_BLOCKS)}; it {found}")
    block = _BLOCKS[kinds[0]]
    try:
        return block.model_validate(data)
    except ValidationError as error:
        problem: Any = error.errors(include_url=False)[0]
        key = ".".join(["structure", *map(str, problem["loc"])])
        raise ValueError(f"{key}: {_told(problem, block)}") from None


def _told(problem: Any, block: type[Described]) -> str:
    inner = len(problem["loc"]) > 1 and isinstance(problem["loc"][1], str)
    known = list((Tilt if inner else block).model_fields)
    if problem["type"] == "extra_forbidden":
        return f"unknown key; known here are {', '.join(known)}"
    if problem["type"] == "missing":
        return "is required: add it"
    if problem["type"] == "literal_error" and problem["loc"][-1] == "boundary":
        return f"{problem['input']!r} is unknown: {nearest(str(problem['input']), PRESETS)}"
    if problem["type"] == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{problem['msg']}, not {problem['input']!r}"
