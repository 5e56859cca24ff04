"""Error answers of every shape, and the bodies of requests.

The server has seven shapes of error bodies (protocol/http.md#errors); all become one exception type with code,
status and text. Called by the HTTP transport.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import orjson

from kalam_notebook.errors import AuthError, KalamError, RateLimitError, ServerError, server_error

__all__ = ["one_line", "raise_for_answer", "sql_body"]

#: Longer texts of a server are cut in messages.
_MESSAGE_CHARS = 2000
#: Codes of logins that are refused whatever the status.
_OF_LOGINS = {"unauthorized", "account_locked", "setup_required", "local_auth_disabled"}
_PAGE_HINT = "KalamDB sends no pages: check the URL, and proxies between."
_PROXY_HINT = "A proxy could not reach the server. Start the server, or try again."
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)


def sql_body(sql: str, params: list[Any]) -> bytes:
    """The JSON body of ``POST /v1/api/sql``. Names are qualified in the text; ``namespace_id`` is never sent (R9)."""
    body: dict[str, Any] = {"sql": sql}
    if params:
        body["params"] = params
    return orjson.dumps(body)


def raise_for_answer(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    sql: str | None = None,
    path: str = "",
    proxy_hint: str = "",
) -> None:
    """Raise the exception that belongs to an answer which is not a success.

    Args:
        status: HTTP status; below 300 nothing happens.
        body: The whole body.
        headers: Of the answer; ``Retry-After`` is read.
        sql: The text that was sent.
        path: Path of the request, for answers without a body.
        proxy_hint: What to say where the answer may be that of a proxy.
    """
    if status < 300:
        return
    code, message, details = _code_message_details(body)
    hint = ""
    if not code and message.startswith("<"):
        code, message = f"HTTP_{status}", _page_text(message, path)
        hint = _PROXY_HINT if status >= 502 else _PAGE_HINT
    if proxy_hint and not body.startswith(b"{"):
        hint = proxy_hint
    error = answer_error(status, one_line(code), one_line(message), headers, sql=details or sql, path=path)
    if isinstance(error, ServerError) and hint:
        error.hint = hint
    raise error


def one_line(text: str) -> str:
    """A text of the server or of SQL as one line of a message, with control characters made visible."""
    joined = " ".join(text.split())
    shown = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in joined[:_MESSAGE_CHARS])
    return shown if len(joined) <= _MESSAGE_CHARS else f"{shown}…"


def _page_text(page: str, path: str) -> str:
    """What a web page says: who answers is a proxy before the server, or no KalamDB at all."""
    found = _TITLE.search(page)
    title = one_line(html.unescape(re.sub("<[^>]*>", " ", found[2])))[:100] if found else ""
    return f"{path or 'the request'} was answered with a web page{f' ({title})' if title else ''}"


def answer_error(
    status: int, code: str, message: str, headers: Mapping[str, str], *, sql: str | None, path: str
) -> KalamError:
    """The exception for an error answer."""
    if status in (401, 428) or code in _OF_LOGINS:
        return AuthError(_auth_text(status, code, message), code or None, status, sql or "")
    if not code:
        code = f"HTTP_{status}"
        message = message or f"{path or 'the request'} was answered with status {status} and no text"
    error = server_error(code, message, status, sql)
    if isinstance(error, RateLimitError):
        error.retry_after = _seconds(headers.get("retry-after"))
    return error


def _auth_text(status: int, code: str, message: str) -> str:
    advice = {
        "unauthorized": "Check user and password: kalam.connect(url, user=..., password=...).",
        "account_locked": "Too many wrong passwords. Wait that long, then try again.",
        "local_auth_disabled": (
            "This server takes no passwords. Log in as it wants it, as a rule in a browser, and connect with the token "
            "from there: kalam.connect(url, token=...)."
        ),
        "setup_required": "root has no password yet. Call client.server_setup(user, password, root_password).",
        "TOKEN_EXPIRED": "The token has expired. Connect again, with a user and password or a fresh token.",
        "INVALID_CREDENTIALS": "The server does not accept the token. Connect again with a valid one.",
        "HTTP_401": _PAGE_HINT,
        "MISSING_AUTHORIZATION": "Connect with a user and password, or a token.",
    }.get(code, "Connect again with valid credentials.")
    text = f"{code}: {message}" if code else f"The server refused the login (status {status})."
    return f"{text}\n{advice}"


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


def _code_and_message(body: bytes) -> tuple[str, str]:
    return _code_message_details(body)[:2]


def _code_message_details(body: bytes) -> tuple[str, str, str | None]:
    try:
        raw = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict):
        return "", body.decode("utf-8", "replace").strip()[:500], None
    error = raw.get("error")
    if isinstance(error, dict):
        details = error.get("details")
        return str(error.get("code", "")), str(error.get("message", "")), details if isinstance(details, str) else None
    if isinstance(error, str) and "code" in raw:
        return str(raw["code"]), error, None
    if isinstance(error, str) and "message" in raw:
        return error, str(raw["message"]), None
    if isinstance(raw.get("code"), str):
        return raw["code"], str(raw.get("message", "")), None
    return "", str(error or raw)[:500], None
