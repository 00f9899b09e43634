"""The admin, and the pages of the app; its status page is the front page, too."""

from django.contrib import admin
from django.urls import include, path

from feeds.status import status_page

admin.autodiscover()

urlpatterns = [
    path("", status_page),
    path("admin/", admin.site.urls),
    path("", include("feeds.urls")),
]
