"""What a person types about one feed in, values that can be stored and sent out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db import models

from feeds import fetching
from feeds.conf import feeds_settings
from feeds.exceptions import InvalidURL
from feeds.fetching import FeedRequest
from feeds.models import FetchOptions

if TYPE_CHECKING:
    FetchOptionsModelForm = forms.ModelForm[FetchOptions]
else:
    FetchOptionsModelForm = forms.ModelForm


class FetchOptionsForm(FetchOptionsModelForm):
    """How a feed is fetched. Secrets go in and never come out: empty keeps what is stored, a box clears it."""

    SECRETS = ("password", "headers", "proxy")

    password = forms.CharField(required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"}))
    headers = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    proxy = forms.CharField(required=False, widget=AdminTextInputWidget())
    clear_password = forms.BooleanField(required=False)
    clear_headers = forms.BooleanField(required=False)
    clear_proxy = forms.BooleanField(required=False)

    class Meta:
        model = FetchOptions
        fields = ("user_agent", "username", "password", "headers", "proxy", "deadline", "verify_tls")
        widgets = {"user_agent": AdminTextInputWidget(), "username": AdminTextInputWidget()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = {name: getattr(self.instance, name) for name in self.SECRETS}
        for name, stored in self._stored.items():
            self.initial[name] = ""
            state = "Stored and not shown; empty keeps it." if stored else "Not set."
            self.fields[name].help_text = f"{_help_text(name)} {state}"
        self.fields["headers"].help_text += " One a line, like X-Key: value."

    def clean_headers(self) -> list[list[str]]:
        lines = [line.partition(":") for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        if any(not colon for _, colon, _ in lines):
            raise forms.ValidationError("Each line must be a name, a colon and a value.", code="invalid")
        return [[name.strip(), value.strip()] for name, _, value in lines]

    def clean_deadline(self) -> float | None:
        deadline: float | None = self.cleaned_data["deadline"]
        limit = feeds_settings().fetch_limit
        if deadline is not None and deadline >= limit:
            text = f"It must be less than {limit:g}, what FEEDS_PARSE_LIMIT leaves of FEEDS_TIME_LIMIT."
            raise forms.ValidationError(text, code="invalid")
        return deadline

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        for name, stored in self._stored.items():
            if values.get(f"clear_{name}"):
                values[name] = type(stored)()
            elif name in values and not values[name]:
                values[name] = stored
        if not self.errors:
            _check_options(values)
        return values


def _check_options(values: dict[str, Any]) -> None:
    request = FeedRequest(
        url="https://example.org/",
        user_agent=values["user_agent"],
        headers=tuple((name, value) for name, value in values["headers"]),
        proxy=values["proxy"],
    )
    try:
        fetching.plan_calls(request, "feeds")
    except InvalidURL as error:
        raise forms.ValidationError(str(error), code="invalid") from error


def _help_text(name: str) -> str:
    field = FetchOptions._meta.get_field(name)
    return str(field.help_text) if isinstance(field, models.Field) else ""
