-- The second database. Declared here and not by the sink: its types and its indexes are those that its queries need.
create table orders_all (
    id bigint primary key,
    customer text not null,
    status text not null,
    amount numeric(12, 2) not null,
    quantity integer not null,
    note text,
    paid boolean not null,
    ordered_at timestamptz not null,
    deleted boolean not null
);
create index on orders_all (ordered_at) where not deleted;

-- A deleted row stays, marked, so that what is delivered late cannot bring it back unseen. Purge it when it is old.
create view orders as
select id, customer, status, amount, quantity, note, paid, ordered_at from orders_all where not deleted;
