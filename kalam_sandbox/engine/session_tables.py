"""The tables of a session, filled with the rows that one caller sees. Called by ``engine.select``."""

from __future__ import annotations

from kalam_sandbox.backend import Caller
from kalam_sandbox.engine import row_rights
from kalam_sandbox.engine.reader import Filling, Reader
from kalam_sandbox.engine.rewrite import rewrite
from kalam_sandbox.engine.session import Session
from kalam_sandbox.options import Options
from kalam_sandbox.sql.references import copy_name, original_name
from kalam_sandbox.sql.tokens import QUOTED, WORD, UnterminatedError, tokenize
from kalam_sandbox.store.catalog import Catalog, Name, View
from kalam_sandbox.store.versions import ConversionError
from kalam_sandbox.system_tables import SystemTables

#: Rows as UPDATE, DELETE and most of SELECT see them.
_PLAIN = Filling(whole=True)


class SessionTables:
    """The tables that the statements of one request name.

    Attributes:
        filled_as: How the tables of a statement were filled.
        command: What the statement does with the rows that it finds.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        system: SystemTables,
        options: Options,
        session: Session,
        reader: Reader,
        caller: Caller,
        namespace: str,
    ) -> None:
        self._catalog = catalog
        self._system = system
        self._options = options
        self._session = session
        self._reader = reader
        self._caller = caller
        self._namespace = namespace
        self.filled_as: dict[Name, Filling] = {}
        self.command = "select"

    def declare(self) -> None:
        """Bring the session's tables in step with the catalogue."""
        if self._session.catalog_version == self._catalog.version:
            return
        with self._catalog.lock:
            wanted = {f"{ns}.{name}": table.definition.schema for (ns, name), table in self._catalog.tables.items()}
            wanted |= {f"system.{name}": schema for name, schema in self._system.schemas.items()}
            namespaces = ["system", *self._catalog.namespaces]
            version = self._catalog.version
        self._session.declare(wanted, namespaces)
        for view in self._catalog.views.values():
            self._put_view(view)
        self._session.catalog_version = version

    def mentioned(self, text: str, inside: frozenset[str] = frozenset()) -> set[Name]:
        """Return tables whose name occurs in the text, and those of the views it mentions.

        Args:
            text: A statement or the query of a view.
            inside: Names of the views whose queries are being looked into.
        """
        try:
            words = {token.name.lower() for token in tokenize(text) if token.kind in (WORD, QUOTED)}
        except UnterminatedError:
            return set()
        with self._catalog.lock:
            views = [view for view in self._catalog.views.values() if view.name in words - inside]
            found = {name for name in self._catalog.tables if name[1] in words}
        if "system" in words:
            found |= {("system", name) for name in self._system.schemas if name in words}
        for view in views:
            below = self.mentioned(rewrite(view.sql, self._caller, self._options), inside | {view.name})
            self.fill(below)
            self._put_view(view)
            found |= below
        return found

    def fill(self, names: set[Name]) -> None:
        """Put the present rows into tables of the session."""
        for name in names:
            self.fill_one(name)

    def fill_one(self, name: Name, filling: Filling = _PLAIN, *, copy: int = 1) -> None:
        """Put the present rows into a table of the session, or into one that stands for a further mention of it."""
        schema = self._session.tables[".".join(name)]
        full_name = ".".join((name[0], copy_name(name[1], copy)))
        if name[0] == "system":
            self._session.fill(full_name, schema, [self._system.rows(name[1])])
            return
        try:
            batches = self._reader.scan(name, self._caller.user_id, filling)
        except ConversionError as wrong:
            # MODIFY COLUMN to a type that stored values do not fit (protocol/sql.md#alter-table).
            raise self._session.cast_failure(wrong.cells, wrong.kind) from None
        self.filled_as[name] = filling
        batches = row_rights.seen(self._session, self._caller, self._catalog.tables[name], batches, self.command)
        self._session.fill(full_name, schema, batches)

    def resolve(self, spelled: list[str]) -> list[Name]:
        """Return known tables for names as a plan spells them."""
        names = []
        for text in spelled:
            parts = text.replace('"', "").split(".")
            namespace = parts[-2] if len(parts) > 1 else self._namespace
            name = (namespace, original_name(parts[-1]))
            if name in self._catalog.tables or (namespace == "system" and parts[-1] in self._system.schemas):
                names.append(name)
        return names

    def own(self, spelled: list[str]) -> list[Name]:
        """Return those known tables that are no system tables."""
        return [name for name in self.resolve(spelled) if name[0] != "system"]

    def own_table(self, namespace: str | None, table: str) -> Name | None:
        """Return the table that a statement means, None where it was not filled."""
        name = (namespace or self._namespace, table)
        return name if name in self.filled_as else None

    def _put_view(self, view: View) -> None:
        self._session.use("default")
        self._session.put_view(f'"{view.namespace}"."{view.name}"', rewrite(view.sql, self._caller, self._options))
        self._session.use(self._namespace)
