#!/bin/sh
# grpc.sh distribution|TAG: gRPC, protobuf and Abseil for the build, in a stage of its own so that it is made once.
# A TAG of the gRPC project (v1.76.0) is built from source, with the protobuf and the Abseil it was released with, as
# static libraries in /opt/grpc. That needs the internet, and about an hour on two cores.
set -eu
here=$(dirname "$0")
which=$1
mkdir -p /opt/grpc

if [ "$which" = distribution ]; then
  "$here/apt_install.sh" libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev
  exit 0
fi
case $which in
  v[0-9]*.[0-9]*.[0-9]*) ;;
  *)
    echo "GRPC is '$which': it must be 'distribution' or a tag of the gRPC project, such as v1.76.0" >&2
    exit 2
    ;;
esac

"$here/apt_install.sh" git zlib1g-dev
git clone --quiet --depth 1 --branch "$which" --recurse-submodules --shallow-submodules \
  https://github.com/grpc/grpc /tmp/grpc
# OpenSSL and zlib stay the distribution's, which patches them; libcurl in the same process uses that OpenSSL too.
cmake -S /tmp/grpc -B /tmp/grpc-build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/opt/grpc \
  -DCMAKE_CXX_STANDARD=20 -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
  -DgRPC_INSTALL=ON -DgRPC_BUILD_TESTS=OFF -DgRPC_BUILD_CSHARP_EXT=OFF \
  -DgRPC_BUILD_GRPC_CSHARP_PLUGIN=OFF -DgRPC_BUILD_GRPC_NODE_PLUGIN=OFF \
  -DgRPC_BUILD_GRPC_OBJECTIVE_C_PLUGIN=OFF -DgRPC_BUILD_GRPC_PHP_PLUGIN=OFF \
  -DgRPC_BUILD_GRPC_PYTHON_PLUGIN=OFF -DgRPC_BUILD_GRPC_RUBY_PLUGIN=OFF \
  -DgRPC_SSL_PROVIDER=package -DgRPC_ZLIB_PROVIDER=package -DABSL_PROPAGATE_CXX_STD=ON
ninja -C /tmp/grpc-build install

# What is inside the static libraries, for the list of contents: name, version and where it is from, a line each.
{
  printf 'grpc %s pkg:github/grpc/grpc@%s\n' "$which" "$which"
  for part in abseil-cpp:abseil/abseil-cpp protobuf:protocolbuffers/protobuf re2:google/re2 cares/cares:c-ares/c-ares; do
    commit=$(git -C "/tmp/grpc/third_party/${part%%:*}" rev-parse HEAD)
    printf '%s %s pkg:github/%s@%s\n' "$(basename "${part%%:*}")" "$commit" "${part#*:}" "$commit"
  done
} >/opt/grpc/contents
rm -rf /tmp/grpc /tmp/grpc-build
