"""Engines: what turns a structure into energies, forces, stresses and moments."""
