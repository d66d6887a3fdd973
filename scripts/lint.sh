# shellcheck shell=bash
# Sourced by ../dev: the verbs lint and fmt, which check format, style and the project's own rules.

help_lint() {
  cat <<'TEXT'
check format, style and the project's own rules

  ./dev lint [--all] [FILE...]

Format (clang-format), the tidy rules (tests/tidy), the protocol (buf lint, and buf breaking against the last release's
tag), shell scripts (shellcheck) and the types of the Python client (mypy --strict) are checked on all files. Two
checks are slow: clang-tidy, and that each header compiles by itself. They look at the files that differ from the branch
`main` (MUSTER_LINT_BASE names another) and, of headers, at those that include one; at the given files, or with --all
at all. A file that passed is not read again until it, a header of its own or .clang-tidy changes.
TEXT
}

help_fmt() {
  cat <<'TEXT'
format the C++ sources and the protocol in place

  ./dev fmt [FILE...]
TEXT
}

sources() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do [[ -f $f && ! -L $f ]] && echo "$f"; done; }

clang_format() {
  local tool
  tool=$(first_command clang-format-19 clang-format-18) || die "clang-format 19 or 18 is needed: ./dev deps lint"
  "$tool" "$@"
}

verb_fmt() {
  local -a files=("$@")
  ensure_packages lint
  if ((${#files[@]} == 0)); then mapfile -t files < <(sources '*.cc' '*.h' '*.proto'); fi
  if ((${#files[@]})); then step "format" clang_format -i "${files[@]}"; fi
}

lint_format() {
  local -a files
  mapfile -t files < <(sources '*.cc' '*.h' '*.proto')
  if ((${#files[@]} == 0)); then return 0; fi
  local log
  log=$(clang_format --dry-run -Werror "${files[@]}" 2>&1) && return 0
  sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: error:.*/not formatted: \1/p' <<<"$log" | sort | uniq -c >&2
  say "to format: ./dev fmt [FILE...]"
  return 1
}

lint_shell() {
  local -a files
  mapfile -t files < <(sources | while read -r f; do head -c 32 "$f" | grep -qaE '^(#!.*\b(ba)?sh\b|shellcheck shell=)' && echo "$f"; done)
  if ((${#files[@]})); then shellcheck --external-sources "${files[@]}"; fi
}

buf_program() { first_command "$ROOT/build/clients/node_modules/.bin/buf" buf; }

# The protocol reads well, and the next version breaks nothing that the last release promised.
lint_protocol() {
  local buf last
  buf=$(buf_program)
  "$buf" lint proto || return 1
  if last=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
    "$buf" breaking proto --against "$(git rev-parse --git-common-dir)#ref=$last,subdir=proto" || return 1
  fi
}

# The Python client, with the stubs that are generated for it, as its own pyproject.toml says: mypy --strict.
lint_python() {
  local python=$1 copy=build/lint/python
  mkdir -p "$copy"
  "$python" client/python/build_backend.py "$copy" &&
    (cd "$copy" && "$python" -m mypy --config-file "$ROOT/client/python/pyproject.toml" -p muster)
}

# The environment with the client's libraries that is the system's own Python's, else any.
lint_python_program() {
  local python
  for python in build/clients/python/3.11/bin/python build/clients/python/3.*/bin/python; do
    if [[ -x $python ]]; then
      printf '%s\n' "$ROOT/$python"
      return 0
    fi
  done
  return 1
}

lint_clang_tidy() { # FILE...
  local tool
  tool=$(first_command clang-tidy-19 clang-tidy-18) || die "clang-tidy 19 or 18 is needed: ./dev deps lint"
  python3 tests/tidy/clang_tidy.py --tool "$tool" --build build/dev --cache build/tidy-cache --jobs "$(jobs)" "$@"
}

lint_headers() { # ALL FILE...: each header that is among the files, or includes one, compiles by itself
  local all=$1 file
  local -a changed=()
  shift
  for file in "$@"; do
    if [[ $file == *.h ]]; then changed+=(--changed "$file"); fi
  done
  if ((!all && ${#changed[@]} == 0)); then return 0; fi
  if ((all)); then changed=(); fi
  python3 tests/tidy/headers.py --build build/dev --cache build/tidy-cache/headers --jobs "$(jobs)" \
    ${changed[@]+"${changed[@]}"}
}

# The .cc files that are compiled, of those given.
compiled() {
  local file
  for file in "$@"; do
    if grep -qF "\"file\": \"$ROOT/$file\"" build/dev/compile_commands.json; then printf '%s\n' "$file"; fi
  done
}

verb_lint() {
  local all=0 status=0 base python
  local -a files=()
  while (($#)); do
    case $1 in
      --all) all=1; shift ;;
      -*) usage_error "lint: unexpected '$1'; see ./dev lint --help" ;;
      *) files+=("${1#./}"); shift ;;
    esac
  done
  ensure_packages build lint clients
  deps_clients
  configure dev
  step "format" lint_format || status=1
  if [[ -d tests/tidy ]]; then step "tidy rules" python3 tests/tidy/tidy.py || status=1; fi
  step "shell scripts" lint_shell || status=1
  if buf_program >/dev/null; then
    step "protocol" lint_protocol || status=1
  else
    warn "buf could not be installed: the protocol is not checked"
  fi
  if python=$(lint_python_program); then
    step "Python types" lint_python "$python" || status=1
  else
    warn "mypy could not be installed: the Python client's types are not checked"
  fi
  if ((all)); then
    mapfile -t files < <(sources '*.cc' '*.h')
  elif ((${#files[@]} == 0)); then
    base=$(git merge-base HEAD "${MUSTER_LINT_BASE:-main}" 2>/dev/null || git rev-parse HEAD)
    mapfile -t files < <({ git diff --name-only --diff-filter=d "$base" -- '*.cc' '*.h'
      git ls-files --others --exclude-standard -- '*.cc' '*.h'; } | sort -u)
  fi
  if ((${#files[@]})); then
    build dev # generated headers must be there
    step "headers by themselves" lint_headers "$all" "${files[@]}" || status=1
  fi
  mapfile -t files < <(compiled ${files[@]+"${files[@]}"})
  if ((${#files[@]})); then
    step "clang-tidy (${#files[@]} files)" lint_clang_tidy "${files[@]}" || status=1
  else
    say "clang-tidy: no changed file (--all for all)"
  fi
  return "$status"
}
