"""A text is tokenized once, where it enters: what is asked of it later goes by the tokens that are there."""

from collections import Counter

import pytest

from kalam_notebook.sql import statement


@pytest.fixture
def tokenized(monkeypatch):
    """How often each text was tokenized."""
    counts = Counter()
    tokenize = statement.tokenize
    statement._kept.cache_clear()

    def counted(sql):
        counts[str(sql)] += 1
        return tokenize(sql)

    monkeypatch.setattr(statement, "tokenize", counted)
    yield counts
    statement._kept.cache_clear()


@pytest.fixture
def table(client, namespace):
    name = f"{namespace}.t"
    client.execute_query(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {name} (id, n) VALUES " + ", ".join(f"({i}, {i % 7})" for i in range(80)))
    return name


def test_a_query(client, table, tokenized):
    sql = f"SELECT n, count(*) AS c FROM {table} GROUP BY n ORDER BY n -- {'long enough not to be kept ' * 200}"
    assert len(client.query(sql)) == 7
    assert tokenized[sql] == 1
    assert set(tokenized.values()) == {1}


def test_an_exact_reading(client, table, tokenized):
    sql = f"SELECT * FROM {table} WHERE n < $1 -- {'long enough not to be kept ' * 200}"
    assert len(client.query(sql, [6])) == 69
    assert tokenized[sql] == 1


def test_a_query_in_a_namespace(client, namespace, table, tokenized):
    sql = f"SELECT id FROM t WHERE n IN ($1) /* {'long enough not to be kept ' * 200} */"
    assert len(client.query(sql, [[1, 2]], namespace=namespace)) == 24
    assert tokenized[sql] == 1


@pytest.mark.parametrize("sql", ["SELECT * FROM {} WHERE n < 3", "SELECT n, count(*) AS c FROM {} GROUP BY n"])
def test_a_live_query(client, table, tokenized, sql):
    sql = sql.format(table) + f" /* {'long enough not to be kept ' * 200} */"
    with client.live(sql) as live:
        assert live.num_rows > 0
    assert tokenized[sql] == 1
