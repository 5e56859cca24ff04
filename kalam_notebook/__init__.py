"""KalamDB in Jupyter."""
