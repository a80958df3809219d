"""Campaigns on supercomputers through FireWorks: submit, status, collect, retry."""
