"""How often an undeclared encoding is guessed rightly: ours, chardet, charset-normalizer (and cchardet if installed).

    python -m benchmarks.encodings

Texts of 29 languages (``encodings.yaml``; the longer ones continue with the names of countries and languages) are
encoded in the code pages of each language and decoded by each guess. A guess is right if the text is: another page with
the same letters counts. Figures: ``encodings.md``.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

SIZES = (30, 60, 200, 1000, 5000)
TEXTS = yaml.safe_load((Path(__file__).parent / "encodings.yaml").read_text(encoding="utf-8"))
_LOCALES = {"zh-hans": "zh_Hans", "zh-hant": "zh_Hant"}


def text_of(language: str, size: int, seed: int) -> str:
    """Return a text of at most ``size`` characters; small ones are single sentences."""
    from babel import Locale

    chance = random.Random(f"{language} {size} {seed}")
    sentences = list(TEXTS[language]["text"])
    chance.shuffle(sentences)
    if size <= 60:
        sentences = sentences[:1]
    locale = Locale.parse(_LOCALES.get(language, language))
    names = [*locale.territories.values(), *locale.languages.values()]
    chance.shuffle(names)
    text = "\n".join(sentences)
    return (text if len(text) >= size else f"{text}\n{', '.join(names)}")[:size]


def samples() -> Iterator[tuple[int, bytes, str]]:
    """Yield the size, the bytes and the text of each sample that is not ASCII."""
    for language, entry in TEXTS.items():
        for page in entry["pages"]:
            for size in SIZES:
                for seed in range(5 if size <= 200 else 2):
                    data = text_of(language, size, seed).encode(page, "ignore")
                    if not data.isascii():
                        yield size, data, data.decode(page)


def guessers() -> dict[str, Callable[[bytes], str | None]]:
    """Return the functions to compare that are installed."""
    import chardet

    from rag.ingestion.loaders.decoding import decode_bytes

    compared: dict[str, Callable[[bytes], str | None]] = {
        "ours": lambda data: decode_bytes(data).encoding,
        "chardet": lambda data: chardet.detect(data, prefer_superset=True, compat_names=False)["encoding"],
    }
    try:
        from charset_normalizer import from_bytes

        compared["charset-normalizer"] = lambda data: best.encoding if (best := from_bytes(data).best()) else None
    except ModuleNotFoundError:
        print("charset-normalizer is not installed")
    try:
        import cchardet

        compared["cchardet"] = lambda data: cchardet.detect(data)["encoding"]
    except ModuleNotFoundError:
        print("faust-cchardet is not installed")
    return compared


def main() -> None:
    """Print one row for each guesser: the share of right texts by size, and its time."""
    drawn = list(samples())
    totals = Counter(size for size, _, _ in drawn)
    print("| guesser | " + " | ".join(f"{size} characters" for size in SIZES) + " | seconds |")
    for name, guess in guessers().items():
        right: Counter[int] = Counter()
        start = time.process_time()
        for size, data, text in drawn:
            encoding = guess(data)
            try:
                right[size] += encoding is not None and data.decode(encoding, "replace") == text
            except LookupError:
                continue
        seconds = time.process_time() - start
        cells = " | ".join(f"{right[size]} of {totals[size]}" for size in SIZES)
        print(f"| {name} | {cells} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
