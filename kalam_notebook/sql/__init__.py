"""What is known of a SQL text without asking the server. Pure."""
