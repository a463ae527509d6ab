"""The edge: one port for every service. Requests in, operations called, answers out."""
