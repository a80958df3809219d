"""Oxygen vacancy formation energies of battery cathodes."""
