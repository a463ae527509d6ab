"""The embedded neighbour's own process: moto's server on a socket that it inherits.

Started by :mod:`lambent.neighbours.moto_process` and never imported by the platform. Prints one line when it
serves; dies with the platform.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """``python -m lambent.neighbours.moto_server FD PORT PARENT``."""
    fd, port, parent = (int(argument) for argument in sys.argv[1:4])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # it died before it could be said
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the platform's to answer
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    class Quiet(MotoRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Says nothing."""

    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1",
        port,
        app,
        threaded=True,
        request_handler=Quiet,
        fd=fd,
    )
    print("ready", flush=True)  # noqa: T201 - the platform waits for it
    server.serve_forever()


if __name__ == "__main__":
    main()
