"""Container images as the settings want them."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from lambent.node.images.directory import Directory
from lambent.node.images.registry import Registry
from lambent.node.images.service import ContainerImages
from lambent.node.images.source import Source
from lambent.node.images.store import ImageStore
from lambent.node.images.tools import Tools
from lambent.settings import Settings

NOT_ISOLATED = (
    "container images where functions are plain processes, which have no root of their own "
    "(see: lambent doctor);"
)
_log = logging.getLogger("lambent.images")


def images_dir(data_dir: Path) -> Path:
    """Where they are kept."""
    return data_dir / "images"


def open_images(settings: Settings, data_dir: Path) -> ContainerImages:
    """With the places that ``--images`` and ``--registry`` name, in that order."""
    tools = Tools()
    store = ImageStore(images_dir(data_dir), tools)
    sources: list[Source] = []
    if settings.images is not None:
        sources.append(Directory(settings.images, store.tmp, tools))
    if settings.registry:
        sources.append(Registry(settings.registry, tools))
    return ContainerImages(store, sources, tools)


def on_thread(thread: Executor) -> Callable[[Callable[[], None]], None]:
    """Has work done there, whoever asks; what it raises is logged."""

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            _log.exception("what an image was waited for could not be finished")

    def later(work: Callable[[], None]) -> None:
        thread.submit(guarded, work)

    return later
