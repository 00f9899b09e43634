"""The URLs of the health pages."""

from django.urls import path

from feeds import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
