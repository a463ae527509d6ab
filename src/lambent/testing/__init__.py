"""Fakes that ship: what this project's tests stand on, and what others may test their own parts with."""
