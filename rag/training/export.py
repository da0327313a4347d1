"""The last step of a reader: an int8 graph for CPUs, with weights and confidence fitted on held-back questions.

The graph is quantized after training, with activation ranges from passages like those of training. The questions are
those of the training file's question-sentence pairs whose sentence was held back. They are asked of an index of their
own corpus, which the product's own code builds and searches.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rag.config import Config
from rag.errors import InputError
from rag.extractive_qa.engine import load_engine
from rag.extractive_qa.model import SpanReader
from rag.extractive_qa.record import RECORD_FILE, ReaderRecord, is_latin
from rag.extractive_qa.scorer import GRAPH_FILE, batches, padded
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Pair, Windower
from rag.factory import make_chunker, make_embedder, make_retriever, open_or_create
from rag.ingestion.ingestor import Ingestor
from rag.models.openvino import quantize_graph, save_graph, trace_graph
from rag.training.config import Pairs, ReaderConfig
from rag.training.data.corpus import Corpus
from rag.training.data.pairs import read_pairs
from rag.training.data.sources import hold_back
from rag.training.data.unanswerable import Alterer
from rag.training.fit_weights import KnownQuestion, fit_weights

__all__ = ["export_graph", "export_reader"]

_PARAGRAPH = 5  # sentences; the files of pairs have no paragraphs
_CALIBRATION_WINDOWS = 300
_COPIED = ("tokenizer.json", "tokenizer_config.json", "config.json")


def export_reader(
    config: ReaderConfig,
    target: Path,
    pipeline: Config,
    *,
    limit: int = 500,
    say: Callable[[str], None] = lambda _: None,
) -> ReaderRecord:
    """Fit and export the reader in ``config.output`` to ``target``; ``pipeline`` decides how passages are retrieved.

    Up to ``limit`` held-back questions are asked, drawn by the training's seed.

    Raises :class:`~rag.errors.InputError` if the training file names no pairs, or none were held back.
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
    held = sorted(draw.sample(held, min(len(held), limit)))
    texts, questions = _passages(corpus, held, draw)
    if target.resolve() == config.output.resolve():
        raise InputError(f"{target} holds the training itself", "name another folder with --to")
    folder = config.output / "fit"
    shutil.rmtree(folder, ignore_errors=True)  # else the index would hold passages of another fit
    pairs = [Pair(question.question, texts[n % len(texts)][1]) for n, question in enumerate(questions)]
    say("quantizing")
    graph = folder / "graph"
    windower = Windower(load_tokenizer(config.output, str(config.output)), config.window)
    export_graph(config.output, graph, windower, pairs)
    say(f"fitting on {len(questions):,} held-back questions over {len(texts):,} passages")
    engine = load_engine(str(graph), engine="openvino")  # weights are fitted on the exported graph
    documents = folder / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    for name, text in texts:
        (documents / name).write_text(text, encoding="utf-8")
    questions = [replace(question, source=f"{documents.name}/{question.source}") for question in questions]
    with ExitStack() as stack:
        embedder = stack.enter_context(closing(make_embedder(pipeline)))
        index = stack.enter_context(open_or_create(folder / "index", pipeline, embedder))
        with index.writing("rag train finish"):
            Ingestor(index, embedder, make_chunker(pipeline, embedder), lambda _: None).run([documents])
        retriever = make_retriever(index, pipeline, embedder)
        stack.callback(retriever.reader.close)
        record = fit_weights(engine, questions, lambda texts: retriever.retrieve_batch(texts, k=20))
    record = replace(record, latin_only=all(map(is_latin, corpus.sentences)))
    record.save(config.output)
    record.save(graph)
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(graph.iterdir(), key=lambda p: p.name == RECORD_FILE):  # the record last
        shutil.move(path, target / path.name)
    return record


class _Traced(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow torch
    """The reader with positional inputs and outputs, which tracing requires."""

    def __init__(self, reader: SpanReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> Any:
        scores = self.reader(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return scores.start, scores.end, scores.relevance


def export_graph(folder: Path, target: Path, windower: Windower, pairs: Sequence[Pair]) -> None:
    """Write the int8 graph of a trained reader. ``pairs`` of question and passage are typical inputs.

    Raises :class:`~rag.errors.MissingPackageError` without OpenVINO or NNCF, :class:`~rag.errors.InputError` without
    pairs.
    """
    windows = windower.cut(pairs)[:_CALIBRATION_WINDOWS]
    if not windows:
        raise InputError("there is nothing to calibrate the graph with", "name questions and passages")
    samples = [padded([windows[n] for n in chosen], windower.padding) for chosen in batches(windows, 2048)]
    reader = SpanReader.load(folder, trained=True).eval()
    example = {name: torch.from_numpy(array) for name, array in samples[0].items()}
    target.mkdir(parents=True, exist_ok=True)
    save_graph(quantize_graph(trace_graph(_Traced(reader).eval(), example), samples), target / GRAPH_FILE)
    for name in _COPIED:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    ReaderRecord.load(folder).save(target)


def _check_trained(config: ReaderConfig) -> None:
    """Check that the held-back questions were held back in training. Raises :class:`~rag.errors.InputError`."""
    try:
        trained = json.loads((config.output / "training.json").read_text(encoding="utf-8"))["config"]
        before = {"dev_share": trained["dev_share"], "training.seed": trained["training"]["seed"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{config.output} holds no finished training", "run `rag train reader` first") from None
    for key, now in (("dev_share", config.dev_share), ("training.seed", config.training.seed)):
        if before[key] != now:
            raise InputError(
                f"the training in {config.output} had {key} {before[key]}, and the file has {now}: other questions "
                "were held back",
                "use the file and the --set that it was trained with",
            )


def _passages(
    corpus: Corpus, held: Sequence[int], draw: random.Random
) -> tuple[list[tuple[str, str]], list[KnownQuestion]]:
    """Return passages of consecutive sentences as (name, text), and the held-back questions with their places."""
    texts: list[tuple[str, str]] = []
    places: dict[int, tuple[str, int, int]] = {}
    for first in range(0, len(corpus.sentences), _PARAGRAPH):
        name, text = f"{first // _PARAGRAPH:05}.txt", ""
        for number, sentence in enumerate(corpus.sentences[first : first + _PARAGRAPH], first):
            text += " " if text else ""
            places[number] = (name, len(text), len(text) + len(sentence))
            text += sentence
        texts.append((name, text))
    alterer = Alterer(corpus)
    questions = []
    for n in held:
        question = corpus.questions[n]
        altered = alterer.alter(n, "", corpus.sentences[question.sentence], draw)
        questions.append(KnownQuestion(question.text, *places[question.sentence], altered))
    return texts, questions
