"""One JSON object a line, which CloudWatch Logs filters and queries by field; level from ``LOG_LEVEL``."""

import json
import os

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
THRESHOLD = LEVELS.index(os.environ.get("LOG_LEVEL", "INFO"))


def log(level: str, message: str, **fields: object) -> None:
    """Writes one line unless the level is below the threshold."""
    if LEVELS.index(level) >= THRESHOLD:
        print(json.dumps({"level": level, "message": message, **fields}))
