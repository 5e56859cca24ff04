"""CREATE, ALTER, CLEAR, DROP TOPIC, CONSUME and ACK (protocol/sql.md#topics)."""

from __future__ import annotations

from kalam_sandbox.backend import Column
from kalam_sandbox.commands.context import Call
from kalam_sandbox.engine.results import Rows
from kalam_sandbox.sql.statements import Ack, AddTopicSource, Consume, CreateTopic, EndTopic
from kalam_sandbox.topics import Route, check_topic_namespace

_CONSUMED = (
    ("topic_id", "Text"), ("partition_id", "Int"), ("offset", "BigInt"), ("key", "Text"), ("payload", "Bytes"),
    ("timestamp_ms", "BigInt"), ("user_id", "Text"), ("op", "Text"),
)  # fmt: skip
_ACKED = (("topic", "Text"), ("group_id", "Text"), ("partition", "Int"), ("committed_offset", "BigInt"))


def create_topic(call: Call, statement: CreateTopic) -> str:
    """Create a topic and return the message.

    Raises:
        SqlFailed: The namespace is missing or the name is taken.
    """
    check_topic_namespace(statement.name, call.server.catalog.namespaces)
    call.server.topics.create(statement.name, statement.partitions)
    return f"Created topic '{statement.name}' with {statement.partitions} partition(s)"


def add_source(call: Call, statement: AddTopicSource) -> str:
    """Let a table's changes be published and return the message.

    Raises:
        SqlFailed: The topic is missing or has this route.
    """
    route = Route(statement.table, statement.operation, statement.payload)
    call.server.topics.add_route(statement.topic, route)
    return f"Added source {statement.table} ON {statement.operation} to topic '{statement.topic}'"


def end_topic(call: Call, statement: EndTopic) -> str:
    """Clear or drop a topic and return the message.

    Raises:
        SqlFailed: There is none.
    """
    topics, name = call.server.topics, statement.topic
    topics.require(name)
    if statement.drop:
        topics.drop(name)
    else:
        topics.clear(name)
    job = call.server.jobs.done("TC", "topic_cleanup", {"topic_id": name}, f"Cleaned up topic {name}").job_id
    if statement.drop:
        return f"Dropped topic '{name}' and scheduled cleanup job [{job}]"
    return f"Scheduled cleanup job [{job}] for topic '{name}'"


def consume(call: Call, statement: Consume) -> Rows:
    """Answer CONSUME FROM.

    Raises:
        SqlFailed: There is no such topic.
    """
    topics = call.server.topics
    topic = topics.require(statement.topic)
    if statement.group and call.server.options.claim_consumes:
        messages, _ = topics.consume(topic, statement.group, partition=0, start=statement.start, limit=statement.limit)
    else:
        messages = topics.read(topic, statement.group, start=statement.start, limit=statement.limit)
    rows: list[list[object]] = [
        [
            topic.name, 0, str(message.offset), message.key, list(message.payload), str(message.timestamp_ms),
            message.user, message.op.lower(),
        ]
        for message in messages
    ]  # fmt: skip
    return Rows(_columns(_CONSUMED), rows, call.caller.user_id)


def ack(call: Call, statement: Ack) -> Rows:
    """Answer ACK.

    Raises:
        SqlFailed: There is no such topic.
    """
    call.server.topics.require(statement.topic)
    call.server.topics.ack(statement.topic, statement.group, partition=statement.partition, upto=statement.upto)
    row: list[object] = [statement.topic, statement.group, statement.partition, str(statement.upto)]
    return Rows(_columns(_ACKED), [row], call.caller.user_id)


def _columns(pairs: tuple[tuple[str, str], ...]) -> tuple[Column, ...]:
    return tuple(Column(name, kind, ()) for name, kind in pairs)
