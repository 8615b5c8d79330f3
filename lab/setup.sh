#!/usr/bin/env bash
# Everything `npm run demo` and `npm test` need, from a fresh Debian or Ubuntu with Node to the end of the run.
#
#   lab/setup.sh demo [ARGUMENT...]    for lab/demo.ts
#   lab/setup.sh test [ARGUMENT...]    for vitest
#
# Installs npm packages, Debian packages (only as root, only the missing ones), builds, and runs its task in a network
# namespace of its own, which goes when the task ends, with every lab the task has started. Silent about what is done already.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly labs=/run/gitwall-lab
readonly run=gw$$
readonly namespace=$run-controller
readonly node_wanted=20.19

readonly packages=(
  openvswitch-switch iptables ipset openssh-server openssh-client iproute2 ethtool conntrack ebtables nftables
  netcat-openbsd python3 git
)
readonly test_packages=(ansible-core)
# What to look for where there is no dpkg.
readonly commands=(
  ovs-vswitchd iptables ipset sshd ssh ip ethtool conntrack ebtables nft nc python3 git unshare nsenter
)

main() {
  local task=${1:-}
  case $task in
    demo | test) shift ;;
    *) die "usage: lab/setup.sh demo|test [ARGUMENT...]" ;;
  esac
  require_node
  if [ "$task" = demo ]; then
    require_ground demo
    install_npm_packages
    build
    in_controller_namespace node_modules/.bin/tsx lab/demo.ts "$@"
  elif ground_problem >/dev/null; then
    run_all_tests "$@"
  else
    run_unprivileged_tests "$@"
  fi
}

run_all_tests() {
  require_ground test
  install_npm_packages
  build
  local checks=0 tests=0
  npm run --silent check || checks=$?
  in_controller_namespace node_modules/.bin/vitest run "$@" || tests=$?
  [ $checks -eq 0 ] || say "FAILED: npm run check (types, lint, format, dead code); see above"
  [ $tests -eq 0 ] || say "FAILED: tests; see above"
  [ $checks -eq 0 ] && [ $tests -eq 0 ]
}

# A partial run is never a success: it exits 1 also when what ran has passed.
run_unprivileged_tests() {
  install_npm_packages
  build
  local passed=yes
  npm run --silent check || passed=no
  node_modules/.bin/vitest run --project unit "$@" || passed=no
  {
    echo
    echo "############################################################################################"
    echo "##  NOT RUN: every test with real tools or real hosts (projects tools and lab of vitest.config.ts)"
    echo "##  Why: $(ground_problem || true)"
    echo "##  What did run has $([ $passed = yes ] && echo passed || echo FAILED). This is not a passed test run; to have one:"
    echo "##      sudo env PATH=\"\$PATH\" npm test"
    echo "############################################################################################"
  } >&2
  return 1
}

# -- what must be there ------------------------------------------------------------------------------------------------

require_node() {
  command -v node >/dev/null || die "Node $node_wanted or newer is needed: https://nodejs.org/en/download"
  local version
  version=$(node -p process.versions.node)
  printf '%s\n%s\n' "$node_wanted" "$version" | sort -C -V || die "Node $node_wanted or newer is needed; this is $version"
}

install_npm_packages() {
  [ node_modules/.package-lock.json -nt package-lock.json ] && return
  say "installing npm packages (npm ci)"
  npm ci --include=dev --no-audit --no-fund --loglevel=error
}

# tsc writes files although it finds errors: only a build that ended well leaves the stamp.
build() {
  local stamp=dist/.built
  if [ -e $stamp ] && [ -z "$(find src tsconfig.json scripts package-lock.json -newer $stamp -print -quit)" ]; then
    return
  fi
  say "building (npm run build)"
  npm run --silent build
  touch $stamp
}

# Why real hosts cannot be had here, as one line; nothing and success when they can.
ground_problem() {
  if [ "$(uname -s)" != Linux ]; then
    echo "the lab needs Linux; this is $(uname -s)"
  elif [ "$(id -u)" -ne 0 ]; then
    echo "the lab needs root, for network namespaces"
  elif ! unshare --net --mount true 2>/dev/null; then
    echo "this container may not make namespaces: start it with --privileged"
  else
    return 0
  fi
  return 1
}

