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
        self.catalog = catalog
        self.system = system
        self.options = options
        self.session = session
        self.reader = reader
        self.caller = caller
        self.namespace = namespace
        self.filled_as: dict[Name, Filling] = {}
        self.command = "select"

    def declare(self) -> None:
        """Bring the session's tables in step with the catalogue."""
        if self.session.catalog_version == self.catalog.version:
            return
        with self.catalog.lock:
            wanted = {f"{ns}.{name}": table.definition.schema for (ns, name), table in self.catalog.tables.items()}
            wanted |= {f"system.{name}": schema for name, schema in self.system.schemas.items()}
            namespaces = ["system", *self.catalog.namespaces]
            version = self.catalog.version
        self.session.declare(wanted, namespaces)
        for view in self.catalog.views.values():
            self._put_view(view)
        self.session.catalog_version = version

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
        with self.catalog.lock:
            views = [view for view in self.catalog.views.values() if view.name in words - inside]
            found = {name for name in self.catalog.tables if name[1] in words}
        if "system" in words:
            found |= {("system", name) for name in self.system.schemas if name in words}
        for view in views:
            below = self.mentioned(rewrite(view.sql, self.caller, self.options), inside | {view.name})
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
        schema = self.session.tables[".".join(name)]
        full_name = ".".join((name[0], copy_name(name[1], copy)))
        if name[0] == "system":
            self.session.fill(full_name, schema, [self.system.rows(name[1])])
            return
        try:
            batches = self.reader.scan(name, self.caller.user_id, filling)
        except ConversionError as wrong:
            # MODIFY COLUMN to a type that stored values do not fit (protocol/sql.md#alter-table).
            raise self.session.cast_failure(wrong.cells, wrong.kind) from None
        self.filled_as[name] = filling
        batches = row_rights.seen(self.session, self.caller, self.catalog.tables[name], batches, self.command)
        self.session.fill(full_name, schema, batches)

    def resolve(self, spelled: list[str]) -> list[Name]:
        """Return known tables for names as a plan spells them."""
        names = []
        for text in spelled:
            parts = text.replace('"', "").split(".")
            namespace = parts[-2] if len(parts) > 1 else self.namespace
            name = (namespace, original_name(parts[-1]))
            if name in self.catalog.tables or (namespace == "system" and parts[-1] in self.system.schemas):
                names.append(name)
        return names

    def own(self, spelled: list[str]) -> list[Name]:
        """Return those known tables that are no system tables."""
        return [name for name in self.resolve(spelled) if name[0] != "system"]

    def own_table(self, namespace: str | None, table: str) -> Name | None:
        """Return the table that a statement means, None where it was not filled."""
        name = (namespace or self.namespace, table)
        return name if name in self.filled_as else None

    def _put_view(self, view: View) -> None:
        self.session.use("default")
        self.session.put_view(f'"{view.namespace}"."{view.name}"', rewrite(view.sql, self.caller, self.options))
        self.session.use(self.namespace)
