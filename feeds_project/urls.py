"""The admin, and the pages of the app; its status page is the front page, too."""

from django.contrib import admin
from django.urls import include, path
from django_dramatiq.models import Task

from feeds.status import status_page

admin.autodiscover()
admin.site.unregister(Task)  # nothing is in that table: its AdminMiddleware is not ours
admin.site.site_header = admin.site.site_title = "Feeds"
admin.site.index_title = "What there is"

urlpatterns = [
    path("", status_page),
    path("admin/", admin.site.urls),
    path("", include("feeds.urls")),
]
