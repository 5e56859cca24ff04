"""The calls about the server itself: log in, look after it, set it up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from kalam_notebook.callers import short_failures
from kalam_notebook.client import diagnostics
from kalam_notebook.client.base import ClientBase
from kalam_notebook.client.diagnostics import ClusterHealth, Health, SetupStatus
from kalam_notebook.client.saved_logins import entry_of, write_login
from kalam_notebook.errors import PermissionDeniedError
from kalam_notebook.http import session
from kalam_notebook.http.client import Request
from kalam_notebook.settings import DEFAULT_PROFILE, Secret, logins_path, read_saved_logins
from kalam_notebook.texts import in_line
from kalam_notebook.wire.answered import json_object
from kalam_notebook.wire.arguments import check_text
from kalam_notebook.wire.auth import Login, UserInfo, parse_user

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AdministrationCalls"]


@short_failures
class AdministrationCalls(ClientBase):
    """Tokens, health and set-up."""

    def login(self, user: str, password: str | Secret) -> Login:
        """Exchange a user and password for tokens, without changing who this client is.

        Args:
            user: User id.
            password: Its password.

        Returns:
            An access token, a refresh token, and until when they are good.

        Raises:
            AuthError: The server refuses.
        """
        secret, password = Secret.of(password), ""
        return session.login(self._http, user, secret, timeout=self._timeouts.auth)

    def refresh_access_token(self, refresh_token: str | Secret) -> Login:
        """Exchange a refresh token for new tokens, without changing who this client is.

        Args:
            refresh_token: As ``login`` returned it; it stays good until it ends.

        Returns:
            New tokens.

        Raises:
            AuthError: The server refuses.
        """
        secret, refresh_token = Secret.of(refresh_token), ""
        return session.refresh(self._http, secret, timeout=self._timeouts.auth)

    def save_login(self, name: str = DEFAULT_PROFILE) -> Path:
        """Save this client's login where the KalamDB CLI keeps its own; ``kalam.connect(profile=name)`` uses it.

        Tokens are saved and no password: the login holds until they end. Other logins in the file stay as they are, and
        nobody but its owner can read it.

        Args:
            name: Name of the login, in place of one that has it.

        Returns:
            The file, ``~/.kalam/credentials.toml`` or that of ``KALAMDB_CREDENTIALS_PATH``.

        Raises:
            AuthError: The server refuses the login.
            ConfigError: The file is damaged or cannot be written.
        """
        check_text("name", name, most=200)
        path = logins_path(os.environ)
        read_saved_logins(path)  # One that is damaged is said to be, and left alone.
        token, expires_at, refresh_token = self._session.tokens()
        entry = entry_of(url=self.url, user=self.user, token=token, expires_at=expires_at, refresh_token=refresh_token)
        write_login(path, name, entry)
        return path

    def health_check(self) -> Health:
        """Ask whether the server is up.

        Returns:
            Its state; version and build for clients on its own machine only.
        """
        try:
            return diagnostics.parse_health(self._get("/v1/api/healthcheck"))
        except PermissionDeniedError:
            return Health("up")

    def cluster_health_check(self) -> ClusterHealth:
        """Ask for the state of the cluster; works on the server's own machine only.

        Returns:
            Its nodes, and which of them leads.

        Raises:
            PermissionDeniedError: The client is on another machine.
        """
        return diagnostics.parse_cluster(self._get("/v1/api/cluster/health"))

    def check_setup_status(self) -> SetupStatus:
        """Ask whether the server waits for its first set-up.

        Returns:
            Whether it does, and what it says.

        Raises:
            PermissionDeniedError: The client is on another machine.
        """
        return diagnostics.parse_setup(self._get("/v1/api/auth/status"))

    def server_setup(
        self, user: str, password: str | Secret, root_password: str | Secret, *, email: str | None = None
    ) -> UserInfo:
        """Set root's password on a new server and create its first administrator. Log in afterwards.

        Args:
            user: User id of the administrator, who gets the role dba.
            password: The administrator's password, 8 to 72 bytes.
            root_password: The password of root, 8 to 72 bytes.
            email: The administrator's mail address.

        Returns:
            The administrator.

        Raises:
            ServerError: Already configured, a weak password, or a bad user id.
        """
        own, root = Secret.of(password), Secret.of(root_password)
        password = root_password = ""
        request = Request(
            "POST",
            "/v1/api/auth/setup",
            orjson.dumps(
                {
                    "user": check_text("user", user),
                    "password": check_text("password", own.reveal()),
                    "root_password": check_text("root_password", root.reveal()),
                    "email": None if email is None else check_text("email", email),
                }
            ),
            {"Content-Type": "application/json"},
            secrets=(own, root),
        )
        return parse_user(json_object(self._http.send(request).content).get("user"))

    def recent_requests(self) -> pd.DataFrame:
        """Tell what this client sent lately, the last 200 requests, without values, passwords and tokens.

        Returns:
            A row for each, the oldest first: ``at`` (UTC), ``request``, ``answer`` (the status, or the class of the
            error), ``seconds`` until the answer began, the beginning of its ``sql``, and the ``error`` with its causes
            where no answer came. The logger ``kalam_notebook`` tells of these, and of refusals, at the level INFO.
        """
        import pandas as pd

        rows = [
            (one.at, one.request, one.answer, one.seconds, in_line(one.sql, 300), one.error)
            for one in self._http.sent.last()
        ]
        return pd.DataFrame(rows, columns=["at", "request", "answer", "seconds", "sql", "error"])

    def _get(self, path: str) -> dict[str, Any]:
        self._check_open()
        return json_object(self._http.send(Request("GET", path, repeatable=True)).content)
