# shellcheck shell=bash
# Sourced by ../dev: the verb bazel. What it runs is in tests/bazel, README.md there.

help_bazel() {
  cat <<'TEXT'
build and test with Bazel, offline, against the libraries of a Debian; format and lint its files

  ./dev bazel                     lint, then build everything and run the unit tests
  ./dev bazel lint                buildifier's format and warnings, and whether BUILD.bazel and CMakeLists.txt agree
  ./dev bazel fmt                 writes what CMake and the arrows say: targets, files, dependencies, who may use a
                                  folder, whole BUILD.bazel files; and the layout. Nobody edits those by hand
  ./dev bazel analyse             loads and analyses every target with Debian 12's own Bazel: unknown names, wrong
                                  arrows; ten seconds, compiles nothing
  ./dev bazel build [TARGET...]   default: //...
  ./dev bazel test [TARGET...]    default: the unit tests; all that Bazel has: ./dev bazel test //tests/...
  ./dev bazel consumer            a project that has Muster as a module: tests/bazel/consumer
  ./dev bazel OTHER...            any other command of Bazel: ./dev bazel query 'deps(//service/core)'

Debian 12's Bazel knows no modules. So the first build or test makes a folder with a newer Debian, build/bazel/debian
(debootstrap; about 2 GB and five minutes), and Bazel runs in it, as root or through sudo. Modules that stand in for
those of the Bazel Central Registry are made of that Debian's libraries. With a Bazel 8 and the internet none of this
is needed: `bazel test //tests/unit/...`. MUSTER_BAZEL_SUITE names another suite than sid.
TEXT
}

verb_bazel() {
  local command=${1:-all}
  if (($#)); then shift; fi
  case $command in
    all)
      verb_bazel lint
      verb_bazel build
      verb_bazel test
      ;;
    lint)
      verb_deps bazel
      step "Bazel files" tests/bazel/lint
      ;;
    fmt)
      verb_deps bazel
      step "format" tests/bazel/lint --fix
      ;;
    analyse)
      verb_deps bazel
      step "analysis (Bazel)" tests/bazel/analyse.py || exit 1
      ;;
    build)
      names_targets "$@" || set -- "$@" //...
      step "build (Bazel)" bazel_offline build "$@" || exit 1
      ;;
    test)
      names_targets "$@" || set -- "$@" --test_tag_filters=unit //tests/...
      step "tests (Bazel)" bazel_offline test "$@" || exit 1
      ;;
    consumer) step "consumer (Bazel)" bazel_offline --project tests/bazel/consumer build //... || exit 1 ;;
    *) bazel_offline "$command" "$@" ;;
  esac
}

names_targets() { # ARGUMENT...: whether one of them is a target and not an option
  local argument
  for argument in "$@"; do
    if [[ $argument != -* ]]; then return 0; fi
  done
  return 1
}

bazel_offline() { # COMMAND ARGUMENT...
  ensure_packages bazel
  MUSTER_JOBS=$(jobs) tests/bazel/offline "$@"
}
