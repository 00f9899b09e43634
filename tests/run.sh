#!/bin/sh
# Install what the tests need and is missing, then run them: sh tests/run.sh [arguments of pytest]
# On Debian and its relatives the servers come as packages, as root or by sudo. Elsewhere the tests that need them are skipped.
set -eu

project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$project"

say() { printf '%s\n' "tests/run.sh: $*" >&2; }

# The tests make their own servers and name them; what the caller's shell names is not theirs.
unset DATABASE_URL BROKER_URL MEMCACHED_URL DJANGO_SETTINGS_MODULE
# Debian keeps server programs where the PATH of a plain user does not reach.
PATH="$PATH:/usr/sbin:/usr/local/sbin"
if [ -z "${HOME:-}" ]; then
    HOME=$(mktemp -d)
fi
export PATH HOME

# --- servers ---------------------------------------------------------------------------------------------------------

has_postgresql() {
    command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}

missing_packages() {
    command -v memcached >/dev/null || echo memcached
    command -v redis-server >/dev/null || echo redis-server
    command -v rabbitmq-server >/dev/null || echo rabbitmq-server
    command -v nginx >/dev/null || echo nginx-light
    command -v pgbouncer >/dev/null || echo pgbouncer
    has_postgresql || echo postgresql
}

may_be_root() {
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

update_package_lists() {
    for attempt in 1 2 3; do
        as_root apt-get -q -o Acquire::Retries=3 update && return 0
        say "apt-get update failed (attempt $attempt of 3)"
        sleep 5
    done
    return 1
}

# Debian starts a server when it is installed, unless this file forbids it. The tests start their own.
policy=/usr/sbin/policy-rc.d

forbid_services() {
    [ -e "$policy" ] && return 0
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT # of the subshell below
}

install_packages() (
    forbid_services
    update_package_lists || say "the package lists are old; trying with them"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
)

install_servers() {
    # shellcheck disable=SC2046 # one word per package is meant
    set -- $(missing_packages)
    [ $# -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null || ! may_be_root; then
        say "not installed: $*. This script can install them on Debian and its relatives, as root or by sudo without a" \
            "password. Here the acceptance tests that need them will be skipped (with CI=true they fail)."
        return 0
    fi
    say "installing $*"
    install_packages "$@" || say "installing failed; tests that need $* will be skipped (with CI=true they fail)"
}

# --- uv --------------------------------------------------------------------------------------------------------------

has_uv() { uv --version >/dev/null 2>&1; }

# In a virtual environment where Python can make one; else for this user, also where Debian wants only its own packages.
install_uv() {
    say "installing uv"
    tools="$project/.tools"
    if python3 -m venv "$tools" >/dev/null 2>&1 && "$tools/bin/python" -m pip install --quiet uv; then
        printf '*\n' >"$tools/.gitignore"
        PATH="$tools/bin:$PATH"
    else
        rm -rf "$tools"
        python3 -m pip install --quiet --user --break-system-packages uv ||
            python3 -m pip install --quiet --user uv
        PATH="$(python3 -m site --user-base)/bin:$PATH"
    fi
    export PATH
}

# --- run -------------------------------------------------------------------------------------------------------------

install_servers
if [ -x .tools/bin/uv ]; then
    PATH="$project/.tools/bin:$PATH"
fi
has_uv || install_uv
has_uv || { say "uv is missing and could not be installed; see https://docs.astral.sh/uv/"; exit 1; }

# Four at once on two processors: many of them wait for clocks, servers and processes.
exec uv run pytest -n 4 --dist loadfile "$@"
