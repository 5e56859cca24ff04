"""`live.where`: a live query of its own over a part of the rows of another."""

import pytest

from kalam_notebook.errors import LiveError, ParameterError, QueryError

pytestmark = pytest.mark.contract


@pytest.fixture
def parcels(client, namespace):
    table = f"{namespace}.parcels"
    client.execute_query(f"CREATE TABLE {table} (nr INT PRIMARY KEY, city TEXT, kilos INT) WITH (TYPE = 'SHARED')")
    client.execute_query(
        f"INSERT INTO {table} (nr, city, kilos) VALUES (1, 'Oslo', 3), (2, 'Bergen', 9), (3, 'Oslo', 12), (4, 'Ås', 1)"
    )
    return table


def numbers(live):
    return sorted(live.df()["nr"].tolist())


def test_a_part_is_followed_also_when_the_whole_is_closed(client, namespace, parcels):
    sql = "SELECT nr, city FROM parcels WHERE kilos > $1"
    with client.live(sql, [2], namespace=namespace) as whole:
        part = whole.where("city IN ($1) AND kilos < $2", [["Oslo", "Ås"], 10])
        least = part.where("WHERE kilos < $1", [5])
    with part, least:
        assert (numbers(part), numbers(least)) == ([1], [1])
        assert (part.form, part.key) == ("delta", ("nr",))
        assert part.sql.endswith("WHERE (kilos > $1)\n  AND (city IN ($2) AND kilos < $3)")
        client.execute_query(f"UPDATE {parcels} SET kilos = 8 WHERE nr = 3")
        part.wait_for(2)
        client.execute_query(f"UPDATE {parcels} SET kilos = 2 WHERE nr = 1")
        part.wait_for(lambda table: numbers(table) == [3])
        least.wait_for(lambda table: table.num_rows == 0)
        assert part.verify()
        assert set(client.live_tables) == {part, least}


def test_a_condition_of_a_result_names_its_columns(client, parcels):
    sql = f"SELECT city, count(*) AS n FROM {parcels} GROUP BY city"
    with client.live(sql) as whole, whole.where("n > $1", [1]) as part:
        assert (part.form, part.key, part.df().to_numpy().tolist()) == ("re-run", ("city",), [["Oslo", 2]])
        client.execute_query(f"INSERT INTO {parcels} (nr, city, kilos) VALUES (5, 'Ås', 1)")
        part.wait_for(2)
        assert set(part.df()["city"]) == {"Oslo", "Ås"}


def test_another_table_in_a_condition_is_of_the_same_namespace_and_followed(client, namespace, parcels):
    client.execute_query(f"CREATE TABLE {namespace}.seen (nr INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    with (
        client.live("SELECT * FROM parcels", namespace=namespace) as whole,
        whole.where("nr IN (SELECT nr FROM seen)") as part,
    ):
        assert part.num_rows == 0
        client.execute_query(f"INSERT INTO {namespace}.seen (nr) VALUES (2)")
        part.wait_for(1)
        assert numbers(part) == [2]


def test_what_is_refused_leaves_no_live_query(client, parcels):
    with client.live(f"SELECT * FROM {parcels}") as whole:
        with pytest.raises(QueryError, match="Did you mean kilos"):
            whole.where("kilo > 1")
        with pytest.raises(ParameterError, match=r"\$1: it has no value"):
            whole.where("kilos > $1")
        assert client.live_tables == (whole,)
    with pytest.raises(LiveError, match=r"was closed\. Open its query again"):
        whole.where("kilos > 1")
