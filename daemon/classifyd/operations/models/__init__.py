"""The models that can be pulled: the catalog, and what brings one of them into a folder."""
