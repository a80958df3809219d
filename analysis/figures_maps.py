"""The figure of E_f over temperature and oxygen pressure."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vacancy_flows.analysis.caveats import short_caveat
from vacancy_flows.analysis.figure_style import ENERGY_LABEL, new_figure, save, style
from vacancy_flows.analysis.oxygen import OxygenReference
from vacancy_flows.analysis.thermochemistry import ThermalVariant, oxygen_thermal_term

AIR_PRESSURE = 0.21
"""Partial pressure of O2 in air, bar."""

_INCHES = (5.6, 3.9)
_STEPS = 161
_THERMAL = {"0K": "½[H-H0-TS]", "298K": "½[H-H298-TS]"}


class Window(NamedTuple):
    """The part of the plane that is drawn."""

    temperatures: tuple[float, float] = (300.0, 1500.0)
    """Lowest and highest temperature, K, within 100-2000."""
    log_pressures: tuple[float, float] = (-20.0, 2.0)
    """Lowest and highest log10 of the pressure of O2 in bar."""


def plot_temperature_pressure(
    e_f: float,
    path_stem: Path,
    reference: OxygenReference,
    *,
    label: str,
    engine: str,
    scale: str,
    n_atoms: int,
    variant: ThermalVariant | None = None,
    window: Window = Window(),  # noqa: B008 - an immutable tuple
) -> list[Path]:
    """Draw E_f over temperature and pressure of O2, with the line where it is zero.

    Only the oxygen gas depends on T and p: ``E_f(T, p) = e_f + oxygen_thermal_term(T, p)``.

    Parameters
    ----------
    e_f : float
        E_f without thermal term, eV.
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.
    reference : OxygenReference
        What `e_f` was made with: scheme O2 or Li2O at temperature 0.
    label : str
        Which vacancy, such as "Li2MnO3  O-8j-1": the title.
    engine, scale : str
        Engine and energy scale, for the footer.
    n_atoms : int
        Atoms of the pristine cell.
    variant : {"0K", "298K"}, optional
        Thermal term; by default the one that belongs to reference and scale.
    window : Window
        Temperatures and pressures drawn.

    Returns
    -------
    list of pathlib.Path
        The PNG (200 dpi) and the SVG written, or nothing where `e_f` is not finite.

    Raises
    ------
    ValueError
        If the reference has a thermal term already or is a user's mu_O (T and p are labels
        there), or the window is empty or outside the O2 table.
    """
    with style():
        figure = figure_temperature_pressure(
            e_f,
            reference,
            label=label,
            engine=engine,
            scale=scale,
            n_atoms=n_atoms,
            variant=variant,
            window=window,
        )
        return save(figure, path_stem) if figure else []


def figure_temperature_pressure(
    e_f: float,
    reference: OxygenReference,
    *,
    label: str,
    engine: str,
    scale: str,
    n_atoms: int,
    variant: ThermalVariant | None = None,
    window: Window = Window(),  # noqa: B008 - an immutable tuple
) -> Figure | None:
    """Return the figure that `plot_temperature_pressure` writes.

    Parameters
    ----------
    e_f : float
        As there, like all that follow.
    reference : OxygenReference
    label : str
    engine, scale : str
    n_atoms : int
    variant : {"0K", "298K"}, optional
    window : Window

    Returns
    -------
    matplotlib.figure.Figure or None
        None where `e_f` is not finite.

    Raises
    ------
    ValueError
        As there.
    """
    _check(reference, window)
    if not math.isfinite(e_f):
        return None
    variant = variant or reference.thermal_variant(scale)
    name = reference.label(scale).removesuffix(", no thermal term")
    made_of = (
        f"Engine {engine}; energy scale {scale}; oxygen reference {name} with thermal term "
        f"{_THERMAL[variant]} + ½kT ln(p / 1 bar) of O2 gas; E_f without it {e_f:.3f} eV; "
        f"N = {n_atoms} atoms; neutral vacancies; no vibrations of the solid."
    )
    footer = [text for text in (made_of, short_caveat(engine)) if text]
    energies = e_f + _thermal_grid(window, variant)
    if not energies.min() < 0 < energies.max():
        sign = "above" if energies.min() >= 0 else "below"
        footer.append(f"E_f is {sign} zero everywhere in this window.")
    figure = new_figure(*_INCHES, footer)
    panel = figure.subplots()
    panel.set(xlabel="temperature (K)", ylabel=r"$\log_{10}(p_{\mathrm{O}_2}$ / bar)")
    panel.set_title(label, fontsize=9)
    _draw(panel, window, energies)
    return figure


def _check(reference: OxygenReference, window: Window) -> None:
    if reference.scheme == "user":
        raise ValueError(
            "a map over T and p needs the oxygen scheme O2 or Li2O: with a user's mu_O, T and p "
            "are labels and add nothing"
        )
    if reference.temperature != 0:
        raise ValueError(
            f"E_f was made at {reference.temperature:g} K and has its thermal term already: make "
            "the table again with temperature 0"
        )
    for low, high in window:
        if not low < high:
            raise ValueError(f"the map needs two different ends, lower first, got {low}, {high}")


def _thermal_grid(window: Window, variant: ThermalVariant) -> NDArray[np.float64]:
    """Thermal term, eV, (pressures, temperatures); it is linear in log p at each T."""
    temperatures, log_pressures = _axes_of(window)
    one, ten = (
        np.array([oxygen_thermal_term(float(t), bar, variant) for t in temperatures])
        for bar in (1.0, 10.0)
    )
    return np.asarray(one + np.outer(log_pressures, ten - one))


def _axes_of(window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    temperatures, log_pressures = (np.linspace(low, high, _STEPS) for low, high in window)
    return temperatures, log_pressures


def _draw(panel: Axes, window: Window, energies: NDArray[np.float64]) -> None:
    temperatures, log_pressures = _axes_of(window)
    levels = MaxNLocator(nbins=11, steps=[1, 2, 2.5, 5]).tick_values(
        float(energies.min()), float(energies.max())
    )
    filled = panel.contourf(temperatures, log_pressures, energies, levels=levels, cmap="cividis")
    filled.set_edgecolor("face")  # no hairlines between the bands in viewers of SVG
    colour_bar = panel.figure.colorbar(filled, ax=panel, label=ENERGY_LABEL)
    if energies.min() < 0 < energies.max():
        _draw_zero(panel, window, energies)
        colour_bar.ax.axhline(0.0, color="black", linewidth=2.4)
    _draw_air(panel, window)
    panel.yaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=True))


def _draw_zero(panel: Axes, window: Window, energies: NDArray[np.float64]) -> None:
    """Draw where E_f is zero, bold with a halo, and name it in the middle of the line."""
    zero = panel.contour(*_axes_of(window), energies, levels=[0.0], colors="k", linewidths=2.4)
    zero.set_gid("zero")
    zero.set_path_effects([withStroke(linewidth=4.4, foreground="white")])
    vertices = np.asarray(zero.get_paths()[0].vertices, dtype=float)
    x, y = map(float, vertices[len(vertices) // 2])
    panel.clabel(
        zero,
        fmt={0.0: r"$E_\mathrm{f} = 0$ eV"},
        fontsize=9,
        inline_spacing=2,
        manual=[(x, y)],
    )
    for text in zero.labelTexts:
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.15"})


def _draw_air(panel: Axes, window: Window) -> None:
    """Draw the pressure of O2 in air, where it lies in the window."""
    air = math.log10(AIR_PRESSURE)
    if not window.log_pressures[0] < air < window.log_pressures[1]:
        return
    panel.axhline(air, color="0.1", linewidth=2.2)  # dark under white dashes shows on any colour
    panel.axhline(air, color="white", linestyle="--", linewidth=1.2, gid="air")
    panel.annotate(
        f"air ({AIR_PRESSURE} bar)",
        (0.98, air),
        (0, -6),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.15"},
    )
