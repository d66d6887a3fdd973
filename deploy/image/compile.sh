#!/bin/sh
# In a stage of the build; deploy/Dockerfile sets SOURCE, BUILD, FLAGS, WERROR, REVISION, JOBS,
# CCACHE_BASEDIR, HASHDIR and LOCALE. Leaves the two programs,
# without symbols, in /out, and the names of the headers that they were compiled from, which are of their contents as
# much as the libraries are.
set -eu
# deploy/image/build mounts the cache of the host there, if it has one; otherwise the builder keeps one between builds.
CCACHE_DIR=/ccache
if [ -d /host-ccache ]; then CCACHE_DIR=/host-ccache; fi
CCACHE_STATSLOG=$(mktemp)
export CCACHE_DIR CCACHE_STATSLOG
# What its results depend on, as the host has it set; a folder to which no name is relative is no folder.
if [ -z "${CCACHE_BASEDIR:-}" ]; then unset CCACHE_BASEDIR; fi
if [ "$HASHDIR" = false ]; then export CCACHE_NOHASHDIR=1; fi
for setting in $LOCALE; do export "${setting?}"; done

# Not by a COPY to $SOURCE: buildah 1.28 takes a layer from its cache that another value of it has made.
if [ "$SOURCE" != /src ]; then
  mkdir -p "$(dirname "$SOURCE")"
  cp -a /src "$SOURCE"
fi
folder=$SOURCE/$BUILD
cmake -S "$SOURCE" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="$FLAGS" \
  -DCMAKE_PREFIX_PATH=/opt/grpc -DMUSTER_TESTS=OFF -DMUSTER_WERROR="$WERROR" -DMUSTER_REVISION="$REVISION"
ninja -C "$folder" -j "${JOBS:-$(nproc)}" --quiet musterd muster
mkdir -p /out
for program in musterd muster; do
  strip -o "/out/$program" "$folder/bin/$program"
done
ninja -C "$folder" -t deps | sed -n 's/^  *\(\/.*\)$/\1/p' | sort -u >/out/headers
ccache --show-log-stats
rm -f "$CCACHE_STATSLOG"
