"""What is noted beside the documents: stamps of their files, files that failed, and the log of commits and their pace.

A stamp is a hint of its owner's, which knows what it means: what a source looked like when its content had that hash.
A damaged one is not believed, and dropping all of them costs only time.
"""

from __future__ import annotations

from collections.abc import Mapping

from indexes.fail_points import fail_point
from indexes.store.checksums import row_sha256
from indexes.store.database import Database
from indexes.store.rows import CommitRow, FailedDocument

__all__ = ["Notes"]


class Notes(Database):
    """The part of the store that decides what a run has to do, and tells what earlier ones did."""

    def content_hashes(self) -> dict[str, tuple[str, bytes | None, bytes | None]]:
        """Map each source to its state, the hash of the content that answers, and of the content that failed last."""
        rows = self._db.execute("SELECT source, state, content_sha256, failed_sha256 FROM documents")
        return {source: (state, sha, failed) for source, state, sha, failed in rows}

    def sizes(self) -> dict[str, int]:
        """Map each document that is ready to the size of the file it was made of."""
        return dict(self._db.execute("SELECT source, size FROM documents WHERE state = 'ready'").fetchall())

    def failures(self) -> dict[str, FailedDocument]:
        """Map each document whose file could not be read last to what was wrong."""
        rows = self._db.execute(
            "SELECT source, reason, message, remedy, failed_sha256 FROM documents WHERE state <> 'ready'"
        )
        return {row[0]: FailedDocument(*row) for row in rows}

    def stamps(self) -> dict[str, tuple[str, bytes]]:
        """Map each source to its stamp and the content hash it stands for; a damaged one is left out."""
        rows = self._db.execute("SELECT source, stamp, content_sha256, sha256 FROM stamps")
        return {source: (stamp, sha) for source, stamp, sha, seal in rows if row_sha256(source, stamp, sha) == seal}

    def put_stamps(self, stamps: Mapping[str, tuple[str, bytes]]) -> None:
        """Store stamps."""
        if not stamps:
            return
        with self.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO stamps (source, stamp, content_sha256, sha256) VALUES (?, ?, ?, ?)",
                [(source, stamp, sha, row_sha256(source, stamp, sha)) for source, (stamp, sha) in stamps.items()],
            )
            fail_point("stamps.before-commit")
        fail_point("stamps.done")

    def drop_damaged_stamps(self) -> None:
        """Drop stamps that are not what their checksums say: their files are read again."""
        sound = self.stamps()
        with self.transaction() as db:
            gone = [(row[0],) for row in db.execute("SELECT source FROM stamps").fetchall() if row[0] not in sound]
            db.executemany("DELETE FROM stamps WHERE source = ?", gone)

    def commits(self, limit: int = 10) -> list[CommitRow]:
        """Return the last commits, newest first."""
        rows = self._db.execute(
            "SELECT generation, committed_at, added, changed, removed, failed, run, milliseconds, bytes FROM commits "
            "ORDER BY generation DESC LIMIT ?",
            (limit,),
        )
        return [CommitRow(*row) for row in rows]

    def throughput(self) -> float | None:
        """Return the bytes of documents a second that the last commits took in, None where none was measured."""
        row = self._db.execute(
            "SELECT sum(bytes), sum(milliseconds) FROM "
            "(SELECT bytes, milliseconds FROM commits WHERE bytes > 0 ORDER BY generation DESC LIMIT 50)"
        ).fetchone()
        return 1000 * row[0] / row[1] if row[1] else None
