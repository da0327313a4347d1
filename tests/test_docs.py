"""The documentation agrees with the repository: links, file names, commands, options, configurations, language."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperGroup

from rag.cli.main import app
from rag.config import load_config

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
HISTORY = ("CHANGELOG.md", "decisions.md", "code_structure.md")  # they name what no longer exists
DIALECT = re.compile(r"\b(told|tells|kept|anew|mend|mends|mended|whoever|somebody|lest)\b", re.IGNORECASE)
FILE = re.compile(
    r"(?<![\w/.-])((?:rag|indexes|eval|ui|configs|tests|benchmarks|docs|examples)/[\w/.-]*\.(?:py|ya?ml|md|txt|css|js))\b"
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks in one of the languages."""
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def test_the_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 110


@every_page
def test_the_language_is_plain(page: Path) -> None:
    if page.name == "code_structure.md":  # it counts these words
        return
    lines = enumerate(text_of(page).splitlines(), 1)
    assert [f"{number}: {line}" for number, line in lines if DIALECT.search(line)] == []


# Links and files --------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("http:", "https:")):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


@every_page
def test_every_file_exists(page: Path) -> None:
    if page.name in HISTORY:
        return
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]+` \(new\)", "", text)
    named = {name for name in FILE.findall(text) if not name.startswith("docs/contracts")}
    assert {name for name in named if not (ROOT / name).exists() and not (page.parent / name).exists()} == set()


def test_the_index_lists_every_page() -> None:
    index = text_of(ROOT / "docs" / "index.md")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {name for name in pages if f"({name})" not in index} == set()


def test_the_list_of_benchmarks_has_every_page() -> None:
    index = text_of(ROOT / "benchmarks" / "README.md")
    pages = {page.name for page in (ROOT / "benchmarks").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"({name})" not in index} == set()


# Commands ---------------------------------------------------------------------------------------------------------


def commands_of(page: Path) -> Iterator[list[str]]:
    """Yield the words after ``rag`` of every command in the page's blocks and inline code."""
    lines = [line for block in blocks(page, "sh", "bash") for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    for code in [*lines, *re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]:
        command = re.search(r"(?:^|[\s;&(]|-m )rag ([a-z].*)$", " ".join(code.split(" #")[0].split()))
        if command and not code.startswith("import "):
            yield shlex.split(command.group(1))


def unknown_parts(words: list[str]) -> list[str]:
    """Return what the command line does not know of a command."""
    group = typer.main.get_command(app)
    while isinstance(group, TyperGroup):
        context = group.context_class(group)
        known = group.list_commands(context)
        name = words[0] if words and words[0] in known else None
        if name is None and "run" in known and words:  # `rag eval DATASET`
            name = "run"
        elif name is None:
            return words[:1] if words and not words[0].startswith("-") else []
        else:
            words = words[1:]
        group = group.get_command(context, name) or group
    options = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("-") and len(word) > 1 and word.split("=")[0] not in options]


@every_page
def test_every_command_is_known(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    commands = list(commands_of(page))
    assert [(words, wrong) for words in commands if (wrong := unknown_parts([*words]))] == []


def test_the_check_of_commands_notices() -> None:
    assert unknown_parts(["asks", "x"]) == ["asks"]
    assert unknown_parts(["index", "verify", "--deeper"]) == ["--deeper"]
    assert unknown_parts(["eval", "questions.jsonl", "--nothing=1"]) == ["--nothing=1"]
    assert unknown_parts(["eval", "questions.jsonl", "--mode", "gold"]) == []


def leaves(group: object, name: str) -> Iterator[str]:
    """Yield the full name of every command."""
    if not isinstance(group, TyperGroup):
        yield name
        return
    context = group.context_class(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        yield from leaves(command, f"{name} {word}")


def test_every_command_is_on_the_page_of_commands() -> None:
    page = text_of(ROOT / "docs" / "commands.md")
    commands = list(leaves(typer.main.get_command(app), "rag"))
    assert len(commands) > 20
    assert [command for command in commands if f"| `{command}` |" not in page] == []


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    lines = [line for block in blocks(page, "sh", "bash") for line in block.splitlines() if line.startswith("make ")]
    named = re.findall(
        r"(?:^|`)make ([a-z]+)", "\n".join([*lines, *re.findall(r"`[^`]+`", text_of(page))]), re.MULTILINE
    )
    assert set(named) - targets == set()


# Configurations ---------------------------------------------------------------------------------------------------

CONFIGURATIONS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "yaml"))
    if "extends:" in block
]


@pytest.mark.parametrize("block", CONFIGURATIONS)
def test_every_configuration_loads(block: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(block, encoding="utf-8")
    loaded = load_config(str(tmp_path / "my.yaml"))
    assert any(origin.startswith("file") for _, _, origin in loaded.rows())


@every_page
def test_every_configuration_key_exists(page: Path) -> None:
    if page.name in HISTORY:
        return
    keys = {key for key, _, _ in load_config("cpu").rows()}
    groups = {key.split(".")[0] for key in keys} - {"index", "eval"}
    named = re.findall(rf"`((?:{'|'.join(groups)})(?:\.\w+)+)(?=[`:=])", text_of(page))
    parts = {key.rsplit(".", 1)[0] for key in keys}
    files = {"index.md", "prompt.py", "reader.json", "reader.md"}
    assert {key for key in named if key not in keys and key not in parts and key not in files} == set()


def test_every_yaml_block_is_yaml() -> None:
    for page in PAGES:
        for block in blocks(page, "yaml"):
            assert yaml.safe_load(block) is not None


# Architecture -----------------------------------------------------------------------------------------------------


def drawn_folders() -> set[str]:
    """Return the folders of the drawing in docs/architecture.md."""
    (drawing,) = re.findall(
        r"^```\n(rag/ .*?)^```", text_of(ROOT / "docs" / "architecture.md"), re.DOTALL | re.MULTILINE
    )
    folders: set[str] = set()
    parents: list[str] = []
    for indent, name in re.findall(r"^( *)(\w+)/ ", drawing, re.MULTILINE):
        parents = [*parents[: len(indent) // 2], name]
        folders.add("/".join(parents))
    return folders


def test_the_drawing_has_the_folders_of_the_code() -> None:
    roots = [ROOT / name for name in ("rag", "indexes", "ui")]
    with_code = {path.parent.relative_to(ROOT).as_posix() for root in roots for path in root.rglob("*.py")}
    drawn = drawn_folders()
    assert with_code - drawn == set()
    assert {folder for folder in drawn if not (ROOT / folder).is_dir()} == set()


def test_each_walk_has_ten_steps() -> None:
    page = text_of(ROOT / "docs" / "architecture.md")
    walks = re.findall(r"^### .*?\n\n(.*?)\n\n", page, re.DOTALL | re.MULTILINE)
    assert [re.findall(r"^(\d+)\.", walk, re.MULTILINE)[-1] for walk in walks] == ["10", "10", "10"]
