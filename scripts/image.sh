# shellcheck shell=bash
# Sourced by ../dev: the verb image. deploy/image/build does the work, tests/image/smoke.py tries what came out.

help_image() {
  cat <<'TEXT'
build the image of musterd and muster, and try it

  ./dev image [--tag NAME]... [--base IMAGE] [--grpc distribution|vX.Y.Z] [--tool podman|buildah|docker] [--no-smoke]

Takes the first of podman, buildah and docker that works here. Where the registry cannot be reached the base is made
with debootstrap, as localhost/debian:bookworm-slim. Prints the image's size and what is inside; the whole list of
contents: build/image/sbom.cdx.json. Then the smoke test: read-only, without capabilities, jobs, metrics, SIGTERM,
kill -9, and nothing acknowledged lost. MUSTER_JOBS=N sets the number of compilers that run at once.

  --tag NAME      default: localhost/muster:VERSION and localhost/muster:latest
  --base IMAGE    default: debian:bookworm-slim
  --grpc WHICH    distribution (default): the packaged gRPC 1.51, which has known holes; vX.Y.Z: that release, from
                  source, for what is published (deploy/README.md)
  --no-smoke      build only; otherwise podman or docker and the client of the build (preset dev) are needed
TEXT
}

verb_image() {
  local smoke=1 tool=''
  local -a arguments=()
  while (($#)); do
    case $1 in
      --no-smoke) smoke=0; shift ;;
      --tag | --base | --grpc | --tool)
        if (($# < 2)); then usage_error "image: $1 needs a value; see ./dev image --help"; fi
        if [[ $1 == --tool ]]; then tool=$2; fi
        arguments+=("$1" "$2")
        shift 2
        ;;
      *) usage_error "image: unexpected '$1'; see ./dev image --help" ;;
    esac
  done
  # An engine of docker's that runs needs none of what the group installs.
  if [[ $tool != docker ]] && { [[ -n $tool ]] || ! timeout 10 docker info >/dev/null 2>&1; }; then
    ensure_packages image
  fi
  deploy/image/build ${arguments[@]+"${arguments[@]}"} || exit 1
  if ((smoke)); then
    build "$PRESET" muster
    step "smoke test" python3 tests/image/smoke.py --muster "build/$PRESET/bin/muster" --image "$(<build/image/name)" ||
      exit 1
  fi
}
