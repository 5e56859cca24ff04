"""Users, their passwords and their logins, in memory.

Passwords are kept as salted PBKDF2 hashes with few rounds: nothing here survives the process, and a sandbox must
log in fast. The lock after wrong passwords follows protocol/http.md#login.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kalam_sandbox.store.catalog import now_ms

_ROUNDS = 2_000
# A few of the passwords that the server's list refuses at set-up.
_COMMON = {"password", "12345678", "123456789", "qwertyui", "iloveyou", "sunshine", "princess", "football"}


@dataclass(slots=True)
class User:
    """One account; `deleted_ms` is set by DROP USER, the name stays taken."""

    user_id: str
    role: str
    email: str | None
    auth_type: str
    created_ms: int
    updated_ms: int
    password_hash: str = field(default="", repr=False)
    failed_logins: int = 0
    locked_until: float | None = None
    last_login_ms: int | None = None
    deleted_ms: int | None = None


class WrongPasswordError(Exception):
    """Unknown user, wrong password, deleted user: the answer tells no difference."""


class LockedError(Exception):
    """Too many wrong passwords; `minutes` says for how long."""

    def __init__(self, minutes: int) -> None:
        super().__init__(minutes)
        self.minutes = minutes


class Users:
    """All accounts of one server."""

    def __init__(
        self,
        root_password: str,
        *,
        lock_after_failures: int,
        lock_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        self._lock_after = lock_after_failures
        self._lock_seconds = lock_seconds
        self._clock = clock
        self.add("root", "system", password=root_password or None, email="root@localhost", auth_type="Internal")

    def all(self) -> list[User]:
        """Return all accounts, dropped ones included, by id."""
        return sorted(self._users.values(), key=lambda user: user.user_id)

    def get(self, user_id: str) -> User | None:
        """Return a living account."""
        user = self._users.get(user_id)
        return user if user is not None and user.deleted_ms is None else None

    def is_taken(self, user_id: str) -> bool:
        """Say whether the name was ever used."""
        return user_id in self._users

    def add(
        self, user_id: str, role: str, *, password: str | None, email: str | None, auth_type: str = "Password"
    ) -> User:
        """Create an account; the caller has checked that the name is free."""
        now = now_ms()
        user = User(user_id, role, email, auth_type, now, now, hash_password(password) if password else "")
        with self._lock:
            self._users[user_id] = user
        return user

    def set_password(self, user: User, password: str) -> None:
        """Give an account another password."""
        user.password_hash = hash_password(password)
        user.updated_ms = now_ms()

    @property
    def needs_setup(self) -> bool:
        """Whether root has no password yet."""
        return not self._users["root"].password_hash

    def login(self, user_id: str, password: str) -> User:
        """Return the account whose password this is.

        Raises:
            LockedError: Too many wrong passwords, whatever was sent now.
            WrongPasswordError: Anything else.
        """
        user = self.get(user_id)
        if user is None:
            raise WrongPasswordError
        with self._lock:
            now = self._clock()
            if user.locked_until is not None and user.locked_until > now:
                raise LockedError(max(1, -int(-(user.locked_until - now) // 60)))
            if not verify_password(password, user.password_hash):
                self._count_failure(user, now)
                raise WrongPasswordError
            user.failed_logins, user.locked_until = 0, None
            user.last_login_ms = user.updated_ms = now_ms()
            return user

    def _count_failure(self, user: User, now: float) -> None:
        user.failed_logins += 1
        if user.failed_logins >= self._lock_after:
            user.failed_logins = 0
            user.locked_until = now + self._lock_seconds


def hash_password(password: str) -> str:
    """Return a salted hash."""
    salt = secrets.token_hex(8)
    return f"pbkdf2${salt}${_digest(password, salt)}"


def verify_password(password: str, stored: str) -> bool:
    """Say whether a password fits a hash; an empty hash fits none."""
    _, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    return bool(digest) and hmac.compare_digest(_digest(password, salt), digest)


def _digest(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _ROUNDS).hex()


def weakness(password: str) -> str | None:
    """Return why set-up refuses a password, None when it does not."""
    size = len(password.encode())
    if size < 8:
        return "Weak password: Password must be at least 8 characters"
    if size > 72:
        return "Weak password: Password must be at most 72 characters"
    return "Weak password: Password is too common" if password.lower() in _COMMON else None
