"""The project's settings, but Redis gives back what a killed worker had taken after two seconds instead of minutes."""

from feeds_project.settings import *  # noqa: F403
from feeds_project.settings import BROKER_OPTIONS, BROKER_URL

if BROKER_URL.startswith("redis"):
    BROKER_OPTIONS.update(heartbeat_timeout=2_000, maintenance_chance=1_000_000)
