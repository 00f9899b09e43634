"""Settings of the example: nothing else need run."""

from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "for the example only"
DEBUG = True
ROOT_URLCONF = "community.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "community",
    "feeds",
    "django_dramatiq",
    "dramatiq_crontab",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "community.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 5, "init_command": "PRAGMA journal_mode = WAL"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "locks": {"BACKEND": "feeds.embedded.DatabaseLocks"},
}
DRAMATIQ_BROKER = {
    "BROKER": "feeds.embedded.EmbeddedBroker",
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
FEEDS_KEEP_ENTRIES = 200
