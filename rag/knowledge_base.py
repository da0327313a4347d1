"""The one way in: a folder with an index, opened once, for ingesting, searching, asking and looking after it.

A :class:`KnowledgeBase` applies what belongs to every question: the configuration, the index's calibrated threshold,
the filter, and the rewriting of follow-up questions. The command line, the page and the evaluation all use it.

Models load when they are first needed and are shared through a :class:`~rag.model_pool.ModelPool`. Errors are
:class:`~rag.errors.RagError`, each with a message and a remedy.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, cast

from indexes.system import closed_on_error
from rag.answering.abstention import apply_calibration
from rag.config import Resolved, Settings, load_config
from rag.errors import InputError, StorageError, UsageError, storage_errors
from rag.model_pool import ModelPool
from rag.retrieval.filters import Filter
from rag.types import Answer, Document, Passage, QuestionKind

if TYPE_CHECKING:
    from indexes import DocumentRow, Index, Problem
    from rag.answering.answerer import Answerer, AnswerStream
    from rag.answering.query_rewriting import Rewritten, Turn
    from rag.answering.version_choice import VersionChoice
    from rag.generation.base import Completer
    from rag.ingestion.report import IngestReport, Progress
    from rag.ingestion.run import IngestObserver, IngestOptions
    from rag.ingestion.versions import Family, StoredFamilies
    from rag.ops.index_stats import IndexStats
    from rag.retrieval.retriever import Retrieved, Retriever

__all__ = ["Chat", "FilterLike", "KnowledgeBase", "QuestionStream", "open"]

FilterLike = Filter | str | Iterable[str] | None
History = Iterable["Turn | tuple[str, str]"]
T = TypeVar("T")


def open(  # noqa: A001 - `rag.open(...)` reads like the built-in and opens a folder
    folder: str | Path = ".rag",
    *,
    config: str | Path = "cpu",
    settings: Settings = (),
    models: ModelPool | None = None,
) -> KnowledgeBase:
    """Open the knowledge base in a folder. The index is created by the first ingestion.

    ``config`` names a preset or a YAML file; ``settings`` overrides single values, as ``{"retrieval.k": 8}`` or
    ``["retrieval.k=8"]``. Pass the same ``models`` to share loaded models between several knowledge bases. Raises
    :class:`~rag.errors.UsageError` for an unknown preset, key or value, and for an empty path.
    """
    return KnowledgeBase(_path(folder), load_config(config, settings), models)


class KnowledgeBase:
    """An index folder and everything that answers from it. Safe to call from many threads.

    ``config`` is the resolved configuration with the index's calibrated threshold; ``notes`` says what of a calibration
    does not apply. ``calibration_error`` is raised when an answer needs a calibration that cannot be read. Use it as a
    context manager, or call :meth:`close`. Afterwards every method raises :class:`~rag.errors.UsageError`.
    """

    def __init__(self, folder: Path, config: Resolved, models: ModelPool | None = None) -> None:
        self.folder = folder
        self.calibration_error: UsageError | None = None
        try:
            with storage_errors():
                self.config, note = apply_calibration(config, folder)
        except UsageError as error:
            self.config, note, self.calibration_error = config, None, error
        self.notes = () if note is None else (note,)
        self.models = models or ModelPool()
        self._owns_models = models is None
        self._closed = False
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._retriever: Retriever | None = None
        self._answerer: Answerer | None = None
        self._families: StoredFamilies | None = None

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index, and the models unless they are shared. Closing twice does nothing more."""
        with self._lock:
            self._closed = True
            index, retriever = self._index, self._retriever
            self._index = self._retriever = self._answerer = None
            with ExitStack() as stack:
                if self._owns_models:
                    stack.callback(self.models.close)
                if index is not None:
                    stack.callback(index.close)
                if retriever is not None:
                    stack.callback(retriever.reader.close)

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError(f"the knowledge base of {self.folder} is closed", "open it again with rag.open")

    # Ingesting ----------------------------------------------------------------------------------------------------

    def ingest(
        self,
        paths: str | Path | Iterable[str | Path] | Mapping[str, str | Path] = (),
        *,
        prune: bool = False,
        force: bool = False,
        progress: Callable[[Progress], None] | None = None,
        options: IngestOptions | None = None,
        observer: IngestObserver | None = None,
        purpose: str = "rag",
    ) -> IngestReport:
        """Read files, folders and web pages into the index; what is unchanged is skipped. A mapping names single files.

        A text that begins with ``https://`` or ``http://`` is the address of one web page, which is fetched.

        ``prune`` removes documents whose files are gone, ``force`` even those of a folder that is now empty.
        ``progress`` is called often, in this thread. ``options`` and ``observer`` replace these three and have more.
        ``purpose`` is shown to processes that wait for the index. Raises :class:`~rag.errors.InputError` for a wrong
        path or address. A file that cannot be read is a failure in the report, not an error.
        """
        from rag.factory import make_ingest_parts
        from rag.ingestion.run import IngestObserver, IngestOptions, ingest_files, ingest_paths
        from rag.ingestion.web.urls import is_url

        self._require_open()
        config = self.config.config
        parts = make_ingest_parts(config, lambda: nullcontext(self.models.embedder(config)))
        options = options or IngestOptions(prune=prune, force=force)
        options = replace(options, embedded=config.parsing.embedded_files)
        observer = observer or (IngestObserver(progress=progress) if progress else IngestObserver())
        with storage_errors():
            if isinstance(paths, Mapping):
                names, files = _texts(paths, "a name"), [_path(path) for path in paths.values()]
                named = dict(zip(names, files, strict=True))
                return ingest_files(parts, self.folder, named, options, observer=observer, purpose=purpose)
            if isinstance(paths, str | Path | bytes) or not isinstance(paths, Iterable):
                paths = [paths]
            given = list(paths)
            urls = [path for path in given if isinstance(path, str) and is_url(path)]
            files = [_path(path) for path in given if not (isinstance(path, str) and is_url(path))]
            return ingest_paths(parts, self.folder, files, options, urls=urls, observer=observer, purpose=purpose)

    # Asking -------------------------------------------------------------------------------------------------------

    def search(self, question: str, *, k: int | None = None, filter: FilterLike = None) -> list[Passage]:  # noqa: A002
        """Return the ``k`` best passages for a question. No generator is asked."""
        return list(self.retrieve(question, k=k, filter=filter).passages)

    def retrieve(self, question: str, *, k: int | None = None, filter: FilterLike = None) -> Retrieved:  # noqa: A002
        """Return the best passages with notes, timings and the index's generation.

        Raises :class:`~rag.errors.InputError` for an empty question, :class:`~rag.errors.UsageError` for a ``k`` that
        is no whole number above 0.
        """
        from rag.retrieval.retriever import check_question

        if k is not None and (not isinstance(k, int) or isinstance(k, bool) or k < 1):
            raise UsageError(f"k is {k!r}", "pass a whole number of at least 1")
        with storage_errors():
            return self.retriever.retrieve(check_question(question), only=as_filter(filter), k=k)

    def ask(self, question: str, *, filter: FilterLike = None, history: History = ()) -> Answer:  # noqa: A002
        """Answer one question.

        ``history`` holds earlier turns, or pairs of question and answer, from which a follow-up question is completed.
        """
        return self.ask_batch([self.understand(question, history).question], filter=filter)[0]

    def ask_batch(self, questions: Sequence[str], *, filter: FilterLike = None) -> list[Answer]:  # noqa: A002
        """Answer all questions in one batch.

        Raises :class:`~rag.errors.InputError` for an empty or too long question, and what the generator raises.
        """
        from rag.retrieval.retriever import check_question

        if isinstance(questions, str) or not isinstance(questions, Iterable):
            raise InputError(
                f"ask_batch takes a list of questions, not one {type(questions).__name__}",
                "pass [question], or use ask",
            )
        checked = [check_question(question) for question in questions]
        with storage_errors():
            answerer = self.answerer
            prepared = self._prepare(checked, as_filter(filter))
            answers = iter(answerer.answer_batch([p for p in prepared if not isinstance(p, Answer)]))
            return self._with_reading_notes([p if isinstance(p, Answer) else next(answers) for p in prepared])

    def _with_reading_notes(self, answers: Sequence[Answer]) -> list[Answer]:
        """Add the pages of citations, and what was not read of the documents that the answers cite."""
        from rag.answering.citation_pages import with_pages
        from rag.answering.reading_notes import cited_sources, with_reading_notes

        sources = cited_sources(answers)
        if not sources:
            return list(answers)
        try:
            with storage_errors():
                store = self.retriever.reader.store
                answers = [with_pages(answer, store.page_breaks) for answer in answers]
                notes, versions = store.notes(sources), self._versions(sources)
                answers = [versions.noted(answer, store.text_or_none) for answer in answers]
        except StorageError:  # the index went away while the answer was written: that one is complete without notes
            notes = {}
        return [with_reading_notes(answer, notes) for answer in answers]

    def _versions(self, sources: Iterable[str]) -> VersionChoice:
        """Return the families of versions to which some of the documents belong, without members that have changed."""
        from rag.answering.version_choice import VersionChoice
        from rag.ingestion.versions import Family, StoredFamilies

        with self._lock:
            self._families = self._families or StoredFamilies()
            families = self._families.read(self.folder)
        chosen = {id(found): found for source in sources if (found := families.get(source)) is not None}
        if not chosen:
            return VersionChoice(())
        members = [member for family in chosen.values() for member in family.members]
        now = self.retriever.reader.store.content_hashes_of(member.source for member in members)
        current = {member.source for member in members if now.get(member.source) == bytes.fromhex(member.sha256)}
        kept = (tuple(m for m in family.members if m.source in current) for family in chosen.values())
        return VersionChoice(Family(found) for found in kept if len(found) > 1)

    def stream(self, question: str, *, filter: FilterLike = None, history: History = ()) -> QuestionStream:  # noqa: A002
        """Answer one question piece by piece: iterate over the text, then read ``answer``."""
        from rag.answering.answerer import WholeAnswer
        from rag.retrieval.retriever import Retrieved

        understood = self.understand(question, history)
        with storage_errors():
            answerer = self.answerer
            (prepared,) = self._prepare([understood.question], as_filter(filter))
        if not isinstance(prepared, Answer):
            return QuestionStream(understood, prepared, answerer.stream(prepared), self._with_reading_notes)
        retrieved = Retrieved(
            prepared.question, prepared.passages, 1.0, prepared.generation, prepared.notes, kind=prepared.kind
        )
        whole = WholeAnswer(prepared.passages, lambda: prepared)
        return QuestionStream(understood, retrieved, whole, self._with_reading_notes)

    def understand(self, question: str, history: History = ()) -> Rewritten:
        """Return the question as it can be understood without the conversation."""
        from rag.answering.query_rewriting import Rewritten, rewrite
        from rag.generation.registry import GENERATORS
        from rag.retrieval.retriever import check_question

        self._require_open()
        asked, turns = check_question(question), _turns(history)
        if not turns:
            return Rewritten(asked, asked, "standalone")
        writes = GENERATORS[self.config.config.generator.type].rewrites_questions
        return rewrite(asked, turns, writer=cast("Completer", self.answerer.generator) if writes else None)

    def with_kinds(self, retrieved: Sequence[Retrieved]) -> list[Retrieved]:
        """Return what was retrieved with the kinds of its questions, unchanged if questions are not classified."""
        kinds = self._kinds([found.question for found in retrieved])
        return [replace(found, kind=kind) for found, kind in zip(retrieved, kinds, strict=True)]

    def _kinds(self, questions: Sequence[str]) -> list[QuestionKind]:
        classifier = self.models.question_classifier(self.config.config)
        if classifier is None:
            return [""] * len(questions)
        return [guess.kind for guess in classifier.classify(questions)]

    def _prepare(self, questions: Sequence[str], only: Filter | None) -> list[Retrieved | Answer]:
        """Retrieve for each question, or answer it without the generator where its kind allows."""
        from rag.answering.special_replies import SpecialReplies
        from rag.generation.registry import GENERATORS

        config = self.config.config
        extracts = GENERATORS[config.generator.type].make_extractor is not None
        replies = SpecialReplies(self.retriever, self.models.embedder(config).embed_passages, extracts=extracts)
        prepared = replies.prepare(questions, self._kinds(questions), only)
        found = [one for one in prepared if not isinstance(one, Answer)]
        versions = self._versions({passage.source for one in found for passage in one.passages})
        return [one if isinstance(one, Answer) else versions.prefer_newest(one) for one in prepared]

    def chat(self, *, filter: FilterLike = None) -> Chat:  # noqa: A002
        """Begin a conversation, in which follow-up questions are understood."""
        self._require_open()
        return Chat(self, as_filter(filter))

    # Looking after it ---------------------------------------------------------------------------------------------

    def documents(self, *, filter: FilterLike = None) -> list[DocumentRow]:  # noqa: A002
        """Return the documents of the index, failed ones included, by source."""
        from indexes.store.store import Store

        self._require_open()
        only = as_filter(filter)
        with storage_errors(), Store.open(self.folder) as store:
            return list(store.documents(None if only is None else only.selection(store)))

    def document(self, source: str) -> Document:
        """Return one document as it was read: its text, its sections with pages and headings, its reading notes.

        ``source`` is its name, its path, or the end of its name. Raises :class:`~rag.errors.InputError` if there is no
        such document, if several end so, and if its file was never read.
        """
        from indexes.store.store import Store
        from rag.ops.documents import read_document

        self._require_open()
        [name] = _texts([source], "the name of a document")
        with storage_errors(), Store.open(self.folder) as store:
            return read_document(store, name)[0]

    def versions(self) -> list[Family]:
        """Return the documents of which several versions are there, each family newest first; see docs/ingestion.md."""
        from indexes.store.store import Store
        from rag.ingestion.versions import find_families

        self._require_open()
        with storage_errors(), Store.open(self.folder) as store:
            return find_families(store)

    def remove(self, *patterns: str) -> list[str]:
        """Remove documents by name, by folder, or by pattern such as ``drafts/*``; return their names.

        Their files stay. Raises :class:`~rag.errors.InputError` for a name or pattern without a document.
        """
        from rag.ops.index_folders import matching_documents, remove_documents

        self._require_open()
        names = _texts(patterns, "the name of a document")
        with storage_errors():
            return remove_documents(
                self.folder, self.config.config, lambda known: matching_documents(names, known, self.folder), "rag"
            )[0]

    def verify(self, *, deep: bool = False) -> list[Problem]:
        """Check the index; an empty list means no problem. ``deep`` compares every chunk of every derived index."""
        from rag.factory import open_index

        self._require_open()
        with storage_errors(), open_index(self.folder, self.config.config) as index:
            return index.verify(deep=deep)

    def stats(self) -> IndexStats:
        """Return counts, sizes and generations of the index."""
        from rag.ops.index_stats import index_stats

        self._require_open()
        with storage_errors():
            return index_stats(self.folder, self.config.config)

    # Parts, for the evaluation and the page -----------------------------------------------------------------------

    def open_index(self) -> Index:
        """Return the index, open for reading; :attr:`retriever` takes it over. No model is loaded.

        Raises :class:`~rag.errors.StorageError` if it is missing or unusable.
        """
        from rag.factory import open_index

        with self._lock:
            self._require_open()
            with storage_errors():
                if self._index is None:
                    self._index = open_index(self.folder, self.config.config)
                self._index.store.reopen_if_replaced()
            return self._index

    @property
    def retriever(self) -> Retriever:
        """The retriever over this index; it opens the index and loads the embedder when it is first used."""
        from rag.factory import make_retriever, query_settings

        with self._lock:
            self._require_open()
            if self._retriever is None:
                with closed_on_error(self.open_index()) as index:  # a missing one is reported before models are loaded
                    self._index, config = None, self.config.config
                    embedder, reranker = self.models.embedder(config), self.models.reranker(config)
                    with storage_errors():
                        index.require(query_settings(config, embedder, index.store.settings))
                        retriever = make_retriever(index, config, embedder, reranker=reranker)
                        with closed_on_error(retriever.reader) as reader:
                            reader.snapshot()
                self._retriever = retriever
            return self._retriever

    @property
    def answerer(self) -> Answerer:
        """The answerer. The generator loads after the embedder and the index, so that it sees what memory is left.

        A generator whose engine has stopped is started again. Raises ``calibration_error`` if there is one.
        """
        from rag.factory import make_answerer

        with self._lock:
            self._require_open()
            if self._answerer is None or not self._answerer.generator.alive:
                if self.calibration_error is not None:
                    raise self.calibration_error
                self.retriever  # noqa: B018 - loads first, see above
                config = self.config.config
                self._answerer = make_answerer(config, self.models.generator(config))
            return self._answerer


