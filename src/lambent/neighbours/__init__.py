"""Services that others serve: the embedded moto, and real endpoints."""
