"""Durable queues: the engine under asynchronous invocation, SQS and SNS."""
