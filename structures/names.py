"""Site labels, and what messages say: nearest known names, values that are not too long."""

import reprlib
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from pymatgen.core import Structure

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 9
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 100


def short(value: object) -> str:
    """Return a value as text for a message; one without end (YAML's aliases) is cut."""
    text = _SHORT.repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Known names nearest to `name`, as text for a message.

    Parameters
    ----------
    name
        The name which is not known.
    known
        The names which are.
    count
        How many of them to give at most.

    Returns
    -------
    str
        For example ``"O-8j-1, O-8j-2"``; the first known names if none is near, ``"none"``
        if there are none.
    """
    names = sorted(set(known))
    close = get_close_matches(str(name), names, n=count, cutoff=0.5)
    return ", ".join(close or names[:count]) or "none"


def label_indices(index: Mapping[str, int], labels: Collection[str]) -> list[int]:
    """Sorted indices of labels; ValueError for one that `index` does not have."""
    for label in labels:
        if label not in index:
            raise ValueError(
                f"There is no site {label!r} to remove; nearest known: {nearest(label, index)}."
            )
    return sorted({index[label] for label in labels})


def site_labels(structure: Structure) -> list[str]:
    """Site labels in the structure's order; ValueError where there are none."""
    labels = structure.site_properties.get("label")
    if not labels or None in labels:
        raise ValueError("The structure has no site labels: prepare it with prepare_host first.")
    return list(labels)
