"""The server's messages one by one."""
