"""How much of a web page's text is read: ours and trafilatura, on pages with a known main part.

    git clone https://github.com/mozilla/readability
    git clone https://github.com/adbar/trafilatura
    pip install trafilatura                                  # to compare; ours is measured without it
    python -m benchmarks.web_pages readability/test/test-pages trafilatura/tests

The first folder has pages (``*/source.html``) with their main part (``expected.html``): of the words of the main part,
how many are kept (recall), and of the words that are kept, how many belong to it (precision). The second has pages with
sentences that must be kept and sentences that must not (``evaldata.json``). Figures are in web_pages.md.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median

Reader = Callable[[bytes], str]
_WORD = re.compile(r"\w+")


def main() -> None:
    """Print a line for each reader and each set."""
    parser = argparse.ArgumentParser(description="Recall and precision of the text of web pages.")
    parser.add_argument("pages", type=Path, help="a folder with */source.html and */expected.html")
    parser.add_argument("sentences", type=Path, nargs="?", help="a folder with evaldata.json and the pages it names")
    options = parser.parse_args()
    print(f"{'':<28}{'recall':>8}{'worst 10 %':>12}{'below half':>12}{'precision':>11}{'pages':>7}{'median ms':>11}")
    for name, read in readers().items():
        print(f"{name:<28}{words_row(read, options.pages)}", flush=True)
    if options.sentences:
        print(f"\n{'':<28}{'kept of must':>14}{'kept of must not':>18}{'pages':>7}")
        for name, read in readers().items():
            print(f"{name:<28}{sentences_row(read, options.sentences)}", flush=True)


def readers() -> dict[str, Reader]:
    """Return the readers that are installed."""
    from rag.ingestion.loaders.html import html_document

    found: dict[str, Reader] = {
        "ours": lambda data: html_document(data, "page.html", "text/html", main_part=True).text,
        "ours, the whole page": lambda data: html_document(data, "page.html", "text/html").text,
    }
    try:
        import trafilatura
    except ImportError:
        return found
    found["trafilatura"] = lambda data: trafilatura.extract(data, include_comments=False) or ""
    found["trafilatura, favor_recall"] = lambda data: trafilatura.extract(data, favor_recall=True) or ""
    return found


def words_row(read: Reader, folder: Path) -> str:
    """Return recall, precision and time of a reader over the pages of a folder."""
    recalls, precisions, seconds = [], [], []
    for source in sorted(folder.glob("*/source.html")):
        expected = Counter(words(plain(source.with_name("expected.html").read_bytes())))
        if not expected:
            continue
        data = source.read_bytes()
        started = time.perf_counter()
        kept = Counter(words(read(data)))
        seconds.append(time.perf_counter() - started)
        both = (expected & kept).total()
        recalls.append(both / expected.total())
        precisions.append(both / kept.total() if kept else 0.0)
    worst = sorted(recalls)[: max(len(recalls) // 10, 1)]
    below = sum(recall < 0.5 for recall in recalls)
    return (
        f"{mean(recalls):>8.1%}{mean(worst):>12.1%}{below:>12}{mean(precisions):>11.1%}{len(recalls):>7}"
        f"{1000 * median(seconds):>11.0f}"
    )


def sentences_row(read: Reader, folder: Path) -> str:
    """Return which of the sentences of a set a reader keeps."""
    kept: Counter[bool] = Counter()
    asked: Counter[bool] = Counter()
    pages = 0
    for path, must, must_not in sentence_pages(folder):
        text = " ".join(read(path.read_bytes()).split())
        pages += 1
        for sentences, wanted in ((must, True), (must_not, False)):
            asked[wanted] += len(sentences)
            kept[wanted] += sum(" ".join(sentence.split()) in text for sentence in sentences)
    return f"{kept[True] / asked[True]:>14.1%}{kept[False] / asked[False]:>18.1%}{pages:>7}"


def sentence_pages(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each page that is there, with the sentences that must be kept and that must not."""
    for entry in json.loads((folder / "evaldata.json").read_text(encoding="utf-8")).values():
        path = next((folder / place / entry["file"] for place in ("eval", "cache")), None)
        for place in ("cache", "eval"):
            if (folder / place / entry["file"]).is_file():
                path = folder / place / entry["file"]
        if path is not None and path.is_file() and isinstance(entry.get("with"), list):
            yield path, entry["with"], entry.get("without") or []


def plain(data: bytes) -> str:
    """Return all text of an HTML fragment."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(data, "lxml").get_text(" ")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.casefold() for word in _WORD.findall(text)]


if __name__ == "__main__":
    main()
