"""Programs that carry messages of another protocol into Kafka: they acknowledge only what Kafka has acknowledged."""
