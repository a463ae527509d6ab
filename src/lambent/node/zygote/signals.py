"""Signals as a program of its own would find them, whatever the platform was started by."""

import signal

# The interpreter ignores them itself; an exec makes up for it (lambent.node.zygote.entrypoint).
_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})


def restore() -> None:
    """Nothing inherited is ignored or blocked any more, and SIGINT is Python's KeyboardInterrupt.

    A shell has what it starts with ``&`` ignore SIGINT and SIGQUIT, ``nohup`` SIGHUP; both survive fork and exec,
    so every function would ignore them too.
    """
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
