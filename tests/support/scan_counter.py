"""Which scans a sandbox server made, for tests that count scans per question."""

from contextlib import contextmanager

import httpx


class ScanCounter:
    """Reads and resets ``/sandbox/scans`` of one server as root."""

    def __init__(self, url, root_password):
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        answer = self._http.post("/v1/api/auth/login", json={"user": "root", "password": root_password})
        self._http.cookies.clear()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def reset(self):
        """Forget all statements."""
        self._http.delete("/sandbox/scans").raise_for_status()

    def statements(self, table=None):
        """Return the statements since the reset that scanned a table, or all."""
        answer = self._http.get("/sandbox/scans").raise_for_status()
        return [
            one
            for one in answer.json()["statements"]
            if table is None or table in [scan["table"] for scan in one["scans"]]
        ]

    def scans(self, table=None):
        """Return the scans since the reset, those of one table or all."""
        found = [scan for one in self.statements() for scan in one["scans"]]
        return [scan for scan in found if table in (None, scan["table"])]

    def kinds(self, table=None):
        """Return the kinds of the scans since the reset, in order."""
        return [scan["kind"] for scan in self.scans(table)]

    def close(self):
        self._http.close()


@contextmanager
def scan_counter(url, root_password):
    """Give a counter that has just been reset."""
    counter = ScanCounter(url, root_password)
    try:
        counter.reset()
        yield counter
    finally:
        counter.close()
