"""A table at the end of a run: how many tests passed, by subject. With ``pytest --by-subject``."""

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

import pytest

#: Names of test modules and their subject; the first that fits. Others have a subject of their own.
SUBJECTS = {
    "faults/test_topic_*": "Faults: topics",
    "faults/test_event_*": "Faults: live events",
    "faults/*": "Faults: live tables",
    "client/test_truth": "Truth: reading, writing",
    "client/test_live_truth": "Truth: live",
    "client/test_writing*": "Writing",
    "client/test_live_events": "Live events",
    "client/test_live_*": "Live tables",
    "client/test_delta": "Live tables",
    "client/test_recording_*": "Recordings",
    "client/test_files": "Files",
    "client/test_topics": "Topics",
    "client/test_loops": "Notebook",
    "client/test_magics": "Notebook",
    "client/test_rerun_*": "Notebook",
    "client/test_any_select": "Reading",
    "client/test_local_*": "Reading",
    "client/test_object_*": "Reading",
    "client/test_sorts": "Reading",
    "client/test_types": "Reading",
    "client/test_client": "Clients",
    "client/test_proxied_server": "Clients",
}


def subject_of(nodeid: str) -> str:
    """The subject of a test."""
    path = PurePosixPath(nodeid.split("::")[0]).with_suffix("")
    name = "/".join(path.parts[-2:])
    own = path.name.removeprefix("test_").replace("_", " ").capitalize()
    return next((subject for pattern, subject in SUBJECTS.items() if fnmatch(name, pattern)), own)


@dataclass
class Row:
    """One line of the table."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Row") -> "Row":
        return Row(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
        )

    def text(self, subject: str) -> str:
        """The line; the time is what the tests took one after another."""
        return f"{subject:<25}{self.passed:>8}{self.failed:>8}{self.skipped:>9}{self.seconds:>8.0f} s"


def rows_of(reports: list[pytest.TestReport]) -> dict[str, Row]:
    """The lines by subject, in the order of their names. A test with a failure in any of its phases has failed."""
    phases = defaultdict(list)
    for report in reports:
        phases[report.nodeid].append(report)
    rows: dict[str, Row] = defaultdict(Row)
    for nodeid, found in phases.items():
        outcomes = {report.outcome for report in found}
        seconds = sum(report.duration for report in found)
        failed, skipped = "failed" in outcomes, "skipped" in outcomes
        rows[subject_of(nodeid)] += Row(not (failed or skipped), failed, skipped and not failed, seconds)
    return dict(sorted(rows.items()))


def pytest_addoption(parser):
    parser.addoption("--by-subject", action="store_true", help="print a table of what passed by subject at the end")


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--by-subject"):
        return
    reports = [
        report for found in terminalreporter.stats.values() for report in found if isinstance(report, pytest.TestReport)
    ]
    rows = rows_of(reports)
    terminalreporter.section("by subject")
    terminalreporter.write_line(f"{'':<25}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>10}")
    for subject, row in rows.items():
        terminalreporter.write_line(row.text(subject))
    terminalreporter.write_line(sum(rows.values(), Row()).text("All"))
