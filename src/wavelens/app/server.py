"""The server: the page, the files of results, and what the browser may load."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from wavelens.app.addresses import OwnAddress, is_loopback
from wavelens.app.connections import MAX_CONNECTIONS, punctual
from wavelens.app.example import example_photo
from wavelens.app.limits import Limits
from wavelens.app.passwords import Gatekeeper
from wavelens.app.refusals import RequestRefused
from wavelens.app.request_limits import MULTIPART_BYTES, RequestLimits
from wavelens.app.served import Served
from wavelens.app.service import Service
from wavelens.app.upload_routes import UploadRoutes
from wavelens.app.uploads import Uploads
from wavelens.app.visitors import Visitors
from wavelens.app.visits import Visits
from wavelens.optional import optional
from wavelens.untrusted import reason_of

LOCAL, PORTS = "127.0.0.1", range(7860, 7960)
SWEEP = 60.0  # seconds between two looks for what nobody uses any more
PATIENCE = 3  # seconds that open pages are given when the server ends
# A page loads and sends nothing but to where it came from, whatever a component would like to.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)
# A page of results brings all that it runs, and can do nothing in the app's name.
REPORT = POLICY.replace("script-src 'self'", "script-src data:") + "; sandbox allow-scripts allow-downloads"
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
QUIET = {  # read by Gradio when it is imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

OPEN_TO_ALL = (
    "anyone who reaches %s can use this app, without a password. Set one with --password or WAVELENS_PASSWORD, or "
    "listen to 127.0.0.1 alone."
)

log = logging.getLogger(__name__)


def serve(
    models: Sequence[Served],
    *,
    host: str = LOCAL,
    port: int | None = None,
    limits: Limits | None = None,
    device: str | torch.device = "cpu",
    ready: Callable[[str], None] = lambda address: None,
    password: str | None = None,
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Serves the app until it is interrupted; `ready` is told the address.

    Without a port it is the first that is free from 7860. Whoever reaches `host` and knows the `password`, if there is
    one, can use the app: it is this machine alone unless told otherwise. `allowed_hosts` are further names under which
    browsers reach it, such as that of a proxy. All that is uploaded or written lies in a temporary folder that is
    removed at the end. `OSError` for a host or port that cannot be had, `ValueError` for an empty password,
    `ImportError` without Gradio.
    """
    with ExitStack() as stack:
        stack.enter_context(_terminable())
        listening = stack.enter_context(closing(_socket(host, port)))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wavelens-"))
        service = stack.enter_context(closing(Service(models, Path(folder) / "app", limits=limits, device=device)))
        app = application(service, host, password=password, allowed_hosts=allowed_hosts)
        if password is None and not is_loopback(listening.getsockname()[0]):
            log.warning(OPEN_TO_ALL, host)
        ready(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
        server_of(app).run(sockets=[listening])


def server_of(app: Any) -> Any:
    """A server of uvicorn for the application, within bounds of its own."""
    uvicorn = optional("uvicorn", "app")
    config = uvicorn.Config(
        app,
        http=punctual(),
        ws="none",
        limit_concurrency=MAX_CONNECTIONS,
        proxy_headers=False,  # anyone may send them, and guesses of a password are counted by address
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    return uvicorn.Server(config)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM leaves as an error does: uvicorn raises it again at its end, which would skip what removes files."""
    if threading.current_thread() is not threading.main_thread():  # others are told of no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def application(
    service: Service, host: str = LOCAL, *, password: str | None = None, allowed_hosts: Sequence[str] = ()
) -> Any:
    """The ASGI application around a service, as `serve` has it."""
    os.environ.update(QUIET | {"GRADIO_TEMP_DIR": str(service.uploads.with_name("gradio"))})
    gradio, fastapi = optional("gradio", "app"), optional("fastapi", "app")
    from wavelens.app.page import look_of_it, page

    uploads = Uploads(service.uploads, service.limits)
    blocks, max_file_bytes = page(service, uploads), int(service.limits.megabytes * 2**20)
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_sweeping(service))
    _add_routes(app, service, uploads)
    inputs = {number: len(event.inputs) for number, event in blocks.fns.items()}
    gatekeeper = None if password is None else Gatekeeper(password)
    # the last is the first that a request comes to
    app.add_middleware(Visits, visitors=Visitors(service.limits), inputs=inputs, gatekeeper=gatekeeper)
    app.add_middleware(OwnAddress, host=host, allowed_hosts=allowed_hosts)
    app.add_middleware(RequestLimits, upload_bytes=max_file_bytes + MULTIPART_BYTES)
    app.add_middleware(_Headers)
    return gradio.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=host,
        max_file_size=max_file_bytes,  # says it in MB of its own; the service counts in millions
        show_error=False,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        **look_of_it(),
    )


def _add_routes(app: Any, service: Service, uploads: Uploads) -> None:
    """Results, and uploads; they come before Gradio's. What they refuse, `Visits` answers."""
    responses = optional("starlette.responses", "app")

    def result(request: Any) -> Any:
        file = service.file(request.path_params["token"], request.path_params["name"])
        if file is None:
            raise RequestRefused(404, "This result is no longer there. Explain again.")
        return responses.FileResponse(file, headers={"Content-Security-Policy": REPORT})

    def example(request: Any) -> Any:
        photo = example_photo(service.models.values())
        if photo is None:
            raise RequestRefused(404, "There is no example here.")
        return responses.FileResponse(photo)

    app.add_route("/results/{token}/{name:path}", result)
    app.add_route("/example", example)
    UploadRoutes(service, uploads).add_to(app)


class _Headers:
    """Adds the headers that keep a page to itself."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                headers = {"Content-Security-Policy": POLICY} | HEADERS
                more = [(k.lower().encode(), v.encode()) for k, v in headers.items() if k.lower().encode() not in given]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self.app(scope, receive, guarded)


def _sweeping(service: Service) -> Any:
    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await asyncio.to_thread(service.sweep)
            except Exception as error:  # the next one may go well
                log.error("a sweep failed", exc_info=error)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(sweep())
        try:
            yield
        finally:
            task.cancel()

    return lifespan


def _socket(host: str, port: int | None) -> socket.socket:
    """A socket that listens at the port, or at the first free one of `PORTS`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = PORTS if port is None else [port]
    for number in ports:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, number))
            listening.listen()
            return listening
        except OSError as error:
            listening.close()
            reason = error
    raise OSError(f"the app cannot listen at {host}:{ports[0]}: {reason_of(reason)}. Choose another --host or --port.")
