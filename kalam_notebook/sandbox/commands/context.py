"""What a command may use: the parts of the server and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from kalam_notebook.sandbox.backend import Caller
from kalam_notebook.sandbox.engine.plan_cache import PlanCache
from kalam_notebook.sandbox.engine.scans import ScanLog
from kalam_notebook.sandbox.files import FileStore
from kalam_notebook.sandbox.jobs import Jobs
from kalam_notebook.sandbox.options import Options
from kalam_notebook.sandbox.store.catalog import Catalog
from kalam_notebook.sandbox.store.commit import Committer
from kalam_notebook.sandbox.system_tables import SystemTables
from kalam_notebook.sandbox.topics import Topics
from kalam_notebook.sandbox.users import Users


@dataclass(frozen=True, slots=True)
class Server:
    """The parts of one sandbox server."""

    options: Options
    catalog: Catalog
    committer: Committer
    users: Users
    topics: Topics
    jobs: Jobs
    files: FileStore
    system: SystemTables
    plans: PlanCache
    scans: ScanLog


@dataclass(frozen=True, slots=True)
class Call:
    """One command being carried out."""

    server: Server
    caller: Caller
