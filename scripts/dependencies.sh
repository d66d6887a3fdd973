# shellcheck shell=bash
# Sourced by ../dev: what the project needs, by group, and how it is installed. Needs say, warn, die, step and quietly.
# What is needed, by group. `a|b` takes the first that the distribution has; `package?command` is needed only while
# there is no such command (for what people also install from elsewhere).

# To build everything and to run the tests that need no foreign client.
DEPS_BUILD=(
  g++ cmake ninja-build ccache mold pkg-config git ca-certificates openssl 'python3?python3'
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev libssl-dev
  libgtest-dev libgmock-dev libbenchmark-dev prometheus-cpp-dev librocksdb-dev libcurl4-openssl-dev
  'libboost1.81-dev|libboost1.83-dev|libboost-dev' libcli11-dev libyaml-cpp-dev libspdlog-dev libfmt-dev
  nlohmann-json3-dev
)
# Formatter, analyser, and the clang that builds the thread sanitizer's tests.
DEPS_LINT=(
  'clang-19|clang-18' 'clang-tidy-19|clang-tidy-18' 'clang-format-19|clang-format-18'
  'libclang-rt-19-dev|libclang-rt-18-dev' shellcheck
)
# The web server that the demo downloads from.
DEPS_DEMO=('nginx-light|nginx|nginx-core|nginx-full|nginx-extras')
# Runtimes of the clients that nobody here wrote; their libraries come from lock files, see deps_clients.
DEPS_CLIENTS=(python3-venv 'nodejs?node' 'npm?npm' 'golang-go?go' zsh fish)
# What builds and runs the image, checks the chart, and checks rules and dashboards; their tools: tests/NAME.
# shellcheck disable=SC2034  # read by their names, as the others
DEPS_IMAGE=(
  buildah podman runc catatonit debootstrap golang-github-containernetworking-plugin-dnsname podman-compose python3-yaml
  prometheus prometheus-alertmanager 'golang-go?go'
)
# shellcheck disable=SC2034
DEPS_HELM=('golang-go?go' python3-yaml openssl)
# shellcheck disable=SC2034
DEPS_MONITORING=(prometheus prometheus-alertmanager jsonnet python3-yaml 'nodejs?node' 'npm?npm')
# What checks Bazel's files, and makes the folder that `./dev bazel` builds in.
# shellcheck disable=SC2034
DEPS_BAZEL=(bazel-bootstrap pkg-config debootstrap 'nodejs?node' 'npm?npm')
DEPS_GROUPS=(build lint demo clients image helm monitoring bazel)
# What `./dev bench --peers` measures beside Muster. None of the groups, so that `all` and the gate do without.
# shellcheck disable=SC2034  # read by its name, as the others
DEPS_PEERS=(gearman-job-server libgearman-dev redis-server libhiredis-dev python3-venv)

# ---------------------------------------------------------------------------------------------------------------------
# Dependencies

# Prints the entries of a list of needs that nothing installed satisfies. One dpkg-query for all of them.
missing_of() {
  local need package installed
  local -a names=()
  for need in "$@"; do
    IFS='|' read -ra alternatives <<<"${need%%\?*}"
    names+=("${alternatives[@]}")
  done
  # It exits 1 when it does not know one of them, which is what is asked here.
  # shellcheck disable=SC2016  # dpkg-query expands these itself
  installed=" $({ dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "${names[@]}" 2>/dev/null || true; } |
    sed -n 's/^ii *//p' | tr '\n' ' ')"
  for need in "$@"; do
    if [[ $need == *\?* ]] && command -v "${need##*\?}" >/dev/null; then continue; fi
    IFS='|' read -ra alternatives <<<"${need%%\?*}"
    for package in "${alternatives[@]}"; do
      if [[ $installed == *" $package "* ]]; then continue 2; fi
    done
    printf '%s\n' "$need"
  done
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# apt_get ARGUMENT...: never asks, and waits for another apt or dpkg to finish (ten minutes at most).
apt_get() {
  local attempt status log
  log=$(mktemp)
  for attempt in {1..60}; do
    status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" \
      >"$log" 2>&1 || status=$?
    if ((status == 0)) || ! grep -qE 'Could not get lock|Unable to (acquire|lock)' "$log"; then break; fi
    if ((attempt == 1)); then say "another package manager is at work: waiting for it"; fi
    sleep 10
  done
  if ((status)); then cat "$log" >&2; fi
  rm -f "$log"
  return "$status"
}

