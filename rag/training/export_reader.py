"""The last step of a reader: the graph that is shipped, then weights and confidence fitted on held-back questions.

The questions are those of the training file's question-sentence pairs whose sentence was held back from training. They
are asked of an index of their own corpus, made and searched by the product's own code.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rag.config import Config
from rag.errors import InputError
from rag.extractive_qa.engine import load_engine
from rag.extractive_qa.record import RECORD_FILE, ReaderRecord, is_latin
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Windower
from rag.factory import make_chunker, make_embedder, make_retriever, open_or_create
from rag.ingestion.ingestor import Ingestor
from rag.training.config import Pairs, ReaderConfig
from rag.training.data.corpus import Corpus
from rag.training.data.pairs import read_pairs
from rag.training.data.sources import hold_back
from rag.training.data.unanswerable import Alterer
from rag.training.export import export_graph
from rag.training.fit_weights import Asked, weigh

__all__ = ["finish"]

_PARAGRAPH = 5  # sentences; those of the pairs' files have no paragraphs of their own


def finish(
    config: ReaderConfig,
    target: Path,
    pipeline: Config,
    *,
    most: int = 500,
    say: Callable[[str], None] = lambda _: None,
) -> ReaderRecord:
    """Fit and export the reader in ``config.output`` to ``target``; ``pipeline`` says how passages are retrieved.

    At most ``most`` held-back questions are asked, drawn by the training's seed.

    Raises :class:`~rag.errors.InputError` where the training file names no pairs, or held none back.
    """
    number, source = next(((n, s) for n, s in enumerate(config.train) if isinstance(s, Pairs)), (0, None))
    if source is None:
        raise InputError("the training file names no question-sentence pairs to fit on", "add a source of kind: pairs")
    if config.dev is not None:
        raise InputError(
            "the training file names its own dev, so that none of its pairs were held back",
            "train with dev_share instead",
        )
    _check_trained(config)
    corpus = read_pairs(source.sentences, source.questions)
    held = hold_back(corpus, config.dev_share, config.training.seed + number)[1]
    draw = random.Random(config.training.seed)  # noqa: S311 - a seed, not a secret
    held = sorted(draw.sample(held, min(len(held), most)))
    texts, asked = _paragraphs(corpus, held, draw)
    if target.resolve() == config.output.resolve():
        raise InputError(f"{target} holds the training itself", "name another folder with --to")
    folder = config.output / "fit"
    shutil.rmtree(folder, ignore_errors=True)  # a passage of another fitting would be found as well
    pairs = [(a.question, texts[n % len(texts)][1]) for n, a in enumerate(asked)]
    say("quantising")
    tokenizer = load_tokenizer(config.output, str(config.output))
    graph = folder / "graph"
    export_graph(config.output, graph, Windower(tokenizer, config.window), pairs)
    say(f"fitting on {len(asked):,} held-back questions over {len(texts):,} passages")
    engine = load_engine(str(graph), engine="openvino")  # what is shipped is what its weights are fitted on
    embedder = make_embedder(pipeline)
    documents = _written(folder / "documents", texts)
    index = open_or_create(folder / "index", pipeline, embedder)
    with index.writing("rag train finish"):
        Ingestor(index, embedder, make_chunker(pipeline, embedder), lambda _: None).run([documents])
    retriever = make_retriever(index, pipeline, embedder)
    prefix = f"{documents.name}/"
    asked = [replace(a, source=prefix + a.source) for a in asked]
    record = weigh(engine, asked, lambda questions: retriever.retrieve_batch(questions, k=20))
    record = replace(record, latin_only=all(map(is_latin, corpus.sentences)))
    for place in (config.output, graph):
        (place / RECORD_FILE).write_text(json.dumps(record.tree(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _publish(graph, target)
    return record


def _publish(made: Path, target: Path) -> None:
    """Move the files of a finished folder into their place, the record last: a failed fitting has touched nothing."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(made.iterdir(), key=lambda p: p.name == RECORD_FILE):
        shutil.move(path, target / path.name)


def _check_trained(config: ReaderConfig) -> None:
    """Make sure that what is taken for held back was held back. Raises :class:`~rag.errors.InputError`."""
    path = config.output / "training.json"
    try:
        trained = json.loads(path.read_text(encoding="utf-8"))["config"]
        there = {"dev_share": trained["dev_share"], "training.seed": trained["training"]["seed"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{config.output} holds no finished training", "run `rag train reader` first") from None
    for key, now in (("dev_share", config.dev_share), ("training.seed", config.training.seed)):
        if there[key] != now:
            raise InputError(
                f"the training in {config.output} had {key} {there[key]}, and the file has {now}: other questions were "
                "held back",
                "give the file, and the --set, that it was trained with",
            )


def _paragraphs(corpus: Corpus, held: Sequence[int], draw: random.Random) -> tuple[list[tuple[str, str]], list[Asked]]:
    """Return passages of consecutive sentences as (name, text), and the held-back questions with their places."""
    texts: list[tuple[str, str]] = []
    places: dict[int, tuple[str, int, int]] = {}
    for begin in range(0, len(corpus.sentences), _PARAGRAPH):
        name, text = f"{begin // _PARAGRAPH:05}.txt", ""
        for number, sentence in enumerate(corpus.sentences[begin : begin + _PARAGRAPH], begin):
            text += " " if text else ""
            places[number] = (name, len(text), len(text) + len(sentence))
            text += sentence
        texts.append((name, text))
    alterer = Alterer(corpus)
    asked = []
    for n in held:
        question = corpus.questions[n]
        altered = alterer.alter(n, "", corpus.sentences[question.sentence], draw)
        asked.append(Asked(question.text, *places[question.sentence], altered))
    return texts, asked


def _written(folder: Path, texts: Sequence[tuple[str, str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts:
        (folder / name).write_text(text, encoding="utf-8")
    return folder
