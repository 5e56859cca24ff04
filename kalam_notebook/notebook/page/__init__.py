"""What a notebook's page shows of live tables."""