# Chooses among the alternatives of each need what this distribution has.
choose_packages() {
  local need package
  for need in "$@"; do
    IFS='|' read -ra alternatives <<<"${need%%\?*}"
    for package in "${alternatives[@]}"; do
      if apt-cache show "$package" >/dev/null 2>&1; then
        if [[ $package != "${alternatives[0]}" ]]; then
          warn "this distribution has no ${alternatives[0]}; taking $package"
        fi
        printf '%s\n' "$package"
        continue 2
      fi
    done
    die "this distribution has no package for '${need%%\?*}'; Debian 12 is what the project is built on"
  done
}

# service_off NAME: stops what its package has just started. Demo and benchmarks start their own; the machine did not
# ask for a server on a well-known port.
service_off() {
  if [[ -d /run/systemd/system ]]; then
    as_root systemctl --quiet disable --now "$1" || true
  elif [[ -x /etc/init.d/$1 ]]; then
    as_root "/etc/init.d/$1" stop >/dev/null 2>&1 || true
    as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
  fi
}

# ensure_packages GROUP...: installs what the groups need and this machine lacks.
ensure_packages() {
  local group lacking
  local -a needs=() missing packages
  for group in "$@"; do
    local -n list="DEPS_${group^^}"
    needs+=("${list[@]}")
  done
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    [[ -n ${MUSTER_SKIP_DEPS:-} ]] && return 0
    die "no apt-get here. The project is built on Debian 12; on another system install the equivalents of" \
      "${needs[*]} and set MUSTER_SKIP_DEPS=1"
  fi
  lacking=$(missing_of "${needs[@]}") || die "could not ask dpkg-query what is installed"
  if [[ -z $lacking ]]; then return 0; fi
  mapfile -t missing <<<"$lacking"
  if [[ -n ${MUSTER_SKIP_DEPS:-} ]]; then
    warn "not installed, and MUSTER_SKIP_DEPS is set: ${missing[*]%%\?*}"
    return 0
  fi
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    die "packages are missing, and this is neither root nor a machine with sudo; as root, run: ./dev deps $*"
  fi
  step "package lists" apt_get update || die "apt-get update failed, see above"
  local chosen
  chosen=$(choose_packages "${missing[@]}") || exit 1
  mapfile -t packages <<<"$chosen"
  say "installing ${#packages[@]} packages: ${packages[*]}"
  step "packages" apt_get install --no-install-recommends "${packages[@]}" || die "apt-get install failed, see above"
  if [[ " ${packages[*]} " == *' nginx'* ]]; then service_off nginx; fi
  if [[ " ${packages[*]} " == *' prometheus '* ]]; then service_off prometheus; fi
  if [[ " ${packages[*]} " == *' prometheus-alertmanager '* ]]; then service_off prometheus-alertmanager; fi
  if [[ " ${packages[*]} " == *' gearman-job-server '* ]]; then service_off gearman-job-server; fi
  if [[ " ${packages[*]} " == *' redis-server '* ]]; then service_off redis-server; fi
  hash -r
}

