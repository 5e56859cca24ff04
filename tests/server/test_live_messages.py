import pytest

from kalam_sandbox.live.messages import (
    Authenticate,
    BadMessage,
    NextBatch,
    Ping,
    Subscribe,
    SubscribeOptions,
    Unsubscribe,
    parse_message,
)

SUBSCRIBE = '{"type":"subscribe","subscription":{"id":"s","sql":"q","options":%s}}'
PROTOCOL = '"protocol":{"serialization":"json","compression":"gzip"}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"ping"}', Ping()),
        (' {"type":"ping","extra":[1,{"type":"x"}]}\n', Ping()),
        ('{"type":"unsubscribe","subscription_id":"s"}', Unsubscribe("s")),
        ('{"type":"next_batch","subscription_id":"s"}', NextBatch("s", None)),
        ('{"type":"next_batch","subscription_id":"s","last_seq_id":null}', NextBatch("s", None)),
        (
            '{"type":"next_batch","subscription_id":"s","last_seq_id":383403996831649891}',
            NextBatch("s", 383403996831649891),
        ),
        ('{"type":"subscribe","subscription":{"id":"s","sql":"q"}}', Subscribe("s", "q", None)),
        (SUBSCRIBE % "null", Subscribe("s", "q", None)),
        (SUBSCRIBE % "{}", Subscribe("s", "q", SubscribeOptions())),
        (
            SUBSCRIBE % '{"batch_size":999,"last_rows":2,"from":-1,"newer":true}',
            Subscribe("s", "q", SubscribeOptions(batch_size=999, last_rows=2, from_seq=-1)),
        ),
        (SUBSCRIBE % '{"from_seq_id":7}', Subscribe("s", "q", SubscribeOptions(from_seq=7))),
        (
            '{"type":"authenticate","method":"jwt","token":"t",' + PROTOCOL + "}",
            Authenticate("t", "gzip", "json"),
        ),
    ],
)
def test_messages_are_read(text, message):
    assert parse_message(text) == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SUBSCRIBE % '{"from":"1"}', 'invalid type: string "1", expected i64'),
        (SUBSCRIBE % '{"from":5.0}', "invalid type: floating point `5.0`, expected i64"),
        (SUBSCRIBE % '{"from":true}', "invalid type: boolean `true`, expected i64"),
        (SUBSCRIBE % '{"from":[]}', "invalid type: sequence, expected i64"),
        (
            SUBSCRIBE % '{"from":9223372036854775808}',
            "invalid value: integer `9223372036854775808`, expected i64",
        ),
        (SUBSCRIBE % '{"batch_size":-1}', "invalid value: integer `-1`, expected usize"),
        (SUBSCRIBE % '{"last_rows":4294967296}', "invalid value: integer `4294967296`, expected u32"),
        (SUBSCRIBE % '{"from":1,"from_seq_id":1}', "duplicate field `from`"),
        (SUBSCRIBE % "7", "invalid type: integer `7`, expected struct SubscriptionOptions"),
        ('{"type":"subscribe","subscription":{"id":"s"}}', "missing field `sql`"),
        ('{"type":"subscribe","subscription":{"id":1,"sql":"q"}}', "invalid type: integer `1`, expected a string"),
        ('{"type":"subscribe","subscriptions":[]}', "missing field `subscription`"),
        ('{"type":"unsubscribe"}', "missing field `subscription_id`"),
        ('{"type":"authenticate","method":"jwt","token":"t"}', "missing field `protocol`"),
        (
            '{"type":"authenticate","method":"jwt","token":"t","protocol":{"serialization":"json"}}',
            "missing field `compression`",
        ),
        (
            '{"type":"authenticate","method":"basic","token":"t",' + PROTOCOL + "}",
            "unknown variant `basic`, expected `jwt`",
        ),
        (
            PROTOCOL.join(('{"type":"authenticate","method":"jwt","token":"t",', "}")).replace("json", "xml"),
            "unknown variant `xml`, expected `json` or `msgpack`",
        ),
        (
            '{"type": "zzz"}',
            "unknown variant `zzz`, expected one of `authenticate`, `subscribe`, `next_batch`, `unsubscribe`,"
            " `ping` at line 1 column 15",
        ),
        ("{}", "missing field `type` at line 1 column 2"),
        (
            "5",
            "invalid type: integer `5`, expected internally tagged enum ClientMessage at line 1 column 1",
        ),
        ("not json", "expected ident at line 1 column 2"),
        ("", "EOF while parsing a value at line 1 column 0"),
        ('{"type":"ping"', "EOF while parsing an object at line 1 column 14"),
        ('{"type":["ping"', "EOF while parsing a list at line 1 column 15"),
        ('{"type":"pi', "EOF while parsing a string at line 1 column 11"),
        ('{"type":"ping"}\n x', "trailing characters at line 2 column 2"),
        ('{"type":"ping",}', "trailing comma at line 1 column 16"),
        ('{"type" "ping"}', "expected `:` at line 1 column 9"),
        ('{"type":"ping" 1}', "expected `,` or `}` at line 1 column 16"),
        ('{"type":[{"a":"]"} 1]}', "expected `,` or `]` at line 1 column 20"),
        ('{type:"ping"}', "key must be a string at line 1 column 2"),
        ('{"type":?}', "expected value at line 1 column 9"),
        ('{"type":NaN}', "expected value"),
        ('{"type":"unsubscribe","subscription_id":"\\ud800"}', "lone leading surrogate in hex escape"),
        ("[" * 100_000, "recursion limit exceeded"),
    ],
)
def test_what_cannot_be_read_is_named_as_the_server_names_it(text, reason):
    with pytest.raises(BadMessage) as caught:
        parse_message(text)
    assert str(caught.value) == reason


def test_whole_surrogate_pairs_are_text():
    text = '{"type":"unsubscribe","subscription_id":"\\ud83d\\ude00"}'
    assert parse_message(text) == Unsubscribe("\U0001f600")


def test_a_token_is_not_shown():
    assert "secret" not in repr(Authenticate("secret", "gzip", "json"))
