"""An application for a server that a test starts: who is at the door, and how they came."""

from werkzeug import Request, Response
from werkzeug.utils import redirect

from sessionware import SessionMiddleware
from tests.gateway import KEY


@Request.application
def door(request: Request) -> Response:
    """Log in (form: `name`, `remember`), log out, climb stairs; elsewhere tell who is there."""
    session = request.environ["session"]
    match request.path.split("/")[1:]:
        case ["log-in"]:
            session.regenerate()
            session["user"] = request.form["name"]
            session.permanent = "remember" in request.form
        case ["log-out"]:
            session.invalidate()
        case ["stairs", step] if step != "0":
            session.setdefault("climbed", []).append(step)
            return redirect(f"/stairs/{int(step) - 1}")
        case ["stairs", _]:
            return Response(" ".join(session["climbed"]))
        case _:
            return Response(session.get("user", "nobody"))
    return redirect("/", 303)


app = SessionMiddleware(door, KEY)
