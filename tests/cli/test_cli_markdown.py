"""A long Markdown answer of an endpoint in the terminal, streamed and as JSON."""

from __future__ import annotations

from pathlib import Path

from cli_runner import Rag
from markdown_endpoint import MARKDOWN, markdown_endpoint

QUESTION = "How much does the fog sensor weigh and where does it stand?"
WITHOUT_NUMBERS = MARKDOWN.replace(" [1]", "").replace(" [2]", "").strip()
DOCUMENTS = {
    "fog.md": "# Fog\n\nThe fog sensor weighs 3.4 kg and stands on the mast beside the old lighthouse by the sea.\n",
    "mast.md": "# Mast\n\nThe mast is 31 metres tall.\n",
}


def test_a_markdown_answer_is_printed_as_it_was_written(work: Path, rag: Rag) -> None:
    (work / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (work / "docs" / name).write_text(text, encoding="utf-8")
    assert rag("ingest", "docs").code == 0
    with markdown_endpoint(MARKDOWN.replace(" [3]", "") + "\n\x1b[31m\u202ered") as endpoint:
        settings = [part for setting in endpoint.settings for part in ("--set", setting)]
        ran = rag("ask", QUESTION, *settings)
        whole = rag("ask", QUESTION, "--json", *settings)
        streamed, asked = endpoint.requests
    shown = WITHOUT_NUMBERS.replace(" [3]", "")
    assert ran.out.startswith(f"{shown}\n")
    assert "\x1b" not in ran.out and "\u202e" not in ran.out
    assert whole.json["answer"].startswith(shown)
    assert whole.json["citations"]
    assert (streamed.get("stream"), asked.get("stream")) == (True, None)
    assert {request["max_tokens"] for request in (streamed, asked)} == {512}
    assert "[1] Fog (fog.md)\nThe fog sensor weighs 3.4 kg" in asked["messages"][-1]["content"]
