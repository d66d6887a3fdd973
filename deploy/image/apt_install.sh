#!/bin/sh
# apt_install.sh PACKAGE...: in a stage of the build. What the builder has to say about apt (a proxy, a mirror) comes as
# secrets that are mounted while this runs, so that no layer holds it.
set -eu
conf=/tmp/apt.conf
sources=/run/secrets/apt-sources
{
  printf 'APT::Install-Recommends "false";\nAPT::Get::Assume-Yes "true";\nAcquire::Retries "3";\n'
  if [ -s /run/secrets/apt-conf ]; then cat /run/secrets/apt-conf; fi
  if [ -s "$sources" ]; then printf 'Dir::Etc::SourceList "%s";\nDir::Etc::SourceParts "/dev/null";\n' "$sources"; fi
} >"$conf"
export APT_CONFIG=$conf DEBIAN_FRONTEND=noninteractive
apt-get -q update
# First what the base has: its libraries are shipped too.
apt-get -q upgrade
apt-get -q install "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* "$conf"
