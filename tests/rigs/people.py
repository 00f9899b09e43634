"""Users of the admin."""

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User


def staff(*codenames: str, username: str = "staff") -> User:
    """Return a member of the staff with these permissions and no others.

    The permissions are made where a transactional test has emptied the database.
    """
    create_permissions(apps.get_app_config("feeds"), verbosity=0)
    user = User.objects.create(username=username, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(set(codenames)), "no such permission"
    return user
