#!/bin/sh
# Terraform starts this file, and its lock files hold its checksum: it is the same on every machine, and has no path in it.
# `hikube-kafka provider install` writes beside this folder which Python to run, and where the package was.
folder=$(CDPATH='' cd -P -- "${0%/*}" && pwd -P)
if [ -n "$HIKUBE_KAFKA_PYTHON" ]; then
    command -v "$HIKUBE_KAFKA_PYTHON" >/dev/null && exec "$HIKUBE_KAFKA_PYTHON" -P -m hikube_kafka.provider
    # On stdout, where Terraform looks for the first line of a provider and shows what else it finds.
    echo "HIKUBE_KAFKA_PYTHON names $HIKUBE_KAFKA_PYTHON, which cannot be run: name a Python that has hikube-kafka, or unset it."
    exit 1
fi
if [ -r "$folder.python" ]; then
    { IFS= read -r python && IFS= read -r package; } <"$folder.python"
    # -P keeps the folder in which Terraform runs out of the module path: a file there could stand in for one of ours.
    [ -x "$python" ] && [ -d "$package" ] && exec "$python" -P -m hikube_kafka.provider
    seen="$python no longer has hikube-kafka"
fi
command -v hikube-kafka >/dev/null && exec hikube-kafka provider serve
echo "${seen:-$folder.python does not say which Python has hikube-kafka}, and no hikube-kafka is on the PATH: run \
hikube-kafka provider install where the package is installed, or set HIKUBE_KAFKA_PYTHON to a Python that has it."
exit 1
