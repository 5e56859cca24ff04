"""A topic, consumed by somebody who crashes: nothing is lost, nothing is done twice."""

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
kalam.execute_query("CREATE TABLE shop.orders (id INT PRIMARY KEY, city TEXT) WITH (TYPE = 'SHARED')")
kalam.execute_query("CREATE TOPIC shop.events")
kalam.execute_query("ALTER TOPIC shop.events ADD SOURCE shop.orders ON INSERT")
for number in range(4):
    kalam.execute_query("INSERT INTO shop.orders (id, city) VALUES ($1, 'Bonn')", [number])

done = []
with kalam.consumer("shop.events", group_id="mailer", start="earliest", max_poll_records=1) as consumer:
    for message in consumer:
        done.append(message.offset)
        consumer.commit_sync(message)  # only when the work is done
        if len(done) == 2:
            break  # a crash

with kalam.consumer("shop.events", group_id="mailer", start="earliest") as consumer:
    while len(done) < 4:
        # Goes on behind what was acknowledged.
        done += [message.offset for message in consumer.poll(timeout=90)]
        consumer.commit_sync()
assert done == [0, 1, 2, 3]
kalam.close()
