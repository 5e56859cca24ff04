"""Rounds, deltas and proofs that keep a live table equal to the server."""
