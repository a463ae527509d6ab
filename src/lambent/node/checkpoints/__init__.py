"""Snapshots of programs that cannot be forked: CRIU writes an initialised JVM down, and restores it (ADR 39)."""
