"""The forms of a feed: its URL, folder and limits, and how it is fetched."""

from functools import partial
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.forms.models import BaseInlineFormSet
from django.utils.functional import cached_property

from feeds import canonical_urls, durations, fetching
from feeds.conf import feeds_settings
from feeds.exceptions import InvalidURL
from feeds.fetching import FeedRequest
from feeds.models import Feed, FetchOptions

LONGEST_INTERVAL = 10 * 365 * 86_400  # seconds
DECIDED = ("folder", "fixed_interval", "daily_entries", "keep_days", "keep_entries")  # besides the URL


class DurationField(forms.CharField):
    """Seconds, as people write them."""

    def prepare_value(self, value: Any) -> Any:
        return durations.in_words(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        try:
            seconds = durations.parsed(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid") from error
        if seconds and seconds > LONGEST_INTERVAL:
            raise forms.ValidationError("That is more than ten years.", code="invalid")
        return seconds or None


class FeedForm(forms.ModelForm):
    fixed_interval = DurationField(
        required=False,
        label="Checked every",
        help_text="Such as 90 min, 6 h or 1 d 12 h. Empty: the interval that is learned from the feed.",
    )

    class Meta:
        model = Feed
        fields = ("url", *DECIDED)
        # One line each, though the columns are texts.
        widgets = {"url": AdminTextInputWidget(), "folder": AdminTextInputWidget()}

    def clean_url(self) -> str:
        try:
            url = canonical_urls.canonical_url(self.cleaned_data["url"])
        except InvalidURL as error:
            raise forms.ValidationError(str(error), code="invalid") from error
        if other := Feed.primary.filter(pk__in=Feed.primary.ids_by_url([url]).values()).exclude(pk=self.instance.pk):
            raise forms.ValidationError(f"There is a feed with this URL already: {other[0]}", code="unique")
        return url


class FetchOptionsForm(forms.ModelForm):
    """The form of how a feed is fetched. Secrets go in and never come out: empty keeps what is stored, a box clears it.

    They are not kept where they would be sent to somebody else from now on, or in the clear.
    """

    SECRETS = ("password", "headers", "proxy")

    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Sent to the origin of the feed's URL only.",
    )
    headers = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line, like X-Key: value. Sent like the password.",
    )
    clear_password = forms.BooleanField(required=False)
    clear_headers = forms.BooleanField(required=False)
    clear_proxy = forms.BooleanField(required=False)

    class Meta:
        model = FetchOptions
        fields = ("user_agent", "username", "password", "headers", "proxy", "deadline", "verify_tls")
        widgets = {name: AdminTextInputWidget() for name in ("user_agent", "username", "proxy")}

    def __init__(self, *args: Any, moves: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._moves = moves  # the feed's URL gets another origin
        self._stored = {name: getattr(self.instance, name) for name in self.SECRETS}
        for name, stored in self._stored.items():
            self.initial[name] = ""
            state = "Stored and not shown; empty keeps it." if stored else "Not set."
            self.fields[name].help_text += f" {state}"
        for name in ("user_agent", "proxy"):
            self.fields[name].validators.append(partial(_can_send, name))

    def clean_headers(self) -> list[list[str]]:
        lines = [line.partition(":") for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        if any(not colon for _, colon, _ in lines):
            raise forms.ValidationError("Each line must be a name, a colon and a value.", code="invalid")
        headers = [(name.strip(), value.strip()) for name, _, value in lines]
        if reserved := ", ".join(name for name, _ in headers if name.title() in fetching.RESERVED_HEADERS):
            text = f"{reserved}: not sent, since the importer sets or leaves out such headers itself."
            raise forms.ValidationError(text, code="reserved")
        _can_send("headers", tuple(headers))
        return [[name, value] for name, value in headers]

    def clean_deadline(self) -> float | None:
        deadline: float | None = self.cleaned_data["deadline"]
        limit = feeds_settings().fetch_limit
        if deadline is not None and deadline >= limit:
            text = f"It must be less than {limit:g}, what FEEDS_PARSE_LIMIT leaves of FEEDS_TIME_LIMIT."
            raise forms.ValidationError(text, code="invalid")
        return deadline

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        kept = []
        for name, stored in self._stored.items():
            if values.get(f"clear_{name}"):
                values[name] = type(stored)()
            elif name in values and not values[name] and stored:
                values[name] = stored
                kept.append(name)
        if reason := self._why_not_kept(values):
            for name in kept:
                self.add_error(name, forms.ValidationError(f"Enter it again, or clear it: {reason}.", code="again"))
        return values

    def _why_not_kept(self, values: dict[str, Any]) -> str:
        """Say why no stored secret may be kept; "" where nothing changes about whom it is sent to."""
        if self._moves:
            return "the feed's URL leads to another origin"
        if values.get("proxy", self.instance.proxy) != self.instance.proxy:
            return "the proxy changes"
        if values["verify_tls"] != self.instance.verify_tls:
            return "the verification of TLS changes"
        return ""


class FetchOptionsFormSet(BaseInlineFormSet):
    """The form of a feed's options, or none, on the page of the feed."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return super().get_form_kwargs(index) | {"moves": self._moves}

    @cached_property
    def _moves(self) -> bool:
        """Whether the form above, which is validated first, gives the feed a URL of another origin."""
        stored = Feed.primary.filter(pk=self.instance.pk).values_list("url", flat=True).first()
        return stored is not None and _origin(stored) != _origin(self.instance.url)

    def clean(self) -> None:
        """Refuse to do without the form of options that are stored: their secrets would follow the feed anywhere."""
        super().clean()
        if not self.initial_forms and self.get_queryset().exists():
            raise forms.ValidationError("The feed has options by now. Load the page again.", code="missing")


def _origin(url: str) -> object:
    try:
        return canonical_urls.split_url(url).origin
    except InvalidURL:
        return url


def _can_send(name: str, value: Any) -> None:
    """Raise ValidationError where this part of a request cannot be sent."""
    try:
        fetching.plan_calls(FeedRequest(url="https://example.org/", **{name: value}), "feeds")
    except InvalidURL as error:
        raise forms.ValidationError(str(error), code="invalid") from error
