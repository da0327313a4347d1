"""The openai generator against a small local server that misbehaves in the ways that endpoints do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rag.config import OpenAIConfig
from rag.errors import GeneratorError, PromptRefusedError, RagError
from rag.generation.base import Message, Prompt, Sampling
from rag.generation.openai import OpenAICompleter


class Server:
    """Answers `/v1/models` and completions; `statuses` are given out first, one a completion request."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[dict[str, Any]] = []
        self.most_at_once = self._now = 0
        self._lock = threading.Lock()
        self.barrier: threading.Barrier | None = None
        self.models: bytes | None = None  # in place of the list of models
        self.answer: tuple[str, bytes] | None = None  # media type and body, in place of a completion
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                pass

            def do_GET(self) -> None:
                if outer.models is not None:
                    self.send(200, "application/json" if outer.models[:1] != b"<" else "text/html", outer.models)
                    return
                status = 200 if self.headers["Authorization"] != "Bearer wrong" else 401
                self.reply(status, {"object": "list", "data": [{"id": "m", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/tokenize":
                    self.reply(404, {"error": {"message": "no such path"}})
                    return
                with outer._lock:
                    outer.requests.append(body)
                    status = outer.statuses.pop(0) if outer.statuses else 200
                    outer._now += 1
                    outer.most_at_once = max(outer.most_at_once, outer._now)
                if outer.barrier is not None:
                    outer.barrier.wait(timeout=20)
                with outer._lock:
                    outer._now -= 1
                if outer.answer is not None:
                    self.send(200, *outer.answer)
                    return
                if status == 200 and "forbidden" in json.dumps(body):
                    status = 400
                usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
                text = f"echo {body.get('prompt', '')}"
                choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "text": text}
                if "messages" in body:
                    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "hi"}}
                answer = {"id": "1", "object": "x", "created": 0, "model": "m", "choices": [choice], "usage": usage}
                self.reply(status, answer if status == 200 else {"error": {"message": f"status {status}"}})

            def reply(self, status: int, value: dict[str, Any]) -> None:
                self.send(status, "application/json", json.dumps(value).encode())

            def send(self, status: int, media_type: str, data: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def generator(server: Server) -> Iterator[OpenAICompleter]:
    made = OpenAICompleter("m", OpenAIConfig(base_url=server.url, concurrency=4, timeout_s=30, retries=1))
    yield made
    made.close()


def test_answers_come_in_the_order_of_their_prompts(generator: OpenAICompleter) -> None:
    completions = generator.generate([Prompt(str(n)) for n in range(20)], Sampling())
    assert [c.text for c in completions] == [f"echo {n}" for n in range(20)]
    assert completions[0].usage.prompt_tokens == 5


def test_as_many_requests_are_under_way_as_allowed(server: Server, generator: OpenAICompleter) -> None:
    server.barrier = threading.Barrier(4)  # would break after its timeout if fewer than four came at once
    generator.generate([Prompt(str(n)) for n in range(8)], Sampling())
    assert server.most_at_once == 4


def test_a_failing_server_is_tried_again(server: Server, generator: OpenAICompleter) -> None:
    server.statuses = [500]
    assert generator.generate([Prompt("x")], Sampling())[0].text == "echo x"
    assert len(server.requests) == 2


def test_a_server_that_keeps_failing_is_unreachable(server: Server, generator: OpenAICompleter) -> None:
    server.statuses = [500, 500]
    with pytest.raises(GeneratorError, match="cannot be reached"):
        generator.generate([Prompt("x")], Sampling())


def test_a_refused_request_is_no_outage(server: Server, generator: OpenAICompleter) -> None:
    server.statuses = [400]
    with pytest.raises(RagError, match="refused") as caught:
        generator.generate([Prompt("x")], Sampling())
    assert caught.value.exit_code == 1


def test_without_a_tokenizer_at_the_server_counts_are_estimated_from_above(generator: OpenAICompleter) -> None:
    assert generator.estimates_tokens
    assert generator.count_tokens(["abcdef", "ж", ""]) == [2, 1, 0]
    assert generator.context_length == 4096


def test_chat_goes_to_the_chat_endpoint_with_its_limits(server: Server, generator: OpenAICompleter) -> None:
    prompt = Prompt(messages=(Message("user", "hello"),))
    completion = generator.generate([prompt], Sampling(max_tokens=7, temperature=0.5, stop=("\n",)))[0]
    assert (completion.text, completion.finish_reason) == ("hi", "length")
    sent = server.requests[-1]
    assert sent["messages"] == [{"role": "user", "content": "hello"}]
    assert (sent["max_tokens"], sent["temperature"], sent["stop"]) == (7, 0.5, ["\n"])


def test_a_wrong_key_names_the_variable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "wrong")
    with pytest.raises(RagError, match="requires a key") as caught:
        OpenAICompleter("m", OpenAIConfig(base_url=server.url, api_key_env="MY_KEY", retries=0))
    assert "MY_KEY" in caught.value.remedy


# Garbage ----------------------------------------------------------------------------------------------------


def start(server: Server, **more: Any) -> OpenAICompleter:
    return OpenAICompleter("m", OpenAIConfig(base_url=server.url, timeout_s=30, retries=0, **more))


def assert_one_sentence(error: RagError) -> None:
    assert "\n" not in error.message
    assert len(error.message) < 500
    assert error.remedy
    assert error.exit_code == 6


HTML = b"<html><body>Welcome to nginx!</body></html>"


@pytest.mark.parametrize(
    "body",
    [
        HTML, b"", b"null", b"[]", b"[1]", b"7", b'"m"', b"{", b"{}", b"\xff\xfe", b'{"data": null}', b'{"data": "m"}',
        b'{"data": 7}', b'{"data": {"id": "m"}}', b'{"data": [null]}', b'{"data": ["m"]}', b'{"data": [{"name": "m"}]}',
        b'{"data": [{"id": 7}]}', b'{"data": [{"id": "m", "max_model_len": "long"}]}',
        b'{"data": [{"id": "m", "max_model_len": [1]}]}', b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_whatever_stands_in_place_of_the_models_is_one_sentence(server: Server, body: bytes) -> None:
    server.models = body
    try:
        made = start(server)
    except GeneratorError as error:
        assert_one_sentence(error)
    else:  # an empty list says nothing about what is served, and only that may pass
        assert body in (b"{}", b'{"data": {"id": "m"}}', b'{"data": null}')
        made.close()


def _event(value: str) -> bytes:
    return f"data: {value}\n\ndata: [DONE]\n\n".encode()


_CHOICE = '{"id": "1", "object": "x", "created": 0, "model": "m", "choices": %s, "usage": %s}'
_WRONG = [
    "null", "7", "[]", '"text"', "{}", "{", "not JSON", _CHOICE % ("null", "null"), _CHOICE % ("[]", "null"),
    _CHOICE % ("[null]", "null"), _CHOICE % ("[7]", "null"), _CHOICE % ('[{"message": null}]', "null"),
    _CHOICE % ('[{"message": 7, "delta": 7, "text": 7}]', "null"),
    _CHOICE % ('[{"text": ["x"], "message": {"content": ["x"]}, "delta": {"content": ["x"]}}]', "null"),
    _CHOICE % ('[{"text": "x", "message": {"content": "x"}, "finish_reason": 7, "delta": {}}]', "null"),
    _CHOICE % ('[{"text": "x", "message": {"content": "x"}, "delta": {}}]', '{"prompt_tokens": "many"}'),
    _CHOICE % ('[{"text": "x", "message": {"content": "x"}, "delta": {}}]', '"many"'),
]  # fmt: skip
_PROMPTS = {"plain": Prompt("x"), "chat": Prompt(messages=(Message("user", "x"),))}


@pytest.mark.parametrize("kind", _PROMPTS)
@pytest.mark.parametrize("body", [*_WRONG, HTML.decode(), ""], ids=lambda body: body[:60])
def test_whatever_stands_in_place_of_an_answer_is_one_sentence(
    server: Server, generator: OpenAICompleter, body: str, kind: str
) -> None:
    server.answer = "text/html" if body.startswith("<") else "application/json", body.encode()
    with pytest.raises(GeneratorError) as caught:
        generator.generate([_PROMPTS[kind]], Sampling())
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("kind", _PROMPTS)
@pytest.mark.parametrize(
    "body", [*map(_event, _WRONG), b"", HTML, b"data: [DONE]\n\n", b"data: \xff\n\n"], ids=lambda body: repr(body[:60])
)
def test_whatever_stands_in_place_of_a_stream_is_one_sentence(
    server: Server, generator: OpenAICompleter, body: bytes, kind: str
) -> None:
    server.answer = "text/event-stream", body
    stream = generator.stream(_PROMPTS[kind], Sampling())
    with pytest.raises(GeneratorError) as caught:
        list(stream)
    assert_one_sentence(caught.value)


def test_a_message_without_content_is_an_empty_answer(server: Server, generator: OpenAICompleter) -> None:
    server.answer = "application/json", (_CHOICE % ('[{"message": {"content": null}}]', "null")).encode()
    assert generator.generate([_PROMPTS["chat"]], Sampling())[0].text == ""


@pytest.mark.parametrize("key", ["ключ", "a\nb", "\udce9"], ids=ascii)
def test_a_key_that_cannot_be_sent_names_the_variable(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(GeneratorError, match="MY_KEY") as caught:
        start(server, api_key_env="MY_KEY")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port/v1", "", "://", "http://", "no-url", "ftp://x/v1"])
def test_an_address_that_is_none_cannot_be_reached(url: str) -> None:
    with pytest.raises(GeneratorError) as caught:
        OpenAICompleter("m", OpenAIConfig(base_url=url, retries=0))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("rest", ["127.0.0.1:9/v1", "[::1", "x:port/v1"])
def test_a_password_in_the_address_is_not_shown(rest: str) -> None:
    with pytest.raises(GeneratorError) as caught:
        OpenAICompleter("m", OpenAIConfig(base_url=f"http://user:pa@ss@{rest}", retries=0))
    assert "pa" not in caught.value.message.replace("parse", "")
    assert "user" not in caught.value.message
    assert "http://***@" in caught.value.message


def test_one_refused_prompt_is_told_apart_from_an_outage(generator: OpenAICompleter) -> None:
    with pytest.raises(PromptRefusedError):
        generator.generate([Prompt("good"), Prompt("forbidden")], Sampling())
    assert generator.generate([Prompt("good")], Sampling())[0].text == "echo good"
