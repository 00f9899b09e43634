"""The addresses of the pages."""

from django.contrib import admin
from django.urls import path

from community import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", views.posts, name="posts"),
    path("suggest/", views.suggest, name="suggest"),
    path("<slug:slug>/", views.posts, name="posts"),
]
