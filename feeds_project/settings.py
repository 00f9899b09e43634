"""Settings, read from the environment; every variable is in feeds/docs/settings.md.

With nothing set the project runs embedded: SQLite, the queue inside the process, the lock in the database.
`DATABASE_URL`, `BROKER_URL` and `MEMCACHED_URL`, each by itself, move one part to a server.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from environs import Env

from feeds.conf import FeedsSettings

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()

BROKER_URL = env.str("BROKER_URL", "")
MEMCACHED_URL = env.str("MEMCACHED_URL", "")


def local_secret_key() -> str:
    """Return this checkout's own key: enough for one host; several that serve the admin need SECRET_KEY.

    The first process to ask makes it; a hard link shows it whole or not at all.
    """
    path = BASE_DIR / ".secret_key"
    if not path.exists():
        draft = path.with_name(f".secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or local_secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

# Off, since nothing is served over TLS by itself. All on, `check --deploy` has nothing to say.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", False)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]  # a load balancer asks for these by http
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SECURE_PROXY_SSL_HEADER: tuple[str, ...] | None = tuple(env.list("SECURE_PROXY_SSL_HEADER", [])) or None
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", False)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", False)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

INSTALLED_APPS = [
    "feeds_project.config.FeedsAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "feeds_project",  # the demo
    "feeds",  # above django_dramatiq, to replace its rundramatiq
    "django_dramatiq",
    "dramatiq_crontab",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

if find_spec("whitenoise"):  # the extra "web": static files without a server for them, and without collectstatic
    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
    WHITENOISE_USE_FINDERS = True

ROOT_URLCONF = "feeds_project.urls"
WSGI_APPLICATION = "feeds_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


database: dict[str, Any] = env.dj_db_url("DATABASE_URL", f"sqlite:///{BASE_DIR / 'feeds.sqlite3'}")
if database["ENGINE"].endswith("sqlite3"):
    # Without these, 8 worker threads met "database is locked" 66 times in 300 imports; with them never.
    database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
    }
    # Made here, a new file can be read by its owner only, as can those that SQLite puts beside it.
    if not database["NAME"].startswith((":", "file:")):  # in memory
        with suppress(OSError):  # it is there, or cannot be made, which SQLite says itself
            Path(database["NAME"]).touch(mode=0o600, exist_ok=False)
else:
    database["CONN_MAX_AGE"] = None
    database["CONN_HEALTH_CHECKS"] = True
    # Seconds, and the last in ms. A server that is lost, as in a failover, was waited for up to two hours, and no time
    # limit reaches a thread that waits for the database.
    lost = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
    database["OPTIONS"] = {"connect_timeout": 5} | lost | database.get("OPTIONS", {})
    database["DISABLE_SERVER_SIDE_CURSORS"] = env.bool("DISABLE_SERVER_SIDE_CURSORS", False)
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "locks": (
        {"BACKEND": "feeds.locking.MemcachedLocks", "LOCATION": MEMCACHED_URL}
        if MEMCACHED_URL
        else {"BACKEND": "feeds.embedded.DatabaseLocks"}
    ),
}


def broker() -> tuple[str, dict[str, Any]]:
    """Return the broker's class and options for `BROKER_URL`."""
    scheme = BROKER_URL.partition("://")[0]
    if not scheme:
        return "feeds.embedded.EmbeddedBroker", {}
    if scheme in ("redis", "rediss"):
        # A dead worker's messages come back once its heartbeat is this old (ms) and another worker's command draws
        # the lot (chances in a million). With Dramatiq's own chance of 1,000 that took 125 to 1,410 s, measured.
        # A Redis that answers after the client has given up has handed messages to nobody: they lie there until the
        # worker ends. A client of its own accord gives up after 5 s, which a snapshot or a swap may take. A page that
        # sends waits as long, and gunicorn ends it after 30 s.
        timeout = f"{'&' if '?' in BROKER_URL else '?'}socket_timeout=20"
        return "dramatiq.brokers.redis.RedisBroker", {
            "url": BROKER_URL + timeout,
            "heartbeat_timeout": 60_000,
            "maintenance_chance": 100_000,
        }
    if scheme in ("amqp", "amqps"):
        return "dramatiq.brokers.rabbitmq.RabbitmqBroker", {"url": BROKER_URL, "confirm_delivery": True}
    raise ValueError(f"BROKER_URL must begin with redis://, rediss://, amqp:// or amqps://, not {scheme}://")


BROKER_CLASS, BROKER_OPTIONS = broker()

DRAMATIQ_BROKER = {
    "BROKER": BROKER_CLASS,
    "OPTIONS": BROKER_OPTIONS,
    # The order matters: after-hooks run backwards. The lock is taken when nothing above can veto any more, given back
    # when the two below can interrupt no more, and before Retries puts the message back. `feeds.E002` checks it.
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "feeds.heartbeat.Heartbeat",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Pipelines",
        "dramatiq.middleware.CurrentMessage",
        "dramatiq.middleware.Retries",
        "feeds.locking.LockMiddleware",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.TimeLimit",
    ],
}

if env.bool("METRICS", False):  # for Prometheus, at port 9191 of a worker; needs the extra "metrics"
    DRAMATIQ_BROKER["MIDDLEWARE"].insert(0, "feeds.metrics.Metrics")  # type: ignore[attr-defined]

if BROKER_URL.startswith(("redis://", "rediss://")):
    DRAMATIQ_CRONTAB = {"REDIS_URL": BROKER_URL}  # of two schedulers one runs; two would do no harm

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = None if find_spec("whitenoise") else BASE_DIR / "staticfiles"  # for collectstatic

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "feeds_project.logs.JSONFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": env.str("LOG_FORMAT", "line")}},
    "loggers": {"feeds": {"handlers": ["stderr"], "level": env.str("FEEDS_LOG_LEVEL", "INFO"), "propagate": False}},
}

# FEEDS_*, each by its type. Set here only when set there: the defaults stand in feeds/conf.py.
READERS: dict[type, Callable[[str], Any]] = {str: env.str, int: env.int, float: env.float, tuple: env.list}
globals().update(
    {
        name: READERS[type(field.default)](name)
        for field in fields(FeedsSettings)
        if (name := f"FEEDS_{field.name.upper()}") in os.environ
    }
)
