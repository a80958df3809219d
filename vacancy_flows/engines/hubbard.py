"""U of DFT+U as a campaign file gives it, the same for every code."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import PlainValidator
from pymatgen.core import Element

_MAX_U = 15.0  # eV; anything above is a mistake


def checked_u(value: Any) -> dict[str, float]:
    """Return U_eff in eV per element, those of 0 left out; ``off`` is no U at all.

    Raises
    ------
    ValueError
        For anything that is no U on a d or f shell.
    """
    if value == "off":
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"give eV per element, such as {{Mn: 4.2}}, or off; not {value!r}")  # noqa: TRY004
    for element, number in value.items():
        _check_u_of(element, number)
    return {element: float(value[element]) for element in sorted(value) if value[element]}


HubbardU = Annotated[dict[str, float], PlainValidator(checked_u)]
"""A field of settings: eV per element (Dudarev's scheme; d and f shells), or ``off``."""


def u_shell(element: str) -> str:
    """Return the shell that U of an element stands on, ``d`` or ``f``."""
    kind = Element(element)
    return "f" if kind.is_lanthanoid or kind.is_actinoid else "d"


def _check_u_of(element: Any, number: Any) -> None:
    """Raise ValueError for a U that cannot be."""
    if element not in Element.__members__:
        raise ValueError(f"{element!r} is no element")
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"U of {element} is a number of eV, not {number!r}")  # noqa: TRY004
    if not math.isfinite(number) or not 0 <= number <= _MAX_U:
        raise ValueError(f"U of {element} is {number} eV: it lies between 0 and {_MAX_U:g} eV")
    kind = Element(element)
    if not (kind.is_transition_metal or kind.is_lanthanoid or kind.is_actinoid):
        raise ValueError(
            f"U of {element}: U is for d and f shells, and the references O2, Li and Li2O have none"
        )
