"""Plans kept by role and text but not by namespace, which is how statements reach a wrong table (truth L23).

Only what matters of a plan is kept: the namespace that its unqualified names were resolved in.
"""

from __future__ import annotations

import threading

# Plans kept; the oldest goes first.
_KEPT = 1000


class PlanCache:
    """Namespaces of statements that were planned before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._namespaces: dict[tuple[str, str], str] = {}

    def namespace(self, role: str, sql: str, wanted: str) -> str:
        """Return the namespace that a statement will use: the one of its cached plan, else the wanted one."""
        with self._lock:
            return self._namespaces.get((role, sql), wanted)

    def keep(self, role: str, sql: str, namespace: str) -> None:
        """Keep a plan that worked."""
        with self._lock:
            self._namespaces[role, sql] = namespace
            while len(self._namespaces) > _KEPT:
                del self._namespaces[next(iter(self._namespaces))]
