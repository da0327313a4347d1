"""SQuAD v1.1 dev as a folder of Markdown files, one a paragraph, and its questions. Shared by the benchmarks."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rag.config import Config, load_config

__all__ = ["DATA", "WORK", "Question", "config_for", "load_questions", "write_paragraphs"]

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
DATA = Path(os.environ.get("SQUAD_DEV") or HERE.parents[1] / "shared" / "data" / "squad" / "dev-v1.1.json")


@dataclass(frozen=True)
class Question:
    """A question, the source name of its paragraph's file, the paragraph itself, and its gold answers."""

    text: str
    source: str
    paragraph: str
    answers: tuple[str, ...]


def load_questions() -> list[Question]:
    """Return all 10,570 questions in the file's order; stop with a sentence where the data is not there."""
    if not DATA.is_file():
        sys.exit(f"{DATA.name} is needed at ../shared/data/squad beside the checkout, or where SQUAD_DEV says")
    questions = []
    for article in json.loads(DATA.read_text(encoding="utf-8"))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            source = f"paragraphs/{article['title']}/{number:03d}.md"
            for qa in paragraph["qas"]:
                answers = tuple(answer["text"] for answer in qa["answers"])
                questions.append(Question(qa["question"], source, paragraph["context"], answers))
    return questions


def write_paragraphs(folder: Path, questions: list[Question]) -> Path:
    """Write one Markdown file a paragraph, its article's title as heading, below ``folder/paragraphs``."""
    for question in questions:
        path = folder / question.source
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            title = path.parent.name.replace("_", " ")
            path.write_text(f"# {title}\n\n{question.paragraph}\n", encoding="utf-8")
    return folder / "paragraphs"


def config_for(*assignments: str) -> Config:
    """Return the default configuration with assignments."""
    return load_config("cpu", assignments).config
