"""What is asked of a boundary, and what fits: orientation, limits, match."""

from dataclasses import dataclass

from vacancy_flows.structures.boundaries.frame import IntVector


@dataclass(frozen=True)
class Orientation:
    """How two grains stand: seen along `axis`, up is up, then each is turned.

    Attributes
    ----------
    axis
        Zone axis [uvw], signed, pointing to the viewer; in the bulk's reference axes.
    up
        Lattice direction that points up before the grains are turned, or None.
    top_angle, bottom_angle
        Degrees, counter-clockwise about the axis, as the viewer sees it.
    up_plane
        Instead of `up`: plane (hkl) whose normal points up.
    """

    axis: IntVector
    up: IntVector | None = None
    top_angle: float = 0.0
    bottom_angle: float = 0.0
    up_plane: IntVector | None = None


@dataclass(frozen=True)
class Limits:
    """What a match may cost.

    Attributes
    ----------
    width
        Longest repeat along the boundary, Å.
    strain
        Largest mismatch of the two widths, relative to their mean; each grain takes half of it.
    shear
        Largest mismatch of the repeats along the zone axis, relative to the width.
    tolerance
        Degrees that a rational plane may deviate from the angle asked for.
    """

    width: float = 32.0
    strain: float = 0.02
    shear: float = 0.02
    tolerance: float = 2.0

    def __post_init__(self) -> None:
        """Refuse limits that allow nothing."""
        for name, most in (("width", 200.0), ("strain", 0.2), ("shear", 0.2), ("tolerance", 20.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ValueError(f"The limit {name} = {value} must lie in 0 to {most:g}.")


@dataclass(frozen=True)
class Side:
    """One grain of a match.

    Attributes
    ----------
    plane
        Boundary plane (hkl) in the bulk's reference axes, its normal pointing up.
    width
        Repeat along the boundary before straining, Å.
    angle
        Angle of the rational plane, degrees; the grain is turned by it.
    deviation
        `angle` minus the angle asked for, degrees.
    spacing
        Distance of lattice planes, Å.
    repeats
        Primitive repeats within the width.
    planes
        Lattice planes in the grain.
    line
        Repeat vector within the boundary, in primitive vectors of the bulk.
    offset
        Component of `line` along the zone axis, Å.
    """

    plane: IntVector
    width: float
    angle: float
    deviation: float
    spacing: float
    repeats: int
    planes: int
    line: IntVector
    offset: float


@dataclass(frozen=True)
class Match:
    """Two planes that fit; what the cell of it will be.

    Attributes
    ----------
    top, bottom
        The grains.
    strain
        Mismatch of the widths, relative to their mean.
    shear
        Mismatch of the offsets along the zone axis, relative to the mean width.
    misorientation
        Degrees between the grains about the zone axis.
    depth
        Length of the cell along the zone axis, Å.
    n_atoms
        Atoms in the cell.
    orientation
        What was asked for.
    repeats
        Repeats of the lattice along the zone axis.
    """

    top: Side
    bottom: Side
    strain: float
    shear: float
    misorientation: float
    depth: float
    n_atoms: int
    orientation: Orientation
    repeats: int

    @property
    def width(self) -> float:
        """Common width of both grains, Å."""
        return (self.top.width + self.bottom.width) / 2

    @property
    def offset(self) -> float:
        """Common component of the repeat along the zone axis, Å."""
        return (self.top.offset + self.bottom.offset) / 2

    @property
    def planes(self) -> str:
        """Both boundary planes as text, top first: (012) || (0-17)."""
        return f"{plane_name(self.top.plane)} || {plane_name(self.bottom.plane)}"

    def __str__(self) -> str:
        return (
            f"{self.planes}  widths {self.top.width:.2f} / {self.bottom.width:.2f} Å  angles "
            f"{self.top.angle:+.2f} / {self.bottom.angle:+.2f}°"
            f"  strain {100 * abs(self.strain):.2f} %  shear {100 * abs(self.shear):.2f} %  "
            f"planes {self.top.planes} + {self.bottom.planes}  {self.n_atoms} atoms"
        )


def ingrained_orientation(
    project: IntVector, upward: IntVector, tilt_top: float, tilt_bottom: float
) -> Orientation:
    """Orientation in the vocabulary of ingrained.

    Parameters
    ----------
    project
        Direct-lattice direction that points to the viewer.
    upward
        Direct-lattice direction that points up, perpendicular to it.
    tilt_top, tilt_bottom
        Counter-clockwise turns of the grains, degrees.

    Returns
    -------
    Orientation
    """
    return Orientation(project, upward, tilt_top, tilt_bottom)


def plane_name(plane: IntVector) -> str:
    """(hkl) as text, without commas where each index is one digit: (0-17)."""
    separator = "" if all(abs(index) < 10 for index in plane) else ","
    return "(" + separator.join(str(index) for index in plane) + ")"
