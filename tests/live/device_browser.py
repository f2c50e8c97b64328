"""Chromium with Device Bound Session Credentials, whose keys are kept without a TPM."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.live.browser import SECONDS_TO_LOAD
from tests.processes import program, require

if TYPE_CHECKING:  # The tests can be collected without Selenium.
    from selenium.webdriver import Chrome

FEATURES = (
    "DeviceBoundSessions:RefreshQuota/false",  # Tests have no nine minutes.
    "EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
)


class Certificate:
    """A certificate that no authority vouches for, and the hash of its key.

    A browser that is told to ignore the errors of all certificates ignores these sessions too.
    """

    def __init__(self, folder: Path) -> None:
        self.files = [f"--keyfile={folder}/key", f"--certfile={folder}/certificate"]
        openssl = program("openssl")
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", f"{folder}/key", "-out", f"{folder}/certificate"]
        _run(openssl, "req", "-x509", "-subj=/CN=test", "-days=1", *kind, *files)
        public = _run(openssl, "pkey", "-in", f"{folder}/key", "-pubout", "-outform", "der")
        digest = _run(openssl, "dgst", "-sha256", "-binary", given=public)
        self.hash = _run(openssl, "base64", given=digest).decode().strip()


def _run(*command: str, given: bytes = b"") -> bytes:
    done = subprocess.run(command, input=given, check=True, capture_output=True)  # noqa: S603 - our own
    return done.stdout


@contextmanager
def chromium(profile: Path, certificate: Certificate) -> Iterator[Chrome]:
    """Run Chromium while the block runs, every host name being this machine."""
    require("selenium")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = program("chromium")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    for setting in (
        "--headless=new",
        "--no-sandbox",  # Root cannot have one, and all pages are our own.
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * 127.0.0.1",
        f"--enable-features={','.join(FEATURES)}",
        f"--ignore-certificate-errors-spki-list={certificate.hash}",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(setting)
    browser = Chrome(options=options, service=ChromeService(program("chromedriver")))
    try:
        browser.set_page_load_timeout(SECONDS_TO_LOAD)
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.enableDeviceBoundSessions", {"enable": True})
        yield browser
    finally:
        browser.quit()


def events(browser: Chrome) -> list[dict[str, Any]]:
    """Return what has happened to bound sessions since this was asked last."""
    entries: Any = browser.get_log("performance")  # type: ignore[no-untyped-call]  # of Selenium
    messages = [json.loads(entry["message"])["message"] for entry in entries]
    name = "Network.deviceBoundSessionEventOccurred"
    return [message["params"] for message in messages if message["method"] == name]
