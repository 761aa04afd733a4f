-- The second database. Declared here and not by the sink: its types and its indexes are those that its queries need.
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
create index on orders (ordered_at);
