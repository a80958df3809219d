"""PAW setups of GPAW: which there are, which shells they have, and what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple
from xml.sax import SAXException

from vacancy_flows.engines.gpaw.settings import GpawSettings
from vacancy_flows.engines.hubbard import u_shell
from vacancy_flows.errors import InputError

_SHELLS = "spdf"
# What GPAW raises on a file that is broken off, or that is something else.
_UNREADABLE = (
    SAXException,
    AssertionError,
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    ValueError,
)


class Setup(NamedTuple):
    """A setup as it was found.

    Attributes
    ----------
    name
        Of its file, such as ``Mn.PBE``.
    sha256
        Of its content, unpacked.
    shells
        Letters of the shells that have partial waves.
    """

    name: str
    sha256: str
    shells: str


@cache
def setup_of(element: str, kind: str = "") -> Setup | None:
    """Return the PBE setup of an element, None where there is none.

    Parameters
    ----------
    element
        Symbol.
    kind
        Name of the setup, empty for GPAW's default.

    Raises
    ------
    InputError
        Where the file that is found is no setup.
    """
    from gpaw.setup_data import SetupData, search_for_file

    name = f"{element}.{kind}.PBE" if kind else f"{element}.PBE"
    try:
        content = search_for_file(name)[1]
        data = SetupData(element, "PBE", kind or "paw")
    except (FileNotFoundError, RuntimeError):
        return None
    except _UNREADABLE as error:
        raise InputError(
            f"the file {name} that GPAW finds is no setup ({error}): look for it in the folders of "
            "GPAW_SETUP_PATH, and replace or remove it",
            key="settings",
        ) from None
    shells = "".join(_SHELLS[k] for k in sorted(set(data.l_j)) if k < len(_SHELLS))
    return Setup(name, hashlib.sha256(content).hexdigest(), shells)


def check_setups(elements: Iterable[str], settings: GpawSettings) -> dict[str, Setup]:
    """Return the setups of some elements.

    Raises
    ------
    InputError
        One for everything that is missing: setups at all, elements without one, shells for U.
    """
    wanted = sorted(set(elements))
    found = {element: setup_of(element, settings.setups.get(element, "")) for element in wanted}
    if setup_of("H") is None:
        raise InputError(
            "GPAW finds no PAW setups: pip install gpaw-data, or set GPAW_SETUP_PATH to the "
            "folder that holds them",
            key="engine",
        )
    problems = []
    for element, setup in found.items():
        if setup is None:
            name = settings.setups.get(element)
            remedy = (
                f"settings.setups names {name!r}: set GPAW_SETUP_PATH to the folder that holds "
                f"{element}.{name}.PBE, or leave it out"
                if name
                else "none can be used"
            )
            problems.append(f"GPAW has no PBE setup of {element} ({remedy})")
        elif element in settings.u and u_shell(element) not in setup.shells:
            problems.append(
                f"U of {element} is for a {u_shell(element)} shell, and the setup {setup.name} has "
                f"{', '.join(setup.shells)} only: leave {element} out of settings.u"
            )
    if problems:
        raise InputError("; ".join(problems), key="settings")
    return {element: setup for element, setup in found.items() if setup is not None}
