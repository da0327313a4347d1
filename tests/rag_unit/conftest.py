"""Fixtures of the tests of ``rag``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rag_project import FOG, Project


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