# The libraries and tools of foreign clients, below build/clients and nowhere else:
#   venv/          Python, from tests/clients/requirements.txt
#   python/3.N/    for the Python client's own tests, from tests/python/requirements.txt, for each Python that is there
#   node_modules/  JavaScript, from tests/clients/package-lock.json
#   bin/           Go programs, from the lines "module@version" of tests/clients/go-tools.txt
# A file that is absent is no need. What cannot be fetched is a warning: the suite that misses it skips and says so.
deps_clients() {
  local from=$ROOT/tests/clients to=$ROOT/build/clients
  mkdir -p "$to"
  if [[ -f $from/requirements.txt ]]; then
    unless_stamped "$to/venv.stamp" "$from/requirements.txt" -- step "Python client libraries" clients_python ||
      warn "no Python client libraries: their tests will skip"
  fi
  clients_python_packages
  if [[ -f $from/package-lock.json ]]; then
    unless_stamped "$to/node.stamp" "$from/package.json" "$from/package-lock.json" -- \
      step "JavaScript client libraries" clients_node || warn "no JavaScript client libraries: their tests will skip"
  fi
  if [[ -f $from/go-tools.txt ]]; then
    unless_stamped "$to/go.stamp" "$from/go-tools.txt" -- step "Go client tools" clients_go ||
      warn "no Go client tools: their tests will skip"
  fi
}

clients_python() { make_venv build/clients/venv tests/clients/requirements.txt; }

# For the system's Python, and for the others from 3.9 to 3.13 that this machine has.
clients_python_packages() {
  local requirements=tests/python/requirements.txt to=build/clients/python minor python
  [[ -f $requirements ]] || return 0
  mkdir -p "$to"
  for minor in 9 10 11 12 13; do
    python=$(find_python "$minor") || continue
    unless_stamped "$to/3.$minor.stamp" "$requirements" -- \
      step "libraries for the client of Python 3.$minor" make_venv "$to/3.$minor" "$requirements" "$python" ||
      warn "no libraries for Python 3.$minor: the Python client is not tested with it"
  done
}

find_python() { # MINOR: an interpreter of that version that runs and can make environments
  local python
  for python in /usr/bin/python3 "/usr/bin/python3.$1" "/usr/local/bin/python3.$1" \
    "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$1".*/bin/python; do
    if [[ -x $python ]] && "$python" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, $1))" 2>/dev/null; then
      printf '%s\n' "$python"
      return 0
    fi
  done
  return 1
}

make_venv() { # FOLDER REQUIREMENTS [PYTHON]
  local python=${3:-/usr/bin/python3} # the one that python3-venv belongs to
  [[ -x $python ]] || python=python3
  rm -rf "$1"
  quietly "$python" -m venv "$1" &&
    quietly "$1/bin/pip" install --disable-pip-version-check --quiet --retries 1 -r "$2"
}

clients_node() {
  cp tests/clients/package.json tests/clients/package-lock.json build/clients/ &&
    quietly npm ci --prefix build/clients --no-audit --no-fund --fetch-retries=1
}

