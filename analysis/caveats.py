"""What must be said beside every number: neutrality, cell size, the limits of an ML potential."""

NEUTRAL = "All vacancies are neutral (no charged states)."
"""The charge state of every vacancy of this project."""

SIZE = (
    "E_f falls as the cell grows, about as 1/N: each doubling between 12 and 48 atoms of Li2MnO3 "
    "takes 0.1-0.2 eV off. Compare numbers of equal N only."
)
"""Dependence on the supercell (science.md §4, measured with CHGNet)."""

# Differences to PBE+U on a consistent reference, measured for Li2MnO3 (science.md §7).
_ERRORS = {
    "chgnet": "underestimates E_f by about 0.7 eV",
    "chgnet-r2scan": "lies within 0.1-0.3 eV",
}


def mlip_caveat(engine: str) -> str:
    """Return the limits of an ML potential's formation energies.

    Parameters
    ----------
    engine : str
        Engine name, such as "chgnet".

    Returns
    -------
    str
        Two sentences for "chgnet" and "chgnet-r2scan" (science.md §7), empty for others.
    """
    if engine not in _ERRORS:
        return ""
    return (
        f"{engine} is a machine-learned potential: for Li2MnO3 it {_ERRORS[engine]} against PBE+U "
        "on a consistent reference, with the same signs and site order. In strongly delithiated "
        "hosts it can be more than 1 eV too low: read trends and site order there, no absolute "
        "numbers."
    )


def short_caveat(engine: str) -> str:
    """Return `mlip_caveat` in one line, for a figure.

    Parameters
    ----------
    engine : str
        Engine name.

    Returns
    -------
    str
        Empty for engines that are no ML potential.
    """
    if engine not in _ERRORS:
        return ""
    return (
        f"ML potential: for Li2MnO3 it {_ERRORS[engine]} against PBE+U; in delithiated hosts read "
        "trends and site order only."
    )
