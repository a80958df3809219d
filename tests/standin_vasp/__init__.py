"""A stand-in for the executable ``vasp_std``, for tests of run_vasp → custodian → TaskDoc.

It is **not VASP** and solves no electronic problem:

- energy, forces and stress are those of a toy pair potential (`toy`; CHGNet with
  ``STANDIN_VASP_POTENTIAL=chgnet``); they do not depend on ENCUT, k-points, U or the functional;
- magnetic moments follow a rule (`moments`), bands, density of states and charge density
  (`bands`, `density`) are invented. None of them may be shown as a result.

What it does take seriously is the interface: the inputs that it reads, the files that it
writes, and the ways in which a run can fail (`faults`). `install` puts it on PATH.
"""
