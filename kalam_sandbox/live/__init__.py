"""The WebSocket side of the sandbox: live queries as KalamDB 0.4.3-rc.4 serves them, mistakes included.

Pure parts: `syntax`, `messages`, `query`, `predicate`, `evaluate`, `changes`, `snapshot`, `frames`. State:
`registry`, `connection`, `subscription`, `faults`. Conversation: `session`, `subscribe`. `routes` alone touches
sockets. The rules: docs/protocol/live.md.
"""
