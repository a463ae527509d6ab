"""The platform's health document, asked over plain HTTP: no SDK, so it takes milliseconds."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

HEALTH_PATH = "/_lambent/health"
HEALTH_TIMEOUT_S = 2.0


def fetch_health(url: str, timeout_s: float = HEALTH_TIMEOUT_S) -> dict[str, Any] | None:
    """``GET /_lambent/health`` of the platform at ``url``; None when no Lambent answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url.rstrip("/") + HEALTH_PATH, timeout=timeout_s) as answer:
            document = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return document if isinstance(document, dict) and "status" in document else None
