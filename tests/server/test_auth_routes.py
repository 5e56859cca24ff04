"""Login, refresh, me, logout, status and set-up over HTTP."""

import base64
import json

import pytest
from serving import ROOT_PASSWORD, serving

from kalam_sandbox.tokens import TokenError, Tokens
from kalam_sandbox.users import LockedError, Users, WrongPasswordError

GOOD = {"user": "root", "password": ROOT_PASSWORD}


@pytest.fixture(scope="module")
def served():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def no_cookies(served):
    served.client.cookies.clear()


def login(served, **body):
    answer = served.client.post("/v1/api/auth/login", json=body or GOOD)
    served.client.cookies.clear()
    return answer


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_login_answers_user_tokens_and_cookies(served):
    answer = login(served)
    body = answer.json()
    assert set(body) == {
        "user", "admin_ui_access", "expires_at", "access_token", "refresh_token", "refresh_expires_at",
    }  # fmt: skip
    assert set(body["user"]) == {"id", "role", "email", "created_at", "updated_at"}
    assert body["user"]["role"] == "system"
    assert body["admin_ui_access"] is True
    assert len(body["expires_at"].partition(".")[2]) == len("123456789+00:00")
    told = claims(body["access_token"])
    assert {key: told[key] for key in ("sub", "iss", "email", "role", "token_type")} == {
        "sub": "root", "iss": "kalamdb", "email": "root@localhost", "role": "system", "token_type": "access",
    }  # fmt: skip
    assert told["exp"] - told["iat"] == 24 * 3600
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.split("=")[0] for cookie in cookies] == ["kalamdb_auth", "kalamdb_refresh"]
    for cookie in cookies:
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "expires="))
        assert "Max-Age" not in cookie


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"username": "root", "password": ROOT_PASSWORD}, 200, '"id":"root"'),
        ({"user": "root", "password": "x"}, 401, '{"error":"unauthorized","message":"Invalid credentials"}'),
        ({"user": "nobody", "password": "x"}, 401, '{"error":"unauthorized","message":"Invalid credentials"}'),
        ({"user": "root", "password": "x", "z": 1}, 400, "Json deserialize error: unknown field `z`, expected one of "
         "`user`, `username`, `password`"),
        ({"user": "root"}, 400, "Json deserialize error: missing field `password`"),
        ({"user": 1, "password": "x"}, 400, "Json deserialize error: invalid type"),
        ({"user": "x" * 129, "password": "x"}, 400, "Json deserialize error"),
        ([], 400, "Json deserialize error"),
    ],
)  # fmt: skip
def test_login_bodies(served, body, status, text):
    answer = served.client.post("/v1/api/auth/login", json=body)
    assert (answer.status_code, text in answer.text) == (status, True)
    if status == 400:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_refresh(served):
    body = login(served).json()
    refreshed = served.client.post("/v1/api/auth/refresh", headers=bearer(body["refresh_token"]))
    served.client.cookies.clear()
    assert refreshed.status_code == 200
    assert served.client.get("/v1/api/auth/me", headers=bearer(refreshed.json()["access_token"])).status_code == 200
    cases = {
        "Refresh endpoint requires a refresh token": bearer(body["access_token"]),
        "No refresh token found": {},
        "Invalid JWT header: InvalidToken": bearer("garbage"),
        "Authorization header must use Bearer token": {"Authorization": "Basic x"},
        "Bearer token missing": {"Authorization": "Bearer"},
    }
    for message, headers in cases.items():
        answer = served.client.post("/v1/api/auth/refresh", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized", "message": message})


def test_cookie_wins_over_the_header_when_refreshing(served):
    body = login(served).json()
    headers = {**bearer(body["access_token"]), "Cookie": f"kalamdb_refresh={body['refresh_token']}"}
    assert served.client.post("/v1/api/auth/refresh", headers=headers).status_code == 200
    headers = {**bearer(body["refresh_token"]), "Cookie": "kalamdb_refresh=broken"}
    assert served.client.post("/v1/api/auth/refresh", headers=headers).status_code == 401


def test_me(served):
    body = login(served).json()
    me = served.client.get("/v1/api/auth/me", headers=bearer(body["access_token"]))
    assert me.json()["user"]["id"] == "root"
    lower = {"Authorization": f"bearer {body['access_token']}"}
    assert served.client.get("/v1/api/auth/me", headers=lower).status_code == 200
    cookie = {"Cookie": f"kalamdb_auth={body['access_token']}"}
    assert served.client.get("/v1/api/auth/me", headers=cookie).status_code == 200
    cases = {
        "No auth token found": {},
        "Invalid credentials": bearer(body["refresh_token"]),
        "JWT validation failed: Invalid JWT header: InvalidToken": bearer("garbage"),
    }
    for message, headers in cases.items():
        answer = served.client.get("/v1/api/auth/me", headers=headers)
        assert (answer.status_code, answer.json()["message"]) == (401, message)


def test_logout_empties_the_cookies(served):
    answer = served.client.post("/v1/api/auth/logout")
    assert answer.json() == {"message": "Logged out successfully"}
    for cookie in answer.headers.get_list("set-cookie"):
        assert "expires=Thu, 01 Jan 1970 00:00:00 GMT" in cookie


@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        (None, "MISSING_AUTHORIZATION", "Authentication required"),
        ("Bearer a.b.c", "INVALID_CREDENTIALS", "Invalid credentials"),
        ("Bearer abc", "INVALID_CREDENTIALS", "Invalid credentials"),
        ("Basic cm9vdDp4", "INVALID_CREDENTIALS", "Invalid credentials"),
        ("bearer {access}", "INVALID_CREDENTIALS", "Invalid credentials"),
        ("Bearer {refresh}", "INVALID_CREDENTIALS", "Invalid credentials"),
    ],
)
def test_bearer_routes_refuse(served, header, code, message):
    body = login(served).json()
    headers = {}
    if header:
        told = header.format(access=body["access_token"], refresh=body["refresh_token"])
        headers = {"Authorization": told}
    answer = served.client.post("/v1/api/sql", json={"sql": "SELECT 1"}, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == {"code": code, "message": message}
    assert list(answer.json()) == ["error", "results", "status", "took"]


def test_foreign_signature_is_refused(served):
    head, body, _ = login(served).json()["access_token"].split(".")
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(b'x' * 32).decode().rstrip('=')}"
    answer = served.client.post("/v1/api/sql", json={"sql": "SELECT 1"}, headers=bearer(forged))
    assert answer.json()["error"]["code"] == "INVALID_CREDENTIALS"


