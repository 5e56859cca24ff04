"""Consuming topics: which messages of a partition have come, what may be acknowledged, and the consumer itself."""
