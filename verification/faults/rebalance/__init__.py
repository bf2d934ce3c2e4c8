"""Daemons that share a group and an inbox come and go: see `__main__`."""
