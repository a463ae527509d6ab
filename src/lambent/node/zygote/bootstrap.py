"""The Python runtime from nothing: what a wrapper script starts. Lies in ``/var/runtime``, as AWS's does.

It knows nothing of the platform's packages: a wrapper may have changed everything around it.
"""

import os
import sys


def main() -> None:
    """Becomes the function's runtime."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # The first is this script's own directory; AWS's order has the function's before the runtime's.
    sys.path[0:1] = [
        os.environ["LAMBDA_TASK_ROOT"],
        f"/opt/python/lib/{version}/site-packages",
        "/opt/python",
    ]
    sys.dont_write_bytecode = True
    from awslambdaric.__main__ import main as run_client

    run_client(["bootstrap", os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
