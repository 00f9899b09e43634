"""A week of polling under a virtual clock: the real schedule, queues and claims; a model of the hosts out there."""

import os

import django
from django.apps import apps

if not apps.ready:  # run as a command: what decides is pure, but its package knows the models
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feeds_project.settings")
    django.setup()
