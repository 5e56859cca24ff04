"""Tables, row versions and what happens to them at commit."""
