"""A browser that opens reports from the disk, and complains about every error and every request."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--disable-gpu", "--disable-background-networking", "--autoplay-policy=no-user-gesture-required"]
PATIENCE = 120_000  # milliseconds; a busy machine is no failure


@pytest.fixture(scope="session")
def browser():
    """Chromium; skips with the reason where it, or playwright, is not there."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        pytest.skip(f"playwright cannot be imported: {error}; make test-browser installs it")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is there, and CHROMIUM names none")
    root = getattr(os, "geteuid", lambda: 1)() == 0  # whose processes Chromium cannot confine
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=OPTIONS + ["--no-sandbox"] * root, timeout=PATIENCE)
        yield found
        found.close()


@pytest.fixture
def opened(browser):
    """`opened(path, **context)` opens a file; what it asked of the network or complained of fails the test."""
    contexts, heard = [], []

    def open_file(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        address = path.resolve().as_uri()
        page.on(
            "request", lambda r: None if r.url.startswith(("data:", address)) else heard.append(f"request: {r.url}")
        )
        page.goto(address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("article:not([hidden])[data-ready=true]")
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert heard == []
