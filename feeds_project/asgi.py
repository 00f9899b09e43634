"""The ASGI application of the project."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feeds_project.settings")

application = get_asgi_application()
