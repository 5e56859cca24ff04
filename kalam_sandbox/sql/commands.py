"""Reading KalamDB's other statements: namespaces, users, flush, topics, SUBSCRIBE TO, EXECUTE AS USER.

Grammar: protocol/sql.md#namespaces, #execute-as, #show, #subscribe, #users, #flush, #topics.
"""

from __future__ import annotations

from collections.abc import Callable

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.errors import INVALID_INPUT
from kalam_sandbox.sql.statements import (
    Ack,
    AddTopicSource,
    AlterNamespace,
    AlterUser,
    Consume,
    CreateNamespace,
    CreateTopic,
    CreateUser,
    DescribeTable,
    DropNamespace,
    DropUser,
    EndTopic,
    Flush,
    KillLiveQuery,
    Statement,
    SubscribeTo,
    UseNamespace,
)
from kalam_sandbox.sql.tokens import Cursor

_ROLES = {
    "user": "user",
    "viewer": "user",
    "readonly": "user",
    "service": "service",
    "developer": "service",
    "analyst": "service",
    "dba": "dba",
    "admin": "dba",
    "system": "system",
}


def read_namespace(cursor: Cursor) -> Statement:
    """Read CREATE, DROP, ALTER, USE or SET NAMESPACE."""
    if cursor.accept("CREATE", "NAMESPACE"):
        if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
        name = cursor.identifier().lower()
        cursor.end()
        return CreateNamespace(name, if_not_exists)
    if cursor.accept("DROP", "NAMESPACE"):
        if_exists = cursor.accept("IF", "EXISTS")
        name = cursor.identifier().lower()
        cursor.accept("CASCADE")
        cursor.end()
        return DropNamespace(name, if_exists)
    if cursor.accept("ALTER", "NAMESPACE"):
        name = cursor.identifier().lower()
        return AlterNamespace(name, _namespace_options(cursor))
    cursor.accept("USE") or cursor.accept("SET")
    cursor.accept("NAMESPACE")
    name = cursor.identifier().lower()
    cursor.end()
    return UseNamespace(name)


def _namespace_options(cursor: Cursor) -> dict[str, object]:
    if not cursor.accept("SET", "OPTIONS", "("):
        raise SyntaxError("Expected SET OPTIONS clause")
    options: dict[str, object] = {}
    while not cursor.accept(")"):
        key = cursor.identifier()
        cursor.expect("=")
        token = cursor.next()
        if token.is_plain_string:
            options[key] = token.value
        elif token.upper in ("TRUE", "FALSE"):
            options[key] = token.upper == "TRUE"
        else:
            options[key] = int(token.text) if token.text.isdigit() else float(token.text)
        cursor.accept(",")
    cursor.end()
    return options


def read_describe(cursor: Cursor) -> DescribeTable:
    """Read DESCRIBE TABLE, DESC TABLE or SHOW STATS FOR TABLE."""
    stats = cursor.accept("SHOW", "STATS", "FOR", "TABLE")
    if not stats:
        cursor.next()
        cursor.expect("TABLE")
    namespace, name = cursor.qualified()
    cursor.accept("HISTORY")
    cursor.end()
    return DescribeTable(namespace, name, stats)


def read_flush(cursor: Cursor) -> Flush:
    """Read STORAGE FLUSH TABLE or STORAGE FLUSH ALL."""
    cursor.expect("STORAGE", "FLUSH")
    if cursor.accept("ALL"):
        namespace = None
        if cursor.accept("IN"):
            cursor.accept("NAMESPACE")
            namespace = cursor.identifier().lower()
        cursor.end()
        return Flush(namespace, None)
    cursor.expect("TABLE")
    namespace, name = cursor.qualified()
    if namespace is None:
        raise SyntaxError("Table name must be qualified (namespace.table)")
    cursor.end()
    return Flush(namespace, name)


def read_user(cursor: Cursor) -> Statement:
    """Read CREATE, ALTER or DROP USER."""
    if cursor.accept("DROP", "USER"):
        if_exists = cursor.accept("IF", "EXISTS")
        user = _user_id(cursor)
        cursor.end()
        return DropUser(user, if_exists)
    if cursor.accept("ALTER", "USER"):
        user = _user_id(cursor)
        cursor.expect("SET")
        change = _user_change(user, cursor)
        cursor.end()
        return change
    cursor.expect("CREATE", "USER")
    user = _user_id(cursor)
    cursor.expect("WITH")
    password, auth_type = _credentials(cursor)
    cursor.expect("ROLE")
    role = read_role(cursor)
    email = cursor.string() if cursor.accept("EMAIL") else None
    cursor.end()
    return CreateUser(user, role, password, auth_type, email)


def _credentials(cursor: Cursor) -> tuple[str | None, str]:
    if cursor.accept("PASSWORD"):
        return cursor.string(), "Password"
    if cursor.accept("INTERNAL"):
        return None, "Internal"
    if cursor.accept("OAUTH"):
        cursor.string()
        return None, "OAuth"
    raise SyntaxError(f"Expected: PASSWORD, OAUTH or INTERNAL, found: {cursor.found}")


def _user_change(user: str, cursor: Cursor) -> AlterUser:
    if cursor.accept("PASSWORD"):
        return AlterUser(user, password=cursor.string())
    if cursor.accept("ROLE"):
        return AlterUser(user, role=read_role(cursor))
    cursor.expect("EMAIL")
    return AlterUser(user, email=cursor.string())


def _user_id(cursor: Cursor) -> str:
    token = cursor.peek()
    return cursor.string() if token is not None and token.is_plain_string else cursor.identifier()


