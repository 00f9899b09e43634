"""The URLs of the health pages, and of the status page."""

from django.urls import path

from feeds import health
from feeds.status import metrics_page, status_page

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics_page, name="feeds-metrics"),
    path("feeds/", status_page, name="feeds-status"),
]
