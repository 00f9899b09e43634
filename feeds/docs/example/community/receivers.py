"""Posts for entries. Signals are sent after the commit; a receiver that fails harms no import."""

from django.dispatch import receiver
from django.utils import timezone

from community.models import Post
from feeds import signals


@receiver(signals.entries_added)
def add_posts(entries, **kwargs):
    Post.objects.bulk_create([Post(entry=entry) for entry in entries], ignore_conflicts=True)


@receiver(signals.entries_changed)
def note_changes(entries, **kwargs):
    Post.objects.filter(entry__in=entries).update(modified_at=timezone.now())
