"""RabbitMQ as an event source (Amazon MQ's ARNs): one batch of a queue at a time."""
