"""Firefox's own protocol, Marionette, in place of the HTTP that Selenium speaks to a driver."""

import json
import socket
from typing import Any

SECONDS_TO_ANSWER = 60
COMMANDS = {
    "clearElement": "WebDriver:ElementClear",
    "clickElement": "WebDriver:ElementClick",
    "findElement": "WebDriver:FindElement",
    "findElements": "WebDriver:FindElements",
    "get": "WebDriver:Navigate",
    "getCookies": "WebDriver:GetCookies",
    "getCurrentUrl": "WebDriver:GetCurrentURL",
    "getElementText": "WebDriver:GetElementText",
    "goBack": "WebDriver:Back",
    "isElementEnabled": "WebDriver:IsElementEnabled",
    "newSession": "WebDriver:NewSession",
    "quit": "Marionette:Quit",
    "screenshot": "WebDriver:TakeScreenshot",
    "sendKeysToElement": "WebDriver:ElementSendKeys",
    "setContext": "Marionette:SetContext",
    "setTimeouts": "WebDriver:SetTimeouts",
    "switchToFrame": "WebDriver:SwitchToFrame",
    "w3cExecuteScript": "WebDriver:ExecuteScript",
}
"""Selenium's names of the commands that the tests send, and Firefox's."""
PARAMETERS: dict[str, dict[str, Any]] = {
    "newSession": {"acceptInsecureCerts": True},
    "quit": {"flags": ["eAttemptQuit"]},  # in order, so that the profile is written
    "screenshot": {"full": False},
}
"""What takes the place of Selenium's parameters."""


class Marionette:
    """What Selenium sends its commands by. Geckodriver, which usually does it, is not in Debian."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS_TO_ANSWER)
        self._answers = self._socket.makefile("rb")
        self._sent = 0
        self._receive()  # a greeting

    def execute(self, command: str, params: dict[str, Any] | None) -> dict[str, Any]:
        """Send a command of Selenium's, and return the answer as Selenium expects it."""
        given = {key: value for key, value in (params or {}).items() if key != "sessionId"}
        self._sent += 1
        message = [0, self._sent, COMMANDS[command], PARAMETERS.get(command, given)]
        text = json.dumps(message).encode()
        self._socket.sendall(b"%d:%b" % (len(text), text))
        _, _, error, result = self._receive()
        if error:
            return {"status": error["error"], "value": error}
        is_wrapped = isinstance(result, dict) and result.keys() == {"value"}
        return {"value": result["value"] if is_wrapped else result}

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _receive(self) -> Any:
        length = b""
        while (digit := self._answers.read(1)) != b":":
            if not digit:
                raise ConnectionError("Firefox has ended")
            length += digit
        return json.loads(self._answers.read(int(length)))
