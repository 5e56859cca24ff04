"""What a command may use: the parts of the server and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from kalam_sandbox.backend import Caller
from kalam_sandbox.engine.plan_cache import PlanCache
from kalam_sandbox.engine.scans import ScanLog
from kalam_sandbox.files import FileStore
from kalam_sandbox.jobs import Jobs
from kalam_sandbox.options import Options
from kalam_sandbox.store.catalog import Catalog
from kalam_sandbox.store.commit import Committer
from kalam_sandbox.system_tables import SystemTables
from kalam_sandbox.topics import Topics
from kalam_sandbox.users import Users


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
