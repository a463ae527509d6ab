"""The sandboxes that functions run in, as the settings and this host allow."""

from pathlib import Path

from lambent.app.images import images_dir
from lambent.model.errors import PlatformFault
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.choose import open_backend
from lambent.node.sandbox.contract import Backend, SandboxError
from lambent.node.sandbox.demand import MOST
from lambent.node.sandbox.made_ahead import PLACES
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.sandbox.process import ProcessBackend
from lambent.settings import Settings

_SPARE_SLOTS = 128 + PLACES
"""Room for environments that are dying while their successors start, and for those that wait prepared."""
_STEM_CELLS, _LOADED_STEM_CELLS = 2, 1
"""POLICY: of each kind in use, where nobody says how many."""


async def open_sandboxes(
    settings: Settings, interpreters: list[Interpreter], port: int, endpoint: str, data_dir: Path
) -> tuple[Backend, str | None]:
    """An open backend, and what an operator should know of the choice. Raises PlatformFault."""

    def isolated() -> NamespaceBackend:
        cells, most_cells = _numbers(settings.stem_cells, _STEM_CELLS)
        loaded, most_loaded = _numbers(settings.loaded_stem_cells, _LOADED_STEM_CELLS)
        return NamespaceBackend(
            interpreters,
            data_dir / "code",
            data_dir / "run",
            port,
            settings.max_concurrency + _SPARE_SLOTS,
            cpu_limit=settings.cpu_limit,
            network=settings.network,
            stem_cells=cells,
            most_stem_cells=most_cells,
            prepared_networks=settings.prepared_networks if most_cells else 0,
            loaded_stem_cells=loaded,
            most_loaded_stem_cells=most_loaded,
            file_systems=settings.file_systems,
            images=images_dir(data_dir) / "trees",
            criu=settings.criu,
        )

    def plain() -> ProcessBackend:
        return ProcessBackend(interpreters, endpoint)

    try:
        backend, notice = await open_backend(settings.sandbox, isolated, plain, settings.network)
    except SandboxError as error:
        raise PlatformFault(str(error)) from error
    if settings.file_systems and not isinstance(backend, NamespaceBackend):
        await backend.close()
        raise PlatformFault(
            "--file-system needs isolated functions: a plain process has no /mnt of its own. "
            + (notice or "")
        )
    return backend, notice


def _numbers(given: int | None, base: int) -> tuple[int, int]:
    """How many of a kind wait whatever happens, and at most."""
    return (base, MOST) if given is None else (given, given)
