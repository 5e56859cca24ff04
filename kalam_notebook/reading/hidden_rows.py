"""Rows that the user does not see, of tables that look empty: nothing else tells them from empty ones.

Those of others in USER tables; and from KalamDB 0.6 on those of SHARED tables that no policy lets the user see, for the
roles ``user`` and ``service`` (protocol/sql.md#later-versions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.listing import Listings
from kalam_notebook.sql.shape import Shape

__all__ = ["HiddenRows"]

_JUDGED = {"user", "service"}


class HiddenRows:
    """Says which tables may have rows that the user does not see.

    Args:
        role: Tells the role of the user in lower case; empty when it is not known.
        listings: Tell the kinds of tables.
    """

    def __init__(self, role: Callable[[], str], listings: Listings) -> None:
        self._role = role
        self._listings = listings

    def notice(self, endpoint: Endpoint, tables: Iterable[str]) -> tuple[str, ...]:
        """A sentence for the first table without a row that may hide some; none where that is sure.

        Args:
            endpoint: Runs the SQL.
            tables: Names, as they can stand in SQL, of tables of a server that has policies.
        """
        if (role := self._role()) not in _JUDGED:
            return ()
        for table in tables:
            listed = self._listings.of(endpoint, table)
            if listed is not None and listed.kind != "shared":
                continue
            what = f"{table} is SHARED" if listed is not None else f"if {table} is SHARED"
            return (
                f"No rows, and {what}: of such a table the role {role} sees what a policy lets it, and nothing without "
                "one. An administrator makes one by CREATE POLICY.",
            )
        return ()

    def unseen(self, endpoint: Endpoint, shape: Shape, tables: Sequence[str], *, has_policies: bool) -> tuple[str, ...]:
        """What to know of a result without a row: a query without a condition may have come to the wrong user."""
        hidden = self.notice(endpoint, tables) if has_policies else ()
        if hidden or shape.clauses is None or shape.clauses.where or len(tables) != 1:
            return hidden
        # Newer servers document EXECUTE AS without USER alone (protocol/sql.md#later-versions).
        return self._of_others(endpoint, tables[0], "EXECUTE AS" if has_policies else "EXECUTE AS USER")

    def _of_others(self, endpoint: Endpoint, table: str, execute_as: str) -> tuple[str, ...]:
        """A sentence where a table without a row may have rows of other users."""
        listed = self._listings.of(endpoint, table)
        if listed is None or listed.kind != "user":
            return ()
        return (
            f"No rows of yours: {table} is a USER table, and everybody sees their own. Whoever may reads another's by "
            f"{execute_as} 'name' (SELECT * FROM {table}).",
        )
