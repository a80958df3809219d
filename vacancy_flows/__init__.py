"""Oxygen vacancy formation energies of battery cathodes.

`vacancy_flows.structures` and `vacancy_flows.analysis` work without any engine;
`vacancy_flows.flows` holds the jobflow Makers, `vacancy_flows.cli` the command line.
"""