def read_role(cursor: Cursor) -> str:
    """Read a role or one of its other names."""
    token = cursor.next()
    word = token.value if token.is_plain_string else token.text
    if word.lower() not in _ROLES:
        raise SyntaxError(
            f"Invalid role '{word}'. Hint: Valid roles: dba, admin, developer, analyst, viewer, user, service, system"
        )
    return _ROLES[word.lower()]


def read_subscribe(cursor: Cursor) -> SubscribeTo:
    """Read SUBSCRIBE TO; the options are not repeated in the SELECT of the answer."""
    cursor.expect("SUBSCRIBE", "TO")
    first = cursor.place
    last = len(cursor.tokens)
    for place in range(first, last):
        if cursor.tokens[place].upper == "OPTIONS":
            last = place
            break
    text = cursor.sql[cursor.tokens[first].start : cursor.tokens[last - 1].end] if last > first else ""
    if cursor.at("SELECT"):
        while not cursor.accept("FROM"):
            cursor.next()
        namespace, name = cursor.qualified()
        return SubscribeTo(f"{namespace}.{name}" if namespace else name, text)
    namespace, name = cursor.qualified()
    if namespace is None:
        raise SyntaxError("Table name must be qualified (namespace.table)")
    return SubscribeTo(f"{namespace}.{name}", f"SELECT * FROM {text}")


def read_kill(cursor: Cursor) -> KillLiveQuery:
    """Read KILL LIVE QUERY."""
    cursor.expect("KILL", "LIVE", "QUERY")
    live_id = cursor.string()
    cursor.end()
    return KillLiveQuery(live_id)


def topic_name(cursor: Cursor) -> str:
    """Read ``namespace.topic``; case stays."""
    first = cursor.next().text
    if not cursor.accept("."):
        raise SyntaxError("Topic name must be namespace-qualified: <namespace>.<topic>")
    return f"{first}.{cursor.next().text}"


def read_topic(cursor: Cursor) -> Statement:
    """Read CREATE, ALTER, CLEAR or DROP TOPIC."""
    if cursor.accept("CREATE", "TOPIC"):
        name = topic_name(cursor)
        partitions = cursor.integer() if cursor.accept("PARTITIONS") else 1
        cursor.end()
        return CreateTopic(name, partitions)
    if cursor.accept("CLEAR", "TOPIC"):
        return EndTopic(topic_name(cursor), drop=False)
    if cursor.accept("DROP", "TOPIC"):
        return EndTopic(topic_name(cursor), drop=True)
    cursor.expect("ALTER", "TOPIC")
    topic = topic_name(cursor)
    cursor.expect("ADD", "SOURCE")
    namespace, table = cursor.qualified()
    cursor.expect("ON")
    operation = cursor.identifier().title()
    if operation not in ("Insert", "Update", "Delete"):
        raise SyntaxError(f"Invalid operation '{operation.upper()}'. Expected INSERT, UPDATE, or DELETE")
    payload = "full"
    # The source's WHERE is stored but not applied by the server (protocol/http.md#topics).
    while not cursor.done:
        if cursor.accept("WITH", "(", "PAYLOAD", "="):
            payload = cursor.string().lower()
            cursor.expect(")")
        else:
            cursor.next()
    return AddTopicSource(topic, f"{namespace or 'default'}.{table}", operation, payload)


def read_consume(cursor: Cursor) -> Consume:
    """Read CONSUME FROM."""
    cursor.expect("CONSUME", "FROM")
    topic = topic_name(cursor)
    group = cursor.string() if cursor.accept("GROUP") else None
    start: str | int = "latest"
    if cursor.accept("FROM"):
        start = "earliest" if cursor.accept("EARLIEST") else "latest" if cursor.accept("LATEST") else cursor.integer()
    limit = cursor.integer() if cursor.accept("LIMIT") else 100
    cursor.end()
    return Consume(topic, group, start, limit)


def read_ack(cursor: Cursor) -> Ack:
    """Read ACK."""
    cursor.expect("ACK")
    topic = topic_name(cursor)
    cursor.expect("GROUP")
    group = cursor.string()
    partition = cursor.integer() if cursor.accept("PARTITION") else 0
    cursor.expect("UPTO", "OFFSET")
    upto = cursor.integer()
    cursor.end()
    return Ack(topic, group, partition, upto)


def read_execute_as(sql: str, classify: Callable[[str], Statement]) -> tuple[str, Statement]:
    """Read EXECUTE AS [USER] 'target' (statement); `classify` reads the inner one.

    Raises:
        SqlFailed: INVALID_INPUT, the wrapper is broken.
    """
    cursor = Cursor(sql)
    cursor.accept("EXECUTE", "AS")
    cursor.accept("USER")
    if cursor.done or cursor.at("("):
        raise SqlFailed(INVALID_INPUT, "EXECUTE AS USER requires a username")
    try:
        target = _user_id(cursor)
    except SyntaxError as wrong:
        raise SqlFailed(INVALID_INPUT, f"EXECUTE AS USER requires a username: {wrong.msg}") from None
    if not cursor.accept("("):
        raise SqlFailed(INVALID_INPUT, "EXECUTE AS USER must wrap SQL in parentheses")
    if cursor.tokens[-1].text != ")":
        raise SqlFailed(INVALID_INPUT, "EXECUTE AS USER missing closing ')'")
    return target, classify(sql[cursor.tokens[cursor.place].start : cursor.tokens[-1].start].strip())
