#!/bin/sh
# Runs a command and says every 15 seconds that it is still at work, for commands that are silent for long.
#   tools/heartbeat.sh "what it does" COMMAND [ARGUMENT...]
set -u
what=$1
shift
(
    seconds=0
    # With no hold on the output, so that whoever reads it need not wait for the last sleep.
    while sleep 15 >/dev/null 2>&1; do
        seconds=$((seconds + 15))
        echo "    ... $what: $seconds s"
    done
) &
beat=$!
trap 'kill "$beat" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
"$@"
