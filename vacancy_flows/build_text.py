"""What a build tells the user: what was written, what a run will take, what is not known."""

from __future__ import annotations

from pymatgen.core import Structure

from vacancy_flows.campaign_blocks import Delithiation
from vacancy_flows.structures.boundaries.match import plane_name

KINDS = {
    "reference": "oxygen references",
    "host": "hosts",
    "candidate": "candidate orderings",
    "pristine": "pristine cells",
    "vacancy": "vacancies",
}
"""Kinds of calculations, in the order they run, in words."""


def cost_lines(engine: str, counts: dict[str, int], seconds: float | None) -> list[str]:
    """Say what a run will take, and how far that is to be trusted.

    Parameters
    ----------
    engine
        Its name.
    counts
        Calculations of each kind.
    seconds
        Core-seconds of all of them, None where unknown.
    """
    numbers = ", ".join(f"{KINDS[kind]}: {number}" for kind, number in counts.items())
    cost = f"unknown for engine {engine}"
    if seconds is not None:
        cost = (
            f"about {seconds:.0f} core-seconds ({seconds / 3600:.2g} core-hours) "
            f"with engine {engine}"
        )
    trust = (
        "All of this is an estimate from cells that are not relaxed: a run relaxes each cell "
        "and finds the classes of its sites, and so the number of vacancies, again."
    )
    calculations = f"Calculations of a run: {sum(counts.values())} ({numbers})."
    return [calculations, f"Cost of a run: {cost}.", trust]


def boundary_notes(host: str, root: Structure) -> list[str]:
    """Say what a boundary is: planes, strain, distances, how the metals stand, other matches.

    Parameters
    ----------
    host
        Name.
    root
        As built.

    Returns
    -------
    list of str
        Empty for a host without boundaries.
    """
    boundary = root.properties.get("boundary")
    if not boundary:
        return []
    grains, closest = boundary["grains"], boundary["closest"]
    about = ", ".join(
        f"{name} grain {grain['planes']} planes {plane_name(tuple(grain['plane']))}"
        for name, grain in grains.items()
    )
    near = ", ".join(f"{pair} {value:.2f} Å" for pair, value in closest.items())
    strain = f"strain {100 * abs(boundary['mismatch']):.2f} % between the grains"
    notes = [f"Host {host}: {boundary['kind']}, {about}, {strain}; closest {near}."]
    decoration = boundary.get("decoration", {})
    if decoration.get("note"):
        notes.append(f"Host {host}: metals by {decoration['method']}: {decoration['note']}.")
    if "metals" in decoration:
        notes.append(f"Host {host}: O around each metal, {_around(decoration['metals'])}.")
    matches = boundary.get("matches", [])
    if matches:
        notes.append(f"Host {host}: matches within its limits (* is built):")
        notes += [
            f"{'*' if number == boundary['match'] else ' '} {number}: {match}"
            for number, match in enumerate(matches)
        ]
    return notes


def _around(metals: dict[str, dict[str, dict[str, int]]]) -> str:
    """Say how many metals have how many O, near the boundaries and far from them."""
    return "; ".join(
        f"{where}: "
        + ", ".join(
            f"{symbol} " + " ".join(f"{n}×{o}" for o, n in counts[where].items())
            for symbol, counts in metals.items()
        )
        for where in ("near", "far")
    )


def ordering_note(host: str, wanted: Delithiation, number: int, classes: list[int]) -> str:
    """Say which orderings of a host were written, and what a run will make of them.

    Parameters
    ----------
    host
        Name.
    wanted
        How it is delithiated.
    number
        Orderings written.
    classes
        Classes of sites of each of their strained cells.
    """
    few, many = min(classes), max(classes)
    note = f"Host {host}: the lowest {number} orderings by electrostatics are written."
    if wanted.rank == "engine":
        note = (
            f"Host {host}: all {number} candidate orderings are written, because only the engine "
            f"ranks them; a run goes on with the lowest {wanted.keep}, each with {few} to {many} "
            "vacancies per strain (the number of calculations takes the first candidates for "
            "them). The number of a folder is no rank."
        )
    if wanted.start == "relaxed":
        note += " Their geometry is the built one; a run makes them from the relaxed host."
    return note
