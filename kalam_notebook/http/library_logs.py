"""Secrets in the logs of libraries: httpcore tells at level DEBUG every header of an answer.

The login route answers with a cookie that holds the token (protocol/http.md#login). A filter on httpcore's logger
takes the values of cookies out; it is installed when the first transport is made, not at import.
"""

from __future__ import annotations

import logging
import re

__all__ = ["hide_cookies_in_logs"]

_LOGGER = "httpcore.http11"

#: A header as httpcore logs it, the repr of a pair of bytes. The cookie's name stays.
_COOKIE = re.compile(r"""(?i)(\(b'set-cookie', b(["'])[^=;"']*=?)(?:\\.|(?!\2).)*""")


class _WithoutCookies(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _COOKIE.sub(r"\1…", record.getMessage())
        record.args = None
        return True


_FILTER = _WithoutCookies()


def hide_cookies_in_logs() -> None:
    """Have httpcore log cookies without their values; may be called often."""
    logging.getLogger(_LOGGER).addFilter(_FILTER)  # Does nothing when it is there.
