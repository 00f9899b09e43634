"""The URLs of the health pages, and of the status page."""

from django.urls import path

from feeds.status import healthz, metrics_page, readyz, status_page

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics_page, name="feeds-metrics"),
    path("feeds/", status_page, name="feeds-status"),
]
