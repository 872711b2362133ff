"""Files of data that came with an installed package."""

import hashlib
from importlib.util import find_spec
from pathlib import Path


def package_folder(package: str, project: str, needed_by: str) -> Path:
    """Find the folder of a package without importing it.

    Parameters
    ----------
    package
        Name under which it is imported.
    project
        Name under which it is installed.
    needed_by
        The function that asks, for the message.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed; the message says what to run.
    """
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    for folder in folders:
        return Path(folder)
    raise ModuleNotFoundError(
        f"{needed_by} reads data that come with {project}, which is not "
        f"installed; run pip install {project}",
        name=package,
    )


def intact(content: bytes, sha256: str, path: Path, project: str) -> bytes:
    """Hand back what was read from a package if its checksum is right.

    Raises
    ------
    OSError
        If the content is damaged or another than the course was made with.
    """
    if hashlib.sha256(content).hexdigest() == sha256:
        return content
    raise damaged(path, project)


def bytes_of(path: Path, project: str) -> bytes:
    """Read a file of a package.

    Raises
    ------
    FileNotFoundError
        If the package lacks the file; the message says what to run.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; run pip install --force-reinstall "
            f"--no-deps {project}"
        )
    return path.read_bytes()


def damaged(path: Path, project: str) -> OSError:
    """The error for a file of a package that is not as it was."""
    return OSError(
        f"{path} is damaged or of another version; run pip install "
        f"--force-reinstall --no-deps {project}"
    )
