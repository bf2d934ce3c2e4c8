"""A long time under load: `python -m verification.faults.soak`."""
