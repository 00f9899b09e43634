# One image for the site, the workers and the schedule; compose.yaml says which command is which.
FROM python:3.13-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /usr/local/bin/uv
ENV UV_PROJECT_ENVIRONMENT=/venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY feeds feeds
COPY feeds_project feeds_project
RUN uv sync --no-dev --no-editable --extra web --extra metrics

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home feeds
COPY --from=build /venv /venv
COPY manage.py /app/
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000 9191
CMD ["gunicorn", "feeds_project.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--worker-tmp-dir", "/dev/shm"]
