"""Statements against the store, evaluated by DataFusion."""
