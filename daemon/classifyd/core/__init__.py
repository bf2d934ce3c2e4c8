"""Frozen values, errors, ports and pure logic: no threads, no I/O, no clock but the one passed in."""
