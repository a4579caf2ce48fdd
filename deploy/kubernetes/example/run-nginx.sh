#!/bin/sh
# Runs nginx in the foreground and rotates its logs by size: a Pod whose emptyDir outgrows its limit is
# evicted. Renamed, then reopened, so that no line is lost; Holter follows the rename. Two generations stay.
set -eu
conf=$1
logs=${LOGS:-/var/log/proxy}
limit=${LIMIT_BYTES:-33554432}
pause=${PAUSE_SECONDS:-10}

rotate() {
    for log in "$logs/access.log" "$logs/error.log"; do
        size=$(stat -c %s "$log" 2>/dev/null || echo 0)
        if [ "$size" -gt "$limit" ]; then
            mv "$log" "$log.1"
            nginx -c "$conf" -s reopen
        fi
    done
}

while sleep "$pause"; do
    rotate || echo "run-nginx: log rotation failed" >&2
done &

# Others than the owner and the group have no business here: session ids stand in the access log.
umask 0027
exec nginx -c "$conf" -g 'daemon off;'
