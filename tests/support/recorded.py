"""Recorded HTTP exchanges of a real server: reading them, sending them again, comparing the answers.

Two runs never share times, tokens, identifiers or the order of rows that nothing orders; `comparable` takes those out
and leaves everything else.
"""

import base64
import json
import re
from pathlib import Path

import httpx

FOLDER = Path(__file__).parents[1] / "data" / "recordings"
SNOWFLAKE = re.compile(r"\b38\d{16}\b")
VARYING = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b(?=\)|')"), "<transaction>"),
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "<ulid>"),
    (re.compile(r"\b(CL|FL)-[0-9a-f]{12}\b"), r"<\1 job>"),
    (SNOWFLAKE, "<snowflake>"),
    (re.compile(r"\b2026-\d\d-\d\dT[\d:.]+\+00:00"), "<time>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "<build date>"),
    (re.compile(r"\b179\d{10}(?:\d{3})*\b"), "<now>"),
    # The engine prints field metadata in the order of a hash map.
    (re.compile(r"\{\"kalam_[^}]*\}"), "<field metadata>"),
    (re.compile(r"sub-[a-z0-9-]+-[0-9a-f]{32}"), "<subscription>"),
)
# Members that hold a secret or a measurement.
LEFT_OUT = {"took", "access_token", "refresh_token", "expires_at", "refresh_expires_at", "last_login_at"}
# The length of a multipart body depends on the boundary that the client chooses.
LEFT_OUT |= {"size_bytes"}
PASSWORDS = {"root": None, "alice": "Correct-Horse-9"}


def load(name):
    with (FOLDER / name).open() as lines:
        return [json.loads(line) for line in lines]


def exceptions(name):
    """Return the exchanges that are not compared, with the reason for each."""
    return json.loads((FOLDER / "exceptions.json").read_text())[name]


def comparable(value, *, ordered):
    """Return a body without what varies from run to run; rows are sorted unless the statement orders them."""
    if isinstance(value, dict):
        kept = {k: comparable(_payload(k, v), ordered=ordered) for k, v in value.items() if k not in LEFT_OUT}
        if isinstance(kept.get("rows"), list) and not ordered:
            kept["rows"].sort(key=_as_text)
        return kept
    if isinstance(value, list):
        return [comparable(item, ordered=ordered) for item in value]
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return value
    text = str(value)
    for pattern, label in VARYING:
        text = pattern.sub(label, text)
    return value if text == str(value) else text


def without_list_order(value):
    """Return a value with all lists sorted: `array_agg` gives its elements in no order."""
    if isinstance(value, dict):
        return {key: without_list_order(item) for key, item in value.items()}
    return sorted((without_list_order(item) for item in value), key=_as_text) if isinstance(value, list) else value


def _payload(key, value):
    return json.loads(base64.b64decode(value)) if key == "payload" else value


def _as_text(value):
    return json.dumps(value, sort_keys=True)


class Player:
    """Sends recorded requests to a server, each user with an own token."""

    def __init__(self, url, root_password):
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.passwords = {**PASSWORDS, "root": root_password}
        self.tokens = {}
        # Identifiers that the recording names and what this server made instead.
        self.learned = {}

    def close(self):
        self.client.close()

    def send(self, exchange):
        """Send one request; return status and body, status ``cut`` when the connection was closed."""
        request = self._translated(exchange["request"])
        try:
            answer = self.client.request(
                request["method"], request["path"], headers=self._headers(exchange), **self._content(exchange, request)
            )
        except httpx.RemoteProtocolError:
            return "cut", None
        finally:
            # A login cookie would win over the header.
            self.client.cookies.clear()
        return answer.status_code, _body(answer)

    def learn(self, recorded, own):
        """Pair the identifiers of a recorded body with those of this server's body."""
        self.learned.update(zip(SNOWFLAKE.findall(_as_text(recorded)), SNOWFLAKE.findall(_as_text(own)), strict=True))

    def query(self, sql):
        """Return the rows of a statement that is not in the recording."""
        headers = {"Authorization": f"Bearer {self._token('root', 'access_token')}"}
        answer = self.client.post("/v1/api/sql", json={"sql": sql}, headers=headers)
        return answer.json()["results"][0]["rows"]

    def _translated(self, request):
        text = json.dumps(request)
        for recorded, own in self.learned.items():
            text = text.replace(recorded, own)
        return json.loads(text)

    def _headers(self, exchange):
        name = exchange["name"]
        special = {"sql_bad_token": "Bearer abc.def.ghi", "sql_basic": "Basic cm9vdDp4"}
        if not exchange["request"]["auth"]:
            return {}
        if name in special:
            return {"Authorization": special[name]}
        user = "alice" if name.startswith("alice") else "root"
        typed = {"Content-Type": "application/json"} if name == "bad_json" else {}
        kind = "refresh_token" if name == "refresh_ok" else "access_token"
        return {**typed, "Authorization": f"Bearer {self._token(user, kind)}"}

    def _token(self, user, kind):
        if user not in self.tokens:
            body = {"user": user, "password": self.passwords[user]}
            self.tokens[user] = self.client.post("/v1/api/auth/login", json=body).json()
            self.client.cookies.clear()
        return self.tokens[user][kind]

    def _content(self, exchange, request):
        if exchange["name"] == "bad_json":
            return {"content": b"{nope"}
        if request.get("multipart"):
            return {"files": {part["name"]: _part(part) for part in request["multipart"]}}
        body = request.get("json")
        if isinstance(body, dict):
            secret = self.passwords["root"] if exchange["name"] == "login_ok" else "wrong-password"
            body = {key: secret if value == "<secret>" else value for key, value in body.items()}
        return {"json": body} if body is not None else {}


def _part(part):
    if "value" in part:
        return (None, part["value"])
    return (part["filename"], part["content"].encode() * part.get("repeat", 1), part["type"])


def _body(answer):
    if not answer.content:
        return ""
    try:
        return answer.json()
    except ValueError:
        return {"__text__": answer.text, "length": len(answer.content)}
