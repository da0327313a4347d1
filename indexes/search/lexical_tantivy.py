"""BM25 with tantivy, stemming several languages at once.

The score of a text is the sum of: BM25 of each word of the query, where function words count little
(:mod:`indexes.search.function_words`); for each number or code of the query that the text has as a whole token
(:mod:`indexes.search.exact_tokens`), its rarity, whatever the text's length, because a table has many numbers; and
BM25 of each quoted phrase.

Texts and queries are folded, and scripts without spaces cut into pairs of characters
(:mod:`indexes.search.matching_form`). Then they are cut at anything that is not a letter, mark or digit, and passed
through one Snowball stemmer a language in turn. That is sound for languages of different scripts (an English stemmer
leaves Cyrillic words alone and the Russian one leaves Latin words alone); two languages of one script would stem each
other's words, which costs precision, so the default is English and Russian only.

BM25 has tantivy's fixed k1 = 1.2 and b = 0.75, with field lengths rounded to one byte. A removed text still counts
in document frequencies until its segment is merged, so scores (not the set of hits) may differ slightly from those
of a fresh build.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from indexes.errors import LexicalFilesError
from indexes.search.exact_tokens import exact_tokens, quoted_phrases
from indexes.search.function_words import FUNCTION_WORDS
from indexes.search.matching_form import folded, matching_form
from indexes.search.protocols import NO_HITS, Hits, top_hits
from indexes.store.rows import Int64

__all__ = ["FIELDS_VERSION", "LANGUAGES", "TantivyIndex"]

FIELDS_VERSION = 3
"""The version of the fields and of what is in them. An index of another version must be built again."""

LANGUAGES = (
    "arabic", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian", "italian",
    "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish",
)  # fmt: skip

_HEAP = 64_000_000
_LONGEST_WORD = 200
_WORDS = r"[\p{L}\p{M}\p{N}]+"
_ANALYZER, _WHOLE = "stemmed", "whole"
_FUNCTION_WEIGHT = 0.1  # of a function word, where a query has other words
_EXACT_WEIGHT = 2.0
_MOST_PHRASES = 8


@lru_cache(maxsize=8)
def _analyzer(languages: tuple[str, ...]) -> Any:
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.regex(_WORDS)).filter(Filter.remove_long(_LONGEST_WORD))
    for language in languages:
        builder = builder.filter(Filter.stemmer(language))
    return builder.build()


@lru_cache(maxsize=1)
def _whole_tokens() -> Any:
    from tantivy import TextAnalyzerBuilder, Tokenizer

    return TextAnalyzerBuilder(Tokenizer.whitespace()).build()


@contextmanager
def _panics_as_errors() -> Iterator[None]:
    """Raise :class:`~indexes.errors.LexicalFilesError` where tantivy panics, as it does for damaged files.

    A panic is a ``BaseException`` that no handler expects, of a class that cannot be imported.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise LexicalFilesError(" ".join(str(error).split())[:200]) from error


