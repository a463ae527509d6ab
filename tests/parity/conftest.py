"""The account every case starts from, and the cases of every file."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lambent.testing.lambda_account import populate
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import Case
from lambent.testing.parity_table import documented_errors

Template = tuple[Path, Mapping[str, str]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A populated account's folder and ids, to be copied."""
    folder = tmp_path_factory.mktemp("account") / "data"
    api = LambdaApi.on(folder)
    populate(api)
    api.close()
    return folder, api.ids


@pytest.fixture
def api(template: Template, tmp_path: Path) -> Iterator[LambdaApi]:
    """The control API over a populated account of this test's own."""
    folder, ids = template
    shutil.copytree(folder, tmp_path / "data")
    api = LambdaApi.on(tmp_path / "data", ids)
    yield api
    api.close()


@pytest.fixture(scope="session")
def all_cases() -> list[Case]:
    """Every case there is, whichever tests are run: the table ``CASES`` of each file."""
    paths = sorted(Path(__file__).parent.glob("test_*.py"))
    return [case for path in paths for case in _cases(path)]


def _cases(path: Path) -> list[Case]:
    if "\nCASES = " not in path.read_text():
        return []
    spec = importlib.util.spec_from_file_location(f"parity_of_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[Case] = module.CASES
    return found


@pytest.fixture(scope="session")
def documented() -> Callable[[str], frozenset[str]]:
    """``documented(operation)``: the codes its cases can lead to."""
    return documented_errors