def test_expired_tokens_say_so():
    with serving(access_token_seconds=-120.0) as served:
        token = login(served).json()["access_token"]
        answer = served.client.post("/v1/api/sql", json={"sql": "SELECT 1"}, headers=bearer(token))
        assert answer.status_code == 401
        assert answer.json()["error"] == {"code": "TOKEN_EXPIRED", "message": "Invalid credentials"}


def test_changed_role_and_dropped_user_invalidate_tokens(served):
    served.add_user("temp", "user")
    assert served.rows("SELECT 1", user="temp") == [["1"]]
    served.sql("ALTER USER 'temp' SET ROLE service")
    assert served.failure("SELECT 1", user="temp")[0] == "INVALID_CREDENTIALS"
    served.sql("ALTER USER 'temp' SET ROLE user; DROP USER 'temp'")
    assert served.failure("SELECT 1", user="temp")[0] == "INVALID_CREDENTIALS"
    assert login(served, user="temp", password="Correct-Horse-9").status_code == 401


def test_setup():
    with serving(root_password="") as served:
        status = served.client.get("/v1/api/auth/status").json()
        assert status["needs_setup"] is True
        empty = login(served, user="root", password="")
        assert (empty.status_code, empty.json()["error"]) == (428, "setup_required")
        assert login(served, user="root", password="x").status_code == 401
        body = {"user": "admin", "password": "AdminPass123!", "root_password": "RootPass123!", "email": "a@x"}
        refused = {
            "weak_password": {"password": "short"},
            "invalid_user": {"user": "../x"},
        }
        for code, change in refused.items():
            answer = served.client.post("/v1/api/auth/setup", json={**body, **change})
            assert (answer.status_code, answer.json()["error"]) == (400, code)
        answer = served.client.post("/v1/api/auth/setup", json=body)
        assert answer.status_code == 200
        assert answer.json()["user"]["role"] == "dba"
        assert "access_token" not in answer.json()
        assert login(served, user="admin", password="AdminPass123!").status_code == 200
        assert login(served, user="root", password="RootPass123!").status_code == 200
        again = served.client.post("/v1/api/auth/setup", json=body)
        assert (again.status_code, again.json()["error"]) == (409, "already_configured")
        assert served.client.get("/v1/api/auth/status").json() == {
            "needs_setup": False,
            "message": "Server is configured and ready.",
        }


def test_remote_callers_may_not_ask_for_the_status(served):
    answer = served.client.get("/v1/api/auth/status", headers={"X-Forwarded-For": "10.0.0.1"})
    assert answer.status_code == 403


def test_rate_of_logins():
    with serving(auth_per_second=2) as served:
        codes = [login(served).status_code for _ in range(4)]
        assert codes[:2] == [200, 200]
        assert 429 in codes
        assert served.client.get("/v1/api/auth/me").status_code == 401


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


def test_five_wrong_passwords_lock_the_login_for_a_while():
    clock = Clock()
    users = Users("right", lock_after_failures=5, lock_seconds=900.0, clock=clock)
    for _ in range(5):
        with pytest.raises(WrongPasswordError):
            users.login("root", "wrong")
    with pytest.raises(LockedError) as locked:
        users.login("root", "right")
    assert locked.value.minutes == 15
    clock.now += 61
    with pytest.raises(LockedError) as locked:
        users.login("root", "right")
    assert locked.value.minutes == 14
    clock.now += 900
    assert users.login("root", "right").user_id == "root"


def test_right_password_forgets_the_wrong_ones():
    users = Users("right", lock_after_failures=3, lock_seconds=900.0)
    for _ in range(4):
        for _ in range(2):
            with pytest.raises(WrongPasswordError):
                users.login("root", "wrong")
        users.login("root", "right")


def test_tokens_end_after_their_leeway():
    clock = Clock()
    users = Users("right", lock_after_failures=5, lock_seconds=900.0, clock=clock)
    tokens = Tokens(users, access_seconds=100.0, clock=clock)
    token = tokens.make(users.login("root", "right"), "access")
    clock.now += 159
    assert tokens.user_of(token).user_id == "root"
    clock.now += 2
    with pytest.raises(TokenError) as expired:
        tokens.user_of(token)
    assert expired.value.code == "TOKEN_EXPIRED"


def test_passwords_are_not_kept_or_shown():
    users = Users("Secret-Pass-1", lock_after_failures=5, lock_seconds=900.0)
    assert "Secret-Pass-1" not in repr(users.get("root"))
    assert "Secret-Pass-1" not in users.get("root").password_hash
