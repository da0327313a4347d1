"""Derived indexes on disk: whole or not at all, and never believed unchecked."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from index_samples import flip_bit

from indexes import IndexWriteError
from indexes.derived import publish as derived

STORE = "a-store"
OPTIONS = {"type": "flat", "languages": ["english"]}


def fill_with(**files: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    return fill


def nonce(generation: int) -> str | None:
    return f"commit {generation}"


def publish(root: Path, generation: int, **files: str) -> derived.Published:
    return derived.publish(
        root,
        STORE,
        (generation, nonce(generation) or ""),
        OPTIONS,
        fill_with(**(files or {"data": f"of {generation}"})),
    )


def newest(root: Path) -> derived.Published | None:
    return derived.newest(root, STORE, OPTIONS, nonce)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "kind"


def test_nothing_published_nothing_found(root: Path) -> None:
    assert newest(root) is None
    assert derived.published_folders(root) == []
    derived.remove_all_but(root, None)
    root.mkdir()
    assert newest(root) is None


def test_what_was_published_is_found_and_whole(root: Path) -> None:
    published = publish(root, 3, one="first", two="")
    assert published == newest(root) == derived.Published(published.folder, 3)
    assert derived.verify(published.folder) is None
    assert (published.folder / "one").read_text(encoding="utf-8") == "first"
    assert [p.name for p in root.iterdir()] == [published.folder.name]


def test_the_highest_generation_is_the_newest(root: Path) -> None:
    for generation in (9, 100, 10, 0):
        publish(root, generation)
    found = newest(root)
    assert found is not None
    assert found.generation == 100
    assert (found.folder / "data").read_text(encoding="utf-8") == "of 100"
    assert [int(p.name.split("-")[0]) for p in derived.published_folders(root)] == [100, 10, 9, 0]


def test_a_generation_can_be_published_again(root: Path) -> None:
    first, second = publish(root, 1), publish(root, 1)
    assert first.folder != second.folder
    assert newest(root) in (first, second)


@pytest.mark.parametrize(
    ("store_id", "options"),
    [
        ("another", OPTIONS),
        (STORE, {}),
        (STORE, OPTIONS | {"type": "hnsw"}),
        (STORE, OPTIONS | {"more": 1}),
        (STORE, OPTIONS | {"languages": ["english", "russian"]}),
    ],
)
def test_what_belongs_to_another_store_or_build_is_passed_over(root: Path, store_id: str, options: dict) -> None:
    good = publish(root, 1)
    derived.publish(root, store_id, (2, "commit 2"), options, fill_with(data="of another"))
    assert newest(root) == good
    found = derived.newest(root, store_id, options, nonce)
    assert found is not None
    assert found.generation == 2


@pytest.mark.parametrize("theirs", ["another commit", None], ids=["another history", "no such commit"])
def test_what_reflects_a_commit_that_the_store_does_not_have_is_passed_over(root: Path, theirs: str | None) -> None:
    good = publish(root, 1)
    publish(root, 2)
    assert derived.newest(root, STORE, OPTIONS, lambda g: nonce(g) if g == 1 else theirs) == good


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("seed", range(5))
def test_a_flipped_bit_in_a_file_is_noticed(root: Path, name: str, seed: int) -> None:
    good, bad = publish(root, 1), publish(root, 2, one="some text", two="x")
    flip_bit(bad.folder / name, seed)
    assert derived.verify(bad.folder) == f"{name} does not match its checksum"
    assert newest(root) == good


def test_any_flipped_bit_in_the_manifest_is_noticed(root: Path) -> None:
    published = publish(root, 1)
    manifest = published.folder / "manifest.json"
    whole = manifest.read_bytes()
    chance = random.Random(5)
    believed = []
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << chance.randrange(8)
        manifest.write_bytes(changed)
        if newest(root) is not None or derived.verify(published.folder) is None:
            believed.append(bytes(changed))
    assert believed == []
    manifest.write_bytes(whole)
    assert newest(root) == published


def damage_missing(folder: Path) -> None:
    (folder / "data").unlink()


def damage_shorter(folder: Path) -> None:
    (folder / "data").write_bytes((folder / "data").read_bytes()[:-1])


def damage_longer(folder: Path) -> None:
    (folder / "data").write_bytes((folder / "data").read_bytes() + b"\0")


def damage_manifest_gone(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def damage_manifest_empty(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"")


def damage_manifest_other_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("[1]", encoding="utf-8")


def damage_manifest_edited(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["generation"] = 7
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


DAMAGES = [
    damage_missing, damage_shorter, damage_longer, damage_manifest_gone, damage_manifest_empty,
    damage_manifest_other_json, damage_manifest_edited,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.removeprefix("damage_"))
def test_a_damaged_folder_is_passed_over_for_an_older_whole_one(root: Path, damage: Callable[[Path], None]) -> None:
    good, bad = publish(root, 1), publish(root, 2)
    damage(bad.folder)
    assert derived.verify(bad.folder) is not None
    assert newest(root) == good
    damage(good.folder)
    assert newest(root) is None


def test_strangers_in_the_folder_are_passed_over(root: Path) -> None:
    good = publish(root, 1)
    (root / "notes.txt").write_text("a file", encoding="utf-8")
    (root / "zzz").mkdir()
    (root / "000000000009-0000").mkdir()
    assert newest(root) == good


def test_a_failed_fill_publishes_nothing(root: Path) -> None:
    good = publish(root, 1)

    def fill(folder: Path) -> None:
        (folder / "data").write_text("half", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(IndexWriteError, match=r"the kind index cannot be written into .*kind: disk full"):
        derived.publish(root, STORE, (2, "commit 2"), OPTIONS, fill)
    assert newest(root) == good
    assert list(root.iterdir()) == [good.folder], "no temporary folder is left"


def test_an_interrupted_fill_leaves_no_temporary_folder(root: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "data").write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        derived.publish(root, STORE, (1, "commit 1"), OPTIONS, fill)
    assert list(root.iterdir()) == []


THEIRS = ["src", "notes", ".hidden", ".tmp-mine", ".tmp-4-killed", "000000000009-0000", "000000000002-0123456z", "2024"]


def test_what_publish_did_not_make_is_never_deleted(root: Path) -> None:
    for name in THEIRS:
        (root / name).mkdir(parents=True)
        (root / name / "precious").write_text("theirs", encoding="utf-8")
    (root / "000000000009-0123abcd").write_text("a file", encoding="utf-8")
    (root / "elsewhere").mkdir()
    (root / "000000000008-0123abcd").symlink_to(root / "elsewhere")
    before = {path.name for path in root.iterdir()}
    kept = publish(root, 1)
    derived.remove_all_but(root, kept.folder)
    assert {path.name for path in root.iterdir()} == before | {kept.folder.name}
    assert derived.published_folders(root) == [kept.folder]
    derived.remove_all_but(root, None)
    assert {path.name for path in root.iterdir()} == before
    assert all((root / name / "precious").read_text(encoding="utf-8") == "theirs" for name in THEIRS)


def test_all_but_one_are_removed_leftovers_too(root: Path) -> None:
    publish(root, 1)
    kept = publish(root, 2)
    publish(root, 3)
    (root / ".tmp-4-0123abcd").mkdir()
    (root / ".tmp-4-0123abcd" / "data").write_text("half", encoding="utf-8")
    derived.remove_all_but(root, kept.folder)
    assert list(root.iterdir()) == [kept.folder]
    assert newest(root) == kept
    derived.remove_all_but(root, None)
    assert list(root.iterdir()) == []


KILLED = """
import sys
from pathlib import Path
from indexes.derived import publish as derived

def fill(folder):
    (folder / "data").write_text("complete")
    (folder / "more").write_text("half of wh")
    print("now", flush=True)
    sys.stdin.read()

derived.publish(Path(sys.argv[1]), "a-store", (2, "commit 2"), {"type": "flat", "languages": ["english"]}, fill)
"""


def test_a_publish_that_was_killed_leaves_the_last_good_one_in_place(root: Path) -> None:
    good = publish(root, 1)
    command = [sys.executable, "-c", KILLED, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"now\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    leftovers = [p for p in root.iterdir() if p != good.folder]
    assert [p.name[:7] for p in leftovers] == [".tmp-2-"]
    assert newest(root) == good
    assert derived.published_folders(root) == [good.folder]
    again = publish(root, 2)
    assert newest(root) == again
    derived.remove_all_but(root, again.folder)
    assert list(root.iterdir()) == [again.folder]
