"""Which frames may stay: players of a few hosts, by https and nothing else."""

from urllib.parse import urlsplit

from feeds.canonical_urls import browser_url

HOSTS = frozenset(
    {
        "youtube.com",
        "www.youtube.com",
        "youtube-nocookie.com",
        "www.youtube-nocookie.com",
        "player.vimeo.com",
        "w.soundcloud.com",
        "open.spotify.com",
        "bandcamp.com",
        "embed.podcasts.apple.com",
        "www.dailymotion.com",
        "player.twitch.tv",
        "archive.org",
    }
)
_UPLOADS = {"archive.org": "/embed/"}  # the path of its player; at others stand pages that anybody uploaded
# A player needs its scripts and its own cookies, and opens its site in a window; it may not take this one elsewhere.
SANDBOX = "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-presentation"


def frame_url(value: str, base: str) -> str:
    """Return the URL of a frame as a browser would read it, "" where it may not stay."""
    if "\\" in value:
        return ""
    if value.strip().startswith("//"):  # old players inherited the scheme of the page
        base = f"https:{value.strip()}"
    url = browser_url(value, base)
    # The parts of what a browser would write: no credentials, no port.
    scheme, host, path, *_ = urlsplit(url)
    return url if scheme == "https" and host in HOSTS and path.startswith(_UPLOADS.get(host, "/")) else ""
