"""Formation energies of several engines side by side: a table and a figure for docs/gpaw.md.

Each folder is the result of `vacancy-flows run` on one campaign with another engine. Every
engine keeps its own cell, energy scale and oxygen reference, so the columns may be compared in
their trends, never subtracted site by site as if they were one scale.

    python benchmarks/engines.py docs/gpaw_engines.png gpaw chgnet chgnet-r2scan
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vacancy_flows.analysis.figure_style import (
    COLOURS,
    ENERGY_LABEL,
    LINESTYLES,
    MARKERS,
    new_figure,
    style,
)

_WIDTH, _HEIGHT = 2.2, 2.7  # inches of a panel


def main(image: Path, folders: list[Path]) -> None:
    """Print the table of all sites that every engine has, and draw it."""
    rows = pd.concat(pd.read_csv(folder / "vacancies.csv") for folder in folders)
    if not rows["converged"].all():
        raise SystemExit("a vacancy is not converged: run that campaign on")
    columns = list(dict.fromkeys(rows["engine"]))
    keys = ["host", "wyckoff", "strain"]
    # A pivot_table would show the mean of two sites of one letter; this refuses them.
    table = rows.pivot(index=keys, columns="engine", values="formation_energy_eV")  # noqa: PD010
    table = table[columns].dropna().sort_index(level=[0, 1, 2], ascending=[False, True, True])
    lines = [("host, site, strain", *columns)]
    lines += [
        (f"{host}, {site}, {100 * strain:g} %", *(f"{energy:.2f}" for energy in energies))
        for (host, site, strain), energies in zip(table.index, table.to_numpy(), strict=True)
    ]
    lines.insert(1, ("---",) * len(lines[0]))
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))
    footer = [
        f"{engine}: energy scale {found['energy_scale'].iloc[0]}, mu_O = "
        f"{found['mu_o_eV'].iloc[0]:.3f} eV by {found['oxygen_scheme'].iloc[0]}."
        for engine, found in rows.groupby("engine", sort=False)
    ]
    footer.append("Each engine in its own cell; 12-atom cells before delithiation; neutral.")
    with style():
        _figure(table, footer).savefig(image, dpi=130)


def _figure(table: pd.DataFrame, footer: list[str]) -> Figure:
    groups = list(table.groupby(level=[0, 1], sort=False))
    figure = new_figure(_WIDTH * len(groups) + 0.5, _HEIGHT, footer)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for panel, ((host, site), energies) in zip(panels, groups, strict=True):
        strain = 100 * energies.index.get_level_values("strain")
        for i, engine in enumerate(table.columns):
            panel.plot(
                strain,
                energies[engine],
                color=COLOURS[i],
                marker=MARKERS[i],
                linestyle=LINESTYLES[i],
                label=engine,
            )
        panel.set(title=f"{host}, {site}", xlabel="strain (%)")
        panel.tick_params(direction="in", top=True, right=True)
    panels[0].set_ylabel(ENERGY_LABEL)
    panels[0].legend(frameon=False, loc="lower left")
    return figure


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
