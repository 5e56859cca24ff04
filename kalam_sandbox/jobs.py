"""Background jobs as far as the sandbox has them: done at once, but listed in `system.jobs`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kalam_sandbox.ids import job_id
from kalam_sandbox.store.catalog import now_ms


@dataclass(frozen=True, slots=True)
class Job:
    """One finished job; `kind` is the `job_type` of the server, for example ``flush``."""

    job_id: str
    kind: str
    parameters: dict[str, object]
    message: str
    created_ms: int


class Jobs:
    """All jobs since the server started."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def done(self, prefix: str, kind: str, parameters: dict[str, object], message: str) -> Job:
        """Record a job that has just been carried out."""
        job = Job(job_id(prefix), kind, parameters, message, now_ms())
        self._jobs.append(job)
        return job

    def node_rows(self) -> Iterable[tuple[object, ...]]:
        """Return the rows of `system.job_nodes`; the only node carries out every job."""
        for job in self._jobs:
            at = job.created_ms
            yield job.job_id, 1, "completed", None, at, at, at, at

    def rows(self) -> Iterable[tuple[object, ...]]:
        """Return the rows of `system.jobs`."""
        for job in self._jobs:
            at = job.created_ms
            parameters = json.dumps(job.parameters, separators=(",", ":"))
            yield (
                job.job_id, job.kind, "completed", "completed", parameters, job.message, None, None, None, None, 0, 3,
                None, None, at, at, at, at, 1, 1,
            )  # fmt: skip
