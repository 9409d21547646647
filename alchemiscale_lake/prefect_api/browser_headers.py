"""Security headers of our Prefect servers: browsers load nothing from elsewhere, and other pages get no access."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

__all__ = ["BrowserPolicy"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

#: Prefect's pages contact an analytics host regardless of the server's settings; `connect-src` forbids it. The pages
#: need `eval` (shaders of the run graph), inline styles (components) and blob workers (text within scripts).
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
    """Adds the headers to every response of an ASGI application.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: Any) -> None:
        self._app: _App = app

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_policy(message: _Message) -> None:
            if message["type"] == "http.response.start":
                # Prefect's rejection of a CSRF token allows every origin, regardless of the settings
                kept = [(n, v) for n, v in message["headers"] if (n.lower(), v) != _ANY_ORIGIN]
                message = {**message, "headers": [*kept, *_HEADERS]}
            await send(message)

        await self._app(scope, receive, send_with_policy)
