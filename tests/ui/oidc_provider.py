"""An OpenID provider for tests: discovery, authorisation code with PKCE, signed tokens, keys, log-out. One user."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

__all__ = ["CLIENT", "SECRET", "Provider"]

CLIENT, SECRET = "rag-page", "of the tests only"


class Provider:
    """A running provider, whose ``subject`` logs in without being asked; ``fault`` spoils the next tokens."""

    def __init__(self) -> None:
        self.subject = "ada"
        self.fault: str | None = None
        self.refused: list[str] = []
        self.issued = self.logged_out = 0
        self._codes: dict[str, dict[str, str]] = {}
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                provider._answer(self, url.path, _single(url.query))

            def do_POST(self) -> None:
                form = _single(self.rfile.read(int(self.headers["Content-Length"])).decode())
                provider._answer(self, urlsplit(self.path).path, form)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, path: str, given: dict[str, str]) -> None:
        if path == "/.well-known/openid-configuration":
            _send(request, self._metadata())
        elif path == "/keys":
            _send(request, {"keys": [self._key.as_dict(private=False)]})
        elif path == "/authorize":
            code = secrets.token_urlsafe(16)
            self._codes[code] = given
            _redirect(request, given["redirect_uri"], {"code": code, "state": given["state"]})
        elif path == "/token":
            told = self._tokens(request.headers.get("Authorization", ""), given)
            _send(request, told, 200 if "id_token" in told else 400)
        elif path == "/end":
            self.logged_out += 1
            _redirect(request, given["post_logout_redirect_uri"], {})
        else:
            _send(request, {}, 404)

    def _metadata(self) -> dict[str, Any]:
        places = {"authorization": "authorize", "token": "token", "end_session": "end"}
        return {
            "issuer": self.url, "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in places.items()},
        }  # fmt: skip

    def _tokens(self, authorization: str, given: dict[str, str]) -> dict[str, Any]:
        """Exchange a code, once, for who asked for it: the right client that knows what the code was asked with."""
        asked = self._codes.pop(given.get("code", ""), None)
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        problems = {
            "code": asked is None,
            "client": authorization != expected,
            "redirect_uri": asked is not None and given.get("redirect_uri") != asked["redirect_uri"],
            "PKCE": asked is not None and proof.decode().rstrip("=") != asked.get("code_challenge"),
        }
        self.refused += [name for name, wrong in problems.items() if wrong]
        if asked is None or any(problems.values()):
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": self.subject, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "name": self.subject.title()}  # fmt: skip
        key = RSAKey.generate_key(2048) if self.fault == "signature" else self._key
        if self.fault == "nonce":
            claims["nonce"] = "another"
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        self.issued += 1
        return {"access_token": "none", "token_type": "Bearer", "expires_in": 300, "id_token": token}


def _single(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _redirect(request: BaseHTTPRequestHandler, to: str, query: dict[str, str]) -> None:
    request.send_response(302)
    request.send_header("Location", f"{to}?{urlencode(query)}" if query else to)
    request.send_header("Content-Length", "0")
    request.end_headers()


def _send(request: BaseHTTPRequestHandler, tree: dict[str, Any], status: int = 200) -> None:
    body = json.dumps(tree).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
