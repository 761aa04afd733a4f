-- The shop, its outbox, and what change capture needs. Run it as the owner of the database.
CREATE TABLE IF NOT EXISTS orders (
    id text PRIMARY KEY,
    customer text NOT NULL,
    cents bigint NOT NULL CHECK (cents > 0),
    created_at timestamptz NOT NULL
);

-- An event is inserted in the transaction of the change that it tells of, and deleted in the same one: change capture
-- reads it from the log, and the table stays empty.
CREATE TABLE IF NOT EXISTS outbox (
    id uuid PRIMARY KEY,
    aggregatetype text NOT NULL, -- the topic
    aggregateid text NOT NULL,   -- the key: events of one key keep their order
    type text NOT NULL,          -- the header event-type, which names the schema
    payload jsonb NOT NULL
);

-- Written by the connector every few seconds, so that its slot moves on while nobody writes events.
CREATE TABLE IF NOT EXISTS outbox_heartbeat (id integer PRIMARY KEY, at timestamptz NOT NULL);

-- What is captured is decided here, by the owner of the tables, and not by the connector.
DROP PUBLICATION IF EXISTS shop_outbox;
CREATE PUBLICATION shop_outbox FOR TABLE outbox, outbox_heartbeat WITH (publish = 'insert, update');
