"""How the app is run: uvicorn on a socket that listens, until it is told to stop."""

import uvicorn

from histoserve.client.view.guard import App

CLOSING_S = 2
"""For answers under way when it is told to stop."""


def web_server(app: App) -> uvicorn.Server:
    """To be run on a socket; it tells nothing, what fails the app tells itself."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            # Alone: the answers to hostile requests are tested with this parser.
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSING_S,
        )
    )
