"""``rag index info``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, open_knowledge_base
from rag.cli.output import note, out, out_json
from rag.text import counted

__all__ = ["info"]


def info(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Show what the index contains and what it was made with."""
    with open_knowledge_base(index, config, settings) as knowledge_base:
        stats, documents = knowledge_base.stats(), knowledge_base.documents()
        calibration = knowledge_base.calibration_error
    problems = [*stats.problems, *([f"{calibration.message}; {calibration.remedy}"] if calibration else [])]
    for problem in problems:
        note(f"warning: {problem}")
    failures = [
        {"source": d.source, "state": d.state, "reason": d.reason, "message": d.message, "remedy": d.remedy}
        for d in documents
        if d.state != "ready"
    ]
    if as_json:
        out_json(
            {
                "index": str(index),
                "generation": stats.generation,
                "counts": stats.counts,
                "bytes": stats.size,
                "settings": stats.settings,
                "derived": stats.derived,
                "commits": [asdict(commit) for commit in stats.commits],
                "failures": failures,
                "problems": problems,
            }
        )
        return
    counts, unused = stats.counts, stats.unused_vectors
    cached = f", and {counted(unused, 'unused vector')} for texts that may come back" if unused else ""
    out(f"index       {index} ({stats.size / 1e6:.1f} MB), generation {stats.generation}")
    out(f"documents   {counts['ready']} ready, {counts['stale']} stale, {counts['failed']} failed")
    out(f"chunks      {counts['chunks']}{cached}")
    for kind, generation in stats.derived.items():
        out(f"{kind:<11} {'built at the next ingestion' if generation is None else f'generation {generation}'}")
    for name, setting in stats.settings.items():
        out(f"  {name} = {setting}")
    for failure in failures:
        out(f"{failure['state']}: {failure['source']}: {failure['message']}; {failure['remedy']}")