require_ground() {
  local problem wanted=("${packages[@]}") missing
  [ "$1" = demo ] || wanted+=("${test_packages[@]}")
  problem=$(ground_problem) || {
    missing=$(missing_packages "${wanted[@]}")
    say "$problem. Run:"
    [ -z "$missing" ] || say "    sudo apt-get update"
    [ -z "$missing" ] || say "    sudo apt-get install -y --no-install-recommends $missing"
    say "    sudo env PATH=\"\$PATH\" npm run $1"
    exit 1
  }
  if command -v dpkg-query >/dev/null; then
    missing=$(missing_packages "${wanted[@]}")
    # shellcheck disable=SC2086 # a list of names
    [ -z "$missing" ] || install_packages $missing
  else
    missing=$(missing_commands)
    [ -z "$missing" ] || die "not a Debian or Ubuntu: install by hand what gives these programs: $missing"
  fi
  load_bridge_filter
}

missing_commands() {
  local name
  for name in "${commands[@]}"; do command -v "$name" >/dev/null || printf '%s ' "$name"; done
}

missing_packages() {
  command -v dpkg-query >/dev/null || return 0
  local installed name
  # "|| true": it fails when one is not known at all.
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do
    grep -qx "$name installed" <<<"$installed" || printf '%s ' "$name"
  done
}

# Their services are not started: policy-rc.d(8) denies it while they are installed, and only then.
install_packages() {
  say "installing Debian packages: $*"
  apt_log=$(mktemp)
  trap 'restore_policy; rm -f "$apt_log"' EXIT
  restore_policy
  [ ! -e "$policy" ] || mv "$policy" "$policy.gitwall-saved"
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  apt-get -q -o DPkg::Lock::Timeout=120 update >"$apt_log" 2>&1 || apt_failed
  apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@" >"$apt_log" 2>&1 </dev/null || apt_failed
  restore_policy
  trap - EXIT
  rm -f "$apt_log"
}

readonly policy=/usr/sbin/policy-rc.d
readonly policy_mark='# of gitwall lab/setup.sh: remove it if no such script runs'

# Also after a run that was killed: ours is known by its mark.
restore_policy() {
  ! grep -qsxF "$policy_mark" "$policy" || rm -f "$policy"
  [ ! -e "$policy.gitwall-saved" ] || mv "$policy.gitwall-saved" "$policy"
}

apt_failed() {
  tail -n 20 "$apt_log" >&2
  die "apt-get failed; see above"
}

# The module filters the bridges of every namespace once it is loaded; those of this machine shall go on as before.
load_bridge_filter() {
  [ ! -d /proc/sys/net/bridge ] || return 0
  modprobe br_netfilter 2>/dev/null || die "the kernel has no br_netfilter: the lab's Linux bridges need it"
  local variable
  for variable in /proc/sys/net/bridge/bridge-nf-call-*; do echo 0 >"$variable"; done
  say "loaded the kernel module br_netfilter; bridges outside of the lab are not filtered by it"
}

# -- the run's own network namespace -----------------------------------------------------------------------------------

# Runs a command in it. Labs that were started from here or by a run that was killed are gone afterwards.
in_controller_namespace() {
  lab/cleanup --stale
  # shellcheck disable=SC2174 # /run is there
  mkdir -p -m 700 "$labs"
  mkdir "$labs/$run"
  trap leave EXIT
  echo "$namespace" >"$labs/$run/namespaces"
  # proc(5), stat: the start time is the 20th field after the command's name.
  echo "$$ $(sed -n 's/.*) //p' /proc/$$/stat | cut -d' ' -f20)" >"$labs/$run/owner"
  ip netns add "$namespace"
  ip -n "$namespace" link set lo up
  run_inside "$@"
}

# In the background, since a shell hears signals only while it waits; but with its stdin, and with Ctrl-C as it was.
run_inside() {
  GITWALL_LAB_RUN=$run env --default-signal=INT,QUIT nsenter --net="/run/netns/$namespace" -- "$@" <&0 &
  local child=$! status
  trap : INT
  # shellcheck disable=SC2064 # the process of now
  trap "kill -TERM $child 2>/dev/null" TERM HUP
  while :; do
    status=0
    wait "$child" || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  # A signal may have ended the last wait: ask for the command's own status.
  wait "$child" 2>/dev/null || status=$?
  return "$status"
}

leave() {
  [ ! -e "$labs/$run/keep" ] || return 0
  lab/cleanup "$run"
  lab/cleanup --stale
}

say() { echo "lab: $*" >&2; }

die() {
  say "$*"
  exit 1
}

main "$@"
