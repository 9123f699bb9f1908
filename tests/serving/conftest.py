"""What tests of serving start from: folders for real processes, with a database made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.serving.running import within


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as a first start leaves it, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    for arguments in (["secrets"], ["db", "upgrade"]):
        done = within(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder / "instance"


@pytest.fixture
def place(tmp_path: Path, instance: Path) -> Path:
    """A folder with an instance in it that has been started before."""
    shutil.copytree(instance, tmp_path / "instance")
    return tmp_path
