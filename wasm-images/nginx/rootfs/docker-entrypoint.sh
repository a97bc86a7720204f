#!/bin/sh
# Runs what /docker-entrypoint.d holds, then the command.
set -e

ME=/docker-entrypoint.sh

log() {
    if [ -z "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ]; then
        echo "$@"
    fi
}

if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    for f in /docker-entrypoint.d/*.sh; do
        if [ -x "$f" ]; then
            log "$ME: Launching $f"
            "$f"
        fi
    done
    log "$ME: Configuration complete; ready for start up"
fi

exec "$@"
