"""Compare prompt templates on 200 seeded questions of SQuAD v1.1 dev, with the right paragraph given.

    python -m benchmarks.prompt_forms          # about 20 minutes on 2 cores; keep the machine idle

Adds the templates that no preset uses to the product's own and runs the sweep of benchmarks/prompt_forms.yaml. The
winner is the template in configs/cpu.yaml. Figures elsewhere use another seed, because the choice was made here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rag.cli.main import main
from rag.prompt_templates import ABSTENTION, BRIEF, FORMS, SIX_EXAMPLES, Example, Form

_CHAT_SPAN = (
    "Copy the shortest words from the passages that answer the question. Write nothing else, no full sentence. "
    f"If the passages do not answer it, reply exactly: {ABSTENTION}."
)
_CHOIR = Example(
    "The choir of Saint Orrin was founded in 1788 and sang at the opening of the canal, forty years later. It had"
    " twelve voices then and has thirty today, most of them bargees.",
    "When was the choir of Saint Orrin founded?",
    "1788",
)
_MOTH = Example(
    "The pale hook moth lays its eggs on willow, never on alder. Its caterpillars spin a roof of silk before the "
    "autumn rains, which the people of the marsh call the first snow.",
    "What do the people of the marsh call the caterpillars' roof of silk?",
    "the first snow",
)
_MILL = Example(
    "In the treaty of Lunn the two towns agreed to share the mill. Upper Lunn was to grind on odd days and Lower "
    "Lunn on even ones, and a quarrel about the thirty-first lasted for nine years.",
    "How long did the quarrel last?",
    "nine years",
)
_GLASS = Example(
    "Window glass in the old school is wavy because it was blown and not rolled. When a pane breaks, the glazier "
    "Tom Ferrer takes one of the same age from a barn that he bought for its windows.",
    "What kind of glass does the old school have in its windows?",
    "blown",
)
_UNANSWERED = Example(
    "The library of Teal opened in 1932. Its reading room has forty seats and a clock that was a gift of the guild.",
    "How many books does the library of Teal hold?",
    ABSTENTION,
)
_LIGHTHOUSE, _SOUP, _FERRY, _POTTERS, _ORCHARD, _TUNNEL = SIX_EXAMPLES
_FOUR = SIX_EXAMPLES[:4]
_MORE = (_CHOIR, _MOTH, _MILL, _GLASS)

FORMS.update(
    {
        "two-shot": Form("", (_LIGHTHOUSE, _FERRY)),
        "four-shot": Form("", _FOUR),
        "ten-shot": Form("", (*SIX_EXAMPLES, *_MORE)),
        "ten-shot-abstain": Form("", (*_FOUR, _UNANSWERED, _TUNNEL, *_MORE)),
        "six-shot-abstain": Form(BRIEF, (*_FOUR, _UNANSWERED, _TUNNEL)),
        "zero-shot": Form(BRIEF),
        "chat-span": Form(_CHAT_SPAN, chat=True),
        "chat-four-shot": Form(_CHAT_SPAN, _FOUR, chat=True),
    }
)

if __name__ == "__main__":
    sys.exit(main(["eval", "sweep", str(Path(__file__).with_suffix(".yaml")), *sys.argv[1:]]))
