"""Which function carries out which command."""

from __future__ import annotations

from kalam_sandbox.commands import flush, namespaces, policies, show, tables, topics, users
from kalam_sandbox.commands.context import Call
from kalam_sandbox.engine.results import Message, Result
from kalam_sandbox.sql import statements as s


def carry_out(call: Call, statement: s.Statement) -> Result:
    """Carry out one of KalamDB's own commands.

    Raises:
        SqlFailed: The command is refused or fails.
    """
    match statement:
        case s.Show():
            return show.show(call, statement)
        case s.DescribeTable():
            return show.describe_table(call, statement)
        case s.SubscribeTo():
            return show.subscribe_to(call, statement)
        case s.Consume():
            return topics.consume(call, statement)
        case s.Ack():
            return topics.ack(call, statement)
        case _:
            return Message(_message(call, statement), call.caller.user_id)


def _message(call: Call, statement: s.Statement) -> str:
    match statement:
        case s.CreateNamespace():
            return namespaces.create_namespace(call, statement)
        case s.DropNamespace():
            return namespaces.drop_namespace(call, statement)
        case s.AlterNamespace():
            return namespaces.alter_namespace(call, statement)
        case s.UseNamespace():
            return namespaces.use_namespace(call, statement.name)
        case s.CreateTable():
            return tables.create_table(call, statement)
        case s.AlterTable():
            return tables.alter_table(call, statement)
        case s.DropTable():
            return tables.drop_table(call, statement)
        case s.CreatePolicy():
            return policies.create_policy(call, statement)
        case s.AlterPolicy():
            return policies.alter_policy(call, statement)
        case s.DropPolicy():
            return policies.drop_policy(call, statement)
        case s.CreateView():
            return tables.create_view(call, statement)
        case s.Flush():
            return flush.flush(call, statement)
        case s.CreateUser():
            return users.create_user(call, statement)
        case s.AlterUser():
            return users.alter_user(call, statement)
        case s.DropUser():
            return users.drop_user(call, statement)
        case s.KillLiveQuery(live_id):
            return users.kill_live_query(call, live_id)
        case s.CreateTopic():
            return topics.create_topic(call, statement)
        case s.AddTopicSource():
            return topics.add_source(call, statement)
        case s.EndTopic():
            return topics.end_topic(call, statement)
        case _:
            raise AssertionError(f"{type(statement).__name__} is no command")
