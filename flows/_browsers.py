"""What browsers are told by a Prefect server of ours: ask nobody else, and let no other page in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

__all__ = ["BrowserPolicy"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

#: Prefect's pages ask an analytics host whatever the server's settings say; `connect-src` forbids it. What
#: they cannot do without: shaders of the graph of a run are made by `eval`, components write inline styles, and workers
#: come from text within scripts.
_CONTENT: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob: data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = (
    (b"content-security-policy", _CONTENT.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_ANY_ORIGIN: Final = (b"access-control-allow-origin", b"*")


class BrowserPolicy:
    """Adds the headers to every answer of an ASGI application.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: Any) -> None:
        self._app: _App = app

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_policy(message: _Message) -> None:
            if message["type"] == "http.response.start":
                # Prefect's refusal of a CSRF token is open to every origin, whatever the settings say
                kept = [(n, v) for n, v in message["headers"] if (n.lower(), v) != _ANY_ORIGIN]
                message = {**message, "headers": [*kept, *_HEADERS]}
            await send(message)

        await self._app(scope, receive, send_with_policy)
