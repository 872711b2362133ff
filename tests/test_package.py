"""What importing the package loads, and what it offers."""

import subprocess
import sys

import pytest

import attncourse

HEAVY = (
    "IPython",
    "ipywidgets",
    "joblib",
    "matplotlib",
    "skimage",
    "sklearn",
    "torchvision",
)


def test_importing_loads_no_plotting_widget_or_data_library() -> None:
    code = (
        "import sys, attncourse; "
        "from attncourse import attention, bugs, models, watch; "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    for name in attncourse.__all__:
        assert getattr(attncourse, name) is not None
    assert set(attncourse.__all__) <= set(dir(attncourse))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'atention'"):
        _ = attncourse.atention
