"""Apache Kafka as an event source: one consumer group for each mapping, one batch of a partition at a time."""
