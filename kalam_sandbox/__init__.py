"""A local stand-in for a KalamDB server 0.4.3-rc.4, in a process of its own.

Users start one with ``kalam_notebook.sandbox()``. Importing this loads the standard library alone: engine and web
server are imported by the started process, which needs ``pip install 'kalam-notebook[sandbox]'``. Nothing here knows
the client, and the client knows nothing of this.
"""

from __future__ import annotations

from kalam_sandbox.launcher import SandboxError, SandboxServer, start

__all__ = ["SandboxError", "SandboxServer", "start"]
