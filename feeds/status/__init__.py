"""The state of the deployment, for operators: whether imports go on, and if not, why, and what to do."""

from feeds.status.diagnosis import Finding, examine
from feeds.status.health import healthz, readyz
from feeds.status.locks import Held, break_lock, held
from feeds.status.metrics import page as metrics_page
from feeds.status.views import page as status_page

__all__ = ["Finding", "Held", "break_lock", "examine", "healthz", "held", "metrics_page", "readyz", "status_page"]
