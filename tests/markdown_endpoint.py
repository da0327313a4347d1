"""An OpenAI-compatible endpoint that answers every question with the same long Markdown, whole or word by word."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["MARKDOWN", "MarkdownEndpoint", "markdown_endpoint"]

MARKDOWN = """\
## The fog sensor

The fog sensor weighs **3.4 kg** [1] and stands on the mast beside the old lighthouse by the sea [1].

| Part | Figure |
|:--|--:|
| Fog sensor | 3.4 kg [1] |
| Mast | 31 metres [3] |

What to do:

1. Read the *meter*.
   - Use `fog --read`.
2. See <img src=x onerror="alert(1)"> and [the manual](https://evil.example/manual).

```sh
fog --read <port>
```

> The mast is 31 metres tall. [2]
"""


class MarkdownEndpoint:
    """The endpoint. ``requests`` are the completions that were asked for."""

    def __init__(self, text: str, word_s: float) -> None:
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                model = {"id": "stub", "object": "model", "max_model_len": 8192}
                self.reply({"object": "list", "data": [model]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/tokenize":
                    self.send_error(404)
                    return
                outer.requests.append(body)
                head = {"id": "1", "created": 0, "model": "stub"}
                usage = {"prompt_tokens": 5, "completion_tokens": 90, "total_tokens": 95}
                if not body.get("stream"):
                    message = {"role": "assistant", "content": text}
                    choice = {"index": 0, "finish_reason": "stop", "message": message}
                    self.reply({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                head["object"] = "chat.completion.chunk"
                for piece in re.findall(r"\s*\S{1,7}|\s+", text):
                    self.event({**head, "choices": [{"index": 0, "delta": {"content": piece}}]})
                    time.sleep(word_s)
                self.event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage})
                self.wfile.write(b"data: [DONE]\n\n")

            def event(self, value: dict[str, Any]) -> None:
                self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
                self.wfile.flush()

            def reply(self, value: dict[str, Any]) -> None:
                data = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def settings(self) -> list[str]:
        """What makes the endpoint answer."""
        return [
            "generator.type=openai",
            "generator.model=stub",
            f"generator.openai.base_url={self.url}",
            "prompt.form=chat",
            "prompt.context_tokens=2048",
        ]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def markdown_endpoint(text: str = MARKDOWN, *, word_s: float = 0.0) -> Iterator[MarkdownEndpoint]:
    """Serve the endpoint; a stream waits ``word_s`` seconds after each piece."""
    endpoint = MarkdownEndpoint(text, word_s)
    try:
        yield endpoint
    finally:
        endpoint.close()
