"""Event sources: pollers that take records from queues and streams and invoke functions with them."""
