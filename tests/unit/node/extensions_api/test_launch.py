"""What is started as extensions, and with what."""

from pathlib import Path

from lambent.node.extensions_api.launch import extension_environ, find_extensions


def test_files_are_extensions_directories_are_not(tmp_path: Path) -> None:
    """Every file of ``extensions``, in order; nothing where there is none."""
    assert find_extensions(tmp_path) == ()
    directory = tmp_path / "extensions"
    (directory / "library").mkdir(parents=True)
    for name in ("b", "a", "library/c"):
        (directory / name).touch()
    assert find_extensions(tmp_path) == ("a", "b")
    (tmp_path / "file").touch()
    assert find_extensions(tmp_path / "file") == ()


def test_the_runtime_s_own_variables_stay_with_it() -> None:
    """The function's variables and credentials are there; the handler and the code's place are not."""
    environ = {"MINE": "1", "AWS_ACCESS_KEY_ID": "k", "_HANDLER": "h", "LAMBDA_TASK_ROOT": "/"}
    assert extension_environ(environ) == {"MINE": "1", "AWS_ACCESS_KEY_ID": "k"}
