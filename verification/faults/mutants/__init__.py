"""Hostile JPEGs through the gate and the embedded engine: see `__main__`."""
