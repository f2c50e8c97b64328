"""Programs to start from: `gunicorn examples.quickstart:app`, `gunicorn examples.login:app`."""
