"""The rows of live tables: stores, changes, history, fingerprints. Pure."""
