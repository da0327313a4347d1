"""What every test shares: no network, folders in memory, seeded property tests, and the real embedder loaded once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import pytest
from hypothesis import settings
from rag_project import FOG, Project

from rag.config import Config, load_config
from rag.embedding.base import Embedder
from rag.factory import make_embedder

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")
ROOM_NEEDED = 2 << 30


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have temporary folders in memory where there is room: hundreds of tests commit, and a disk makes each wait.

    ``--basetemp DIR`` puts them elsewhere, to be looked at afterwards.
    """
    if config.option.basetemp is None and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_NEEDED:
        folder = tempfile.mkdtemp(prefix="rag-tests-", dir=MEMORY)
        config.option.basetemp = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


# Which tests the fast subset leaves out, by place; single slow ones carry ``@pytest.mark.slow`` themselves.
MARKED_BY_PLACE = {
    "tests/engine/": "engine",
    "tests/faults/": "faults",
    "tests/ui/test_browser_": "browser",
    "tests/ui/test_hostile_pages": "browser",
    "tests/cli/test_cli_eval.py": "slow",
    "tests/cli/test_cli_terminal.py": "slow",
    "tests/cli/test_cli_train": "slow",
    "tests/test_docs_commands.py": "slow",
    "tests/test_docs_configuration.py": "slow",
    "tests/test_docs_python.py": "slow",
    "tests/ui/test_asking.py": "slow",
    "tests/ui/test_page_": "slow",
    "tests/ui/test_part_": "slow",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their place, and give each worker of ``pytest -n`` whole groups that share a start-up."""
    for item in items:
        path = item.path.relative_to(ROOT).as_posix()
        for place, mark in MARKED_BY_PLACE.items():
            if path.startswith(place):
                item.add_marker(mark)
        group = "engine" if item.get_closest_marker("engine") else path
        item.add_marker(pytest.mark.xdist_group(group))


settings.register_profile("seeded", derandomize=True, deadline=None, database=None)
settings.load_profile("seeded")


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """The real bundled embedder."""
    return make_embedder(load_config("cpu").config)


@pytest.fixture(scope="session")
def test_config() -> Config:
    """The preset without models."""
    return load_config("test").config


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(tmp_path / "project")
    yield made
    made.close()


@pytest.fixture
def fog(project: Project) -> Project:
    """A project of three small documents, ingested."""
    project.write(FOG).ingest()
    return project
