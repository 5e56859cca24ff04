"""KalamDB's own statements: namespaces, tables, users, SHOW and the like."""