class TantivyIndex:
    """One tantivy index in ``folder``, created there if the folder holds none.

    Raises :class:`~indexes.errors.LexicalFilesError`, also from its methods, for damaged files, and ``ValueError``.
    """

    @_panics_as_errors()
    def __init__(self, folder: Path, languages: Sequence[str] = ("english", "russian")) -> None:
        import tantivy

        unknown = sorted(set(languages) - set(LANGUAGES))
        if unknown:
            raise ValueError(f"no stemmer for {', '.join(unknown)}: choose from {', '.join(LANGUAGES)}")
        self._analyzer = _analyzer(tuple(languages))
        words = frozenset().union(*(FUNCTION_WORDS.get(language, ()) for language in languages))
        self._function_stems = frozenset(self.terms("\n".join(words)))
        schema = tantivy.SchemaBuilder()
        schema.add_integer_field("id", indexed=True, fast=True)
        schema.add_text_field("text", tokenizer_name=_ANALYZER, index_option="position")
        schema.add_text_field("exact", tokenizer_name=_WHOLE, index_option="basic")
        self._index = tantivy.Index(schema.build(), path=str(folder), reuse=True)
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._index.register_tokenizer(_WHOLE, _whole_tokens())
        self._index.config_reader(reload_policy="Manual")
        self._refresh()

    def _refresh(self) -> None:
        self._index.reload()
        self._searcher = self._index.searcher()

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    @_panics_as_errors()
    def ids(self) -> Int64:
        """Return the ids that can be found, ascending."""
        import tantivy

        if not len(self):
            return np.empty(0, dtype=np.int64)
        found = self._searcher.search(tantivy.Query.all_query(), limit=len(self), count=False).hits
        ids = self._searcher.fast_field_values("id", [address for _, address in found])
        return np.sort(np.array(ids, dtype=np.int64))

    def terms(self, text: str) -> list[str]:
        """Return the stems of a text's words, in their order."""
        return list(self._analyzer.analyze(matching_form(text)))

    def has_words(self, text: str) -> bool:
        """Return whether a search for a text can find anything."""
        return bool(self.terms(text)) or bool(exact_tokens(folded(text)))

    @_panics_as_errors()
    def apply(self, ids: Int64, texts: Sequence[str], removed: Int64) -> None:
        """Remove, then add, in one tantivy commit."""
        import tantivy

        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        try:
            for chunk_id in removed.tolist():
                writer.delete_documents_by_term("id", chunk_id)
            for chunk_id, text in zip(ids.tolist(), texts, strict=True):
                exact = " ".join(exact_tokens(folded(text)))
                writer.add_document(tantivy.Document(id=chunk_id, text=matching_form(text), exact=exact))
            writer.commit()
        except BaseException:  # an interruption too leaves the index as it was
            writer.rollback()
            raise
        finally:
            writer.wait_merging_threads()  # also releases tantivy's own lock on the folder
        self._refresh()

    @_panics_as_errors()
    def search(self, queries: Sequence[str], k: int, *, allowed: Int64 | None = None) -> list[Hits]:
        """Score every text that shares a stem with the query; nothing in a query is read as syntax."""
        if k < 1 or not len(self) or (allowed is not None and not len(allowed)):
            return [NO_HITS] * len(queries)
        return [self._search_one(query, k, allowed) for query in queries]

    def _best(self, query: Any, k: int) -> list[tuple[float, Any]]:
        """Return at least the best ``k`` hits and every one that scores the same as the last of them.

        Tantivy breaks a tie by where a text happens to be stored; the contract breaks it by id.
        """
        fetch = k
        while True:
            fetch = min(2 * fetch, len(self))
            found = self._searcher.search(query, limit=fetch, count=False).hits
            if len(found) < fetch or fetch == len(self) or found[-1][0] < found[k - 1][0]:
                return list(found)

    def _parts(self, text: str) -> list[Any]:
        """Return the queries whose scores add up to that of a text: one a word, one a code, one a phrase."""
        from tantivy import Query

        schema, terms = self._index.schema, self.terms(text)
        minor = frozenset[str]() if self._function_stems.issuperset(terms) else self._function_stems
        parts = []
        for term in terms:
            query = Query.term_query(schema, "text", term, index_option="freq")
            parts.append(Query.boost_query(query, _FUNCTION_WEIGHT) if term in minor else query)
        for token in dict.fromkeys(exact_tokens(folded(text))):
            if having := self._searcher.doc_freq("exact", token):
                query = Query.term_query(schema, "exact", token, index_option="basic")
                parts.append(Query.const_score_query(query, _EXACT_WEIGHT * self._rarity(having)))
        phrases = (self.terms(phrase) for phrase in quoted_phrases(text)[:_MOST_PHRASES])
        parts += [Query.phrase_query(schema, "text", [*words]) for words in phrases if len(words) > 1]
        return parts

    def _rarity(self, having: int) -> float:
        """Return BM25's idf of what ``having`` texts have, in Lucene's form; removed texts may still count."""
        total = max(len(self), having)
        return math.log(1 + (total - having + 0.5) / (having + 0.5))

    def _search_one(self, text: str, k: int, allowed: Int64 | None) -> Hits:
        from tantivy import Occur, Query

        schema = self._index.schema
        parts = self._parts(text)
        if not parts:
            return NO_HITS
        query = Query.boolean_query([(Occur.Should, part) for part in parts])
        if allowed is not None:
            among = Query.const_score_query(Query.term_set_query(schema, "id", allowed.tolist()), 0.0)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, among)])
        found = self._best(query, min(k, len(self)))
        ids = self._searcher.fast_field_values("id", [address for _, address in found])
        return top_hits(np.array(ids, dtype=np.int64), np.array([s for s, _ in found], dtype=np.float32), k)
