-- The source. A role that Debezium connects as needs REPLICATION, and SELECT on the tables.
create table orders (
    id bigint primary key,
    customer text not null,
    status text not null,
    amount numeric(12, 2) not null,
    quantity integer not null,
    note text,
    paid boolean not null,
    ordered_at timestamptz not null
);

-- Debezium writes here every few seconds: a slot moves on only with changes that its publication has, and other tables'
-- changes would keep PostgreSQL's log for ever.
create table heartbeat (id integer primary key, at timestamptz not null);

-- By hand and not by Debezium: the role that reads changes need not own the tables.
create publication analytics for table orders, heartbeat;
