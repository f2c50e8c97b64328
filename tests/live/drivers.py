"""Real browsers for a test: Chromium, Firefox and WebKitGTK, through Selenium.

For each of them, every host name that the tests use is this machine, every certificate is good, and
third-party cookies are blocked or kept apart, as is usual.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import (
    Chrome,
    ChromeOptions,
    ChromeService,
    FirefoxOptions,
    WebKitGTKOptions,
)
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver

from tests.live.browser import SECONDS_TO_LOAD
from tests.live.marionette import Marionette
from tests.processes import SECONDS_TO_STOP, free_port, listens, program, running


class Browser(WebDriver):
    """What the tests need beyond WebDriver."""

    def forget_cookies(self) -> None:
        """Forget every cookie of every host."""
        raise NotImplementedError

    def resize(self, width: int, height: int, scheme: str) -> None:
        """Show pages at this size, by day (``"light"``) or by night (``"dark"``)."""
        raise NotImplementedError


# Chromium

CHROMIUM_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # Root cannot have one, and all pages are our own.
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-features=HttpsUpgrades",
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--ignore-certificate-errors",
)
CHROMIUM_PREFERENCES = {
    "profile.cookie_controls_mode": 1,  # Third-party cookies are blocked.
    "net.network_prediction_options": 2,  # Servers wait on connections opened ahead of need.
}


class Chromium(Chrome, Browser):
    """Chromium without a window."""

    def forget_cookies(self) -> None:
        self.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def resize(self, width: int, height: int, scheme: str) -> None:
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    options = ChromeOptions()
    options.binary_location = program("chromium")
    options.add_experimental_option("prefs", CHROMIUM_PREFERENCES)
    for argument in (*CHROMIUM_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    # With both paths given Selenium has nothing to look for, nor to download.
    service = ChromeService(program("chromedriver"))
    with closing(Chromium(options=options, service=service)) as browser:
        yield browser


# Firefox

FIREFOX_PREFERENCES = {
    "marionette.port": 0,  # any that is free
    "network.dns.forceResolve": "127.0.0.1",
}
SCHEMES = {"dark": 0, "light": 1}
UNTIL_RESIZED = """
    const [width, scheme] = arguments;
    const media = matchMedia(`(prefers-color-scheme: ${scheme})`);
    return new Promise(resolve => {
        const is_done = () => innerWidth == width && media.matches;
        const look = () => requestAnimationFrame(is_done() ? () => resolve() : look);
        look();
    });
"""


class Firefox(Browser):
    """Firefox without a window. Scripts in its own context may do what its menus do."""

    def __init__(self, port: int) -> None:
        connection: Any = Marionette(port)  # which has of a RemoteConnection what Selenium uses
        super().__init__(command_executor=connection, options=FirefoxOptions())

    def forget_cookies(self) -> None:
        self._in_chrome("Services.cookies.removeAll()")

    def resize(self, width: int, height: int, scheme: str) -> None:
        self._in_chrome(
            "const { style } = gBrowser.selectedBrowser, [width, height, scheme] = arguments;"
            "style.minWidth = style.maxWidth = `${width}px`;"
            "style.minHeight = style.maxHeight = `${height}px`;"
            "Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', scheme)",
            width,
            height,
            SCHEMES[scheme],
        )
        self.execute_script(UNTIL_RESIZED, width, scheme)

    def _in_chrome(self, script: str, *arguments: int) -> None:
        self.execute("setContext", {"value": "chrome"})
        self.execute_script(script, *arguments)
        self.execute("setContext", {"value": "content"})


@contextmanager
def firefox(profile: Path) -> Iterator[Browser]:
    lines = (f"user_pref({json.dumps(item)[1:-1]});\n" for item in FIREFOX_PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines))
    port = profile / "MarionetteActivePort"
    port.unlink(missing_ok=True)
    command = [program("firefox-esr"), "--headless", "--no-remote", "--profile", str(profile)]
    command += ["--marionette", "--remote-allow-system-access"]

    def is_ready() -> bool:
        return port.exists() and port.read_text() != ""

    with running(command, profile, is_ready, {"HOME": str(profile)}) as process:
        with closing(Firefox(int(port.read_text()))) as browser:
            yield browser
        process.wait(SECONDS_TO_STOP)  # Its cookies are on disk then.


# WebKitGTK

HOSTS = (
    "attacker.test",
    "blog.test",
    "evil.example.test",
    "identity.test",
    "localhost",
    "news.test",
    "shop.example.test",
    "shop.test",
    "www.news.test",
)


class WebKit(Browser):
    """WebKitGTK's MiniBrowser in a window of Xvfb's. It keeps nothing when it is closed."""

    def __init__(self, port: int) -> None:
        self._options = WebKitGTKOptions()
        self._options.set_capability("acceptInsecureCerts", True)
        settings = ClientConfig(f"http://127.0.0.1:{port}")
        super().__init__(RemoteConnection(client_config=settings), options=self._options)

    def forget_cookies(self) -> None:
        self.execute(Command.QUIT)
        self.start_session(self._options.to_capabilities())
        self.set_page_load_timeout(SECONDS_TO_LOAD)


@contextmanager
def webkit(profile: Path) -> Iterator[Browser]:
    driver = program("WebKitWebDriver")
    hosts = profile / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {host}\n" for host in HOSTS))
    # What bwrap runs sees this file of hosts. libnss_wrapper would do the same, but WebKit's
    # processes crash in it.
    wrapper = [program("bwrap"), "--dev-bind", "/", "/", "--ro-bind", str(hosts), "/etc/hosts"]
    folder = profile / "driver"
    folder.mkdir()
    with free_port() as port, display(profile) as name:
        command, env = [*wrapper, driver, f"--port={port}"], {"DISPLAY": name, "HOME": str(profile)}
        with (
            running(command, folder, lambda: listens(port), env),
            closing(WebKit(port)) as browser,
        ):
            yield browser


@contextmanager
def display(folder: Path) -> Iterator[str]:
    """Run an X server without a screen, and yield the name of its display."""
    command = [program("Xvfb"), "-displayfd", "1", "-screen", "0", "1400x1000x24"]
    # Without -noreset, it resets when its last client leaves, and drops one that is connecting.
    command += ["-nolisten", "tcp", "-noreset"]

    def numbers() -> list[str]:
        """Return the number that it tells once it is ready."""
        return re.findall(r"^\d+$", (folder / "log").read_text(), re.MULTILINE)

    with running(command, folder, lambda: bool(numbers())):
        yield f":{numbers()[0]}"


# Any of them


@contextmanager
def closing(browser: Browser) -> Iterator[Browser]:
    try:
        browser.set_page_load_timeout(SECONDS_TO_LOAD)
        yield browser
    finally:
        browser.quit()
