"""Settings of the recipe's site, told its servers by the environment."""

import os

import dj_database_url

SECRET_KEY = "benchmark"
INSTALLED_APPS = ["tests.rigs.benchmarks.recipe"]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=600)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