@dataclass(frozen=True)
class QuestionStream:
    """An answer as it is written: iterate over its text, then read :attr:`answer`.

    ``understood`` is the question that was searched for, ``retrieved`` the passages that were found.
    """

    understood: Rewritten
    retrieved: Retrieved
    _stream: AnswerStream
    _noted: Callable[[Sequence[Answer]], list[Answer]] = list

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages that the generator reads."""
        return self._stream.passages

    def close(self) -> None:
        """Stop generating. The text so far stays in :attr:`answer`."""
        self._stream.close()

    @property
    def answer(self) -> Answer:
        """The checked answer.

        An extractive model computes it now, if the text was not read before. Raises ``RuntimeError`` while a language
        model is still writing.
        """
        return self._noted([self._stream.answer])[0]


@dataclass
class Chat:
    """A conversation: each question may refer to the turns before it."""

    knowledge_base: KnowledgeBase
    filter: Filter | None = None
    turns: list[Turn] = field(default_factory=list)

    def ask(self, question: str) -> Answer:
        """Answer a question and remember the turn."""
        return self._remember(self.knowledge_base.ask(question, filter=self.filter, history=self.turns))

    def stream(self, question: str) -> Iterator[str]:
        """Retrieve now, return the answer piece by piece, and remember the turn at its end. Raises what ask raises."""
        stream = self.knowledge_base.stream(question, filter=self.filter, history=self.turns)

        def pieces() -> Iterator[str]:
            yield from stream
            self._remember(stream.answer)

        return pieces()

    def _remember(self, answer: Answer) -> Answer:
        from rag.answering.query_rewriting import Turn

        if answer.kind != "small_talk":  # a follow-up question never refers to it
            self.turns.append(Turn(answer.question, "" if answer.abstained else answer.text))
        return answer


def as_filter(value: FilterLike) -> Filter | None:
    """Return a filter from a filter, one ``key=value`` text or several. Raises :class:`~rag.errors.UsageError`."""
    if value is None or isinstance(value, Filter):
        return value
    return Filter.parse(_texts(value, "a filter"))


def _texts(values: str | Iterable[str], what: str) -> list[str]:
    """Return a list from one or several texts. Raises :class:`~rag.errors.UsageError` for anything else."""
    texts = list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else [values]
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"{what} is a text, not {type(text).__name__}", "pass a string, or a list of strings")
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            raise UsageError(f"{what} is {text!a:.100}, which is not valid Unicode", "pass it as UTF-8")
    return texts


def _turns(history: History) -> list[Turn]:
    """Return turns from turns or pairs of texts. Raises :class:`~rag.errors.InputError` for anything else."""
    from rag.answering.query_rewriting import Turn

    turns = []
    for turn in (history or ()) if isinstance(history, Iterable | None) else [history]:
        pair = (turn.question, turn.answer) if isinstance(turn, Turn) else turn
        match pair:
            case (str(question), str(answer)):
                turns.append(Turn(question, answer))
            case _:
                raise InputError(
                    f"a turn of the history is {pair!r:.100}", "pass rag.Turn(question, answer), or pairs of texts"
                )
    return turns


def _path(name: str | Path) -> Path:
    """Return a path. Raises :class:`~rag.errors.UsageError` for an empty text, which would be the current folder."""
    if not isinstance(name, str | Path):
        raise UsageError(f"a path is a text or a Path, not {type(name).__name__}", "pass a path, or a list of paths")
    if name == "":
        raise UsageError("a path is empty", "name a path; the current folder is .")
    try:
        possible = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise UsageError(f"the path {str(name)!a:.100} is impossible", "check the characters in it")
    return Path(name)
