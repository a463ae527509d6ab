"""The composition root: builds the platform from Settings, starts it, and stops it in order."""

from lambent.app.run import new_event_loop_factory, serve

__all__ = ["new_event_loop_factory", "serve"]
