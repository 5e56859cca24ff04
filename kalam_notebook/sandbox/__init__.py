"""A local stand-in for a KalamDB server 0.4.3-rc.4, in a process of its own.

The module itself is callable, so that ``with kalam_notebook.sandbox() as server:`` starts one. Importing it
loads the standard library alone: engine and web server are imported by the started process, which needs
``pip install 'kalam-notebook[sandbox]'``. Nothing here knows the client, and the client knows nothing of this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

from kalam_notebook.sandbox.launcher import SandboxError, SandboxServer, start

__all__ = ["SandboxError", "SandboxServer", "start"]


class _CallableModule(ModuleType):
    """Lets users write ``kalam_notebook.sandbox()`` for ``kalam_notebook.sandbox.start()``."""

    def __call__(self, *, port: int = 0, options: Sequence[str] = (), timeout: float = 30.0) -> SandboxServer:
        return start(port=port, options=options, timeout=timeout)


sys.modules[__name__].__class__ = _CallableModule