clients_go() {
  local tool
  while read -r tool; do
    [[ -z $tool || $tool == \#* ]] && continue
    GOBIN=$ROOT/build/clients/bin quietly go install "$tool" || return 1
  done <tests/clients/go-tools.txt
}

# What tests/image, tests/helm and tests/monitoring name in files of their own goes to build/image-tools, build/helm and
# build/monitoring.
deps_image() {
  local install=$ROOT/tests/image/install_tools
  if [[ -x $install ]]; then step "image tools" "$install" || warn "not all image tools: their tests will skip"; fi
}

deps_helm() {
  local install=$ROOT/tests/helm/install_tools
  if [[ -x $install ]]; then step "helm tools" "$install" || warn "not all helm tools: their tests will skip"; fi
}

deps_monitoring() {
  local install=$ROOT/tests/monitoring/install_tools
  if [[ -x $install ]]; then step "monitoring tools" "$install" || warn "not all of them: their tests will skip"; fi
}

# buildifier, in build/bazel.
deps_bazel() {
  local from=tests/bazel to=build/bazel
  mkdir -p "$to"
  unless_stamped "$to/node.stamp" "$from/package-lock.json" -- step "buildifier" bazel_node ||
    warn "no buildifier: the format of Bazel's files is not checked"
}

bazel_node() {
  cp tests/bazel/package.json tests/bazel/package-lock.json build/bazel/ &&
    quietly npm ci --prefix build/bazel --no-audit --no-fund --fetch-retries=1
}

# What `./dev bench --peers` runs beside Muster, below build/bench/peers: venv/ with Celery, Dask and uvloop, and what
# tests/bench/peers/build_runtimes makes, if it is there. What cannot be had is a warning: its rows are left out.
deps_peers() {
  local from=tests/bench/peers to=build/bench/peers
  mkdir -p "$to"
  unless_stamped "$to/venv.stamp" "$from/requirements.txt" -- \
    step "Python peers" make_venv "$to/venv" "$from/requirements.txt" || warn "no Python peers: their rows are left out"
  if [[ -x $from/build_runtimes ]]; then
    step "peers' runtimes" "$from/build_runtimes" || warn "not all runtimes of peers: their rows are left out"
  fi
}

# unless_stamped STAMP FILE... -- COMMAND...: runs the command unless it has succeeded for exactly these contents.
unless_stamped() {
  local stamp=$1 sum
  shift
  local -a files=()
  while [[ $1 != -- ]]; do
    files+=("$1")
    shift
  done
  shift
  sum=$(cat "${files[@]}" | sha256sum)
  if [[ -f $stamp && $(<"$stamp") == "$sum" ]]; then return 0; fi
  "$@" || return 1
  printf '%s\n' "$sum" >"$stamp"
}

help_deps() {
  cat <<'TEXT'
install what is missing (apt-get; other verbs do this for themselves)

  ./dev deps [GROUP...]     groups: build lint demo clients image helm monitoring bazel, or all (these), or peers;
                            default: build
  ./dev deps --check        install nothing; list what is missing of all groups, exit 1 if anything is

build    compilers and libraries, enough to build and to run most tests
lint     clang 19 (or 18): formatter, analyser, thread sanitizer; shellcheck
demo     nginx, the web server that the demo downloads from
clients  Python, Node and Go with the gRPC clients that the suite `clients` calls the service through;
         their libraries go to build/clients, pinned by the files in tests/clients
image    buildah, podman and debootstrap, which `./dev image` and the suite `image` build and run the image with, and
         Prometheus, Alertmanager and podman-compose for the Compose file; pinned in tests/image
helm     Go, and with it helm and what checks the chart (suite `helm`), in build/helm, pinned in tests/helm
monitoring  Prometheus, Alertmanager, jsonnet and what checks the dashboards (suite `monitoring`), in build/monitoring,
         pinned in tests/monitoring
bazel    buildifier and Debian's Bazel (suite `bazel`), and debootstrap, with which `./dev bazel` makes its folder
peers    gearmand, Redis, Celery and others that `./dev bench --peers` measures beside Muster

Uses sudo when it is not run as root. Runs `apt-get update` only when a package is missing.
MUSTER_SKIP_DEPS=1 installs no packages (for systems that have the equivalents already).
TEXT
}

verb_deps() {
  local group missing pid status=0
  local -a groups=("$@") pids=()
  if [[ ${1:-} == --check ]]; then
    missing=$(missing_of "${DEPS_BUILD[@]}" "${DEPS_LINT[@]}" "${DEPS_DEMO[@]}" "${DEPS_CLIENTS[@]}" \
      "${DEPS_IMAGE[@]}" "${DEPS_HELM[@]}" "${DEPS_MONITORING[@]}" "${DEPS_BAZEL[@]}")
    if [[ -n $missing ]]; then
      printf '%s\n' "$missing"
      return 1
    fi
    return 0
  fi
  if (($# == 0)); then groups=(build); fi
  if [[ ${groups[*]} == all ]]; then groups=("${DEPS_GROUPS[@]}"); fi
  for group in "${groups[@]}"; do
    if [[ " ${DEPS_GROUPS[*]} peers " != *" $group "* ]]; then
      usage_error "no group '$group'; there are: ${DEPS_GROUPS[*]} all peers"
    fi
  done
  ensure_packages "${groups[@]}"
  # At once: each waits for registries of its own, and what compiles has the cores meanwhile.
  for group in clients image helm monitoring bazel; do
    if [[ " ${groups[*]} " == *" $group "* ]]; then
      "deps_$group" &
      pids+=("$!")
    fi
  done
  for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" || status=1; done
  if ((status)); then return "$status"; fi
  if [[ " ${groups[*]} " == *' peers '* ]]; then deps_peers; fi
}
