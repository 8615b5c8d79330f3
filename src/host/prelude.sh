# First part of every script that runs on a host: where things are, and what several scripts do.
# POSIX sh. The scripts are constants: whatever differs between two runs arrives on stdin or stands in a file.
#
#   /var/lib/gitwall/confirmed       the record of what was last confirmed here, opaque
#   /var/lib/gitwall/lock            flock(1): held while a transaction moves or reverts
#   /var/lib/gitwall/snapshots/ID.json
#   /var/lib/gitwall/tx/ID/          one transaction; its state is the name of the one marker file in it
#
# `ls` is read by words: the names are ids, and globbing is off.
# shellcheck disable=SC2045

# A login over SSH may lack the sbin directories.
PATH=/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin
LC_ALL=C
export PATH LC_ALL
set -uf
umask 077
home=/var/lib/gitwall
step_seconds=30
upload_seconds=120
probe_seconds=60

# Ends with "$1" on stderr. Only used where it is certain what was done; any other end without an answer (a signal, a
# failed redirection) has another code, and leaves that open.
die() {
  printf '%s\n' "$1" >&2
  exit 71
}

need() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || die "\"$tool\" is not installed"
  done
}

# The one line by which a script tells its outcome. Whatever follows it on stdout is text for people.
answer() {
  printf 'gitwall-answer %s\n' "$*"
}

valid_id() {
  case $1 in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9.-]*) return 1 ;; esac
  [ "${#1}" -le 64 ]
}

boot_id() {
  cat /proc/sys/kernel/random/boot_id
}

journal() {
  printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" >>"$tx/journal"
} 2>/dev/null

# The state of the transaction in directory "$1". A marker moves forward while we look, but for
# reverting-failed, which may become reverting again: hence the second look at the end.
state_of() {
  for marker in armed reverting confirmed reverted reverting-failed aborted rebooted reverting; do
    if [ -e "$1/$marker" ]; then
      printf '%s\n' "$marker"
      return
    fi
  done
  printf 'prepared\n'
}

# The same, but `rebooted` for what an earlier boot left pending: its timer and its effect are gone. A marker holds the id
# of its boot; one that is renamed while we look is looked up again.
state_since_boot() {
  state=$(state_of "$1")
  case $state in
    armed | reverting)
      if boot=$(cat "$1/$state" 2>/dev/null); then
        [ "$boot" = "$(boot_id)" ] || state=rebooted
      else
        state=$(state_of "$1")
      fi
      ;;
  esac
  printf '%s\n' "$state"
}

list_transactions() {
  [ -d "$home/tx" ] || return 0
  for entry in $(ls -t "$home/tx"); do
    if valid_id "$entry" && [ -d "$home/tx/$entry" ]; then
      printf '%s %s\n' "$entry" "$(state_since_boot "$home/tx/$entry")"
    fi
  done
  return 0
}

# Runs one probe: a shell of its own, so that nothing of ours is visible to it. "$@" is what sh is given.
probe() {
  timeout "$probe_seconds" sh "$@" </dev/null
}

# Digest of what the probes of the transaction in "$1" print now. Must stay equal to `fingerprintOf` in fingerprint.ts.
# It needs no disk: a full or read-only one must not stop a revert from being verified.
fingerprint() {
  while IFS= read -r name; do
    sum=$({
      probe "$1/probe-$name" 2>/dev/null
      printf '\nexit %s\n' "$?"
    } | sha256sum)
    printf '%s %s\n' "$name" "${sum%% *}"
  done <"$1/probes" | sha256sum | cut -c 1-64
}

# Runs one step. "$1": its line, `must` or `may` and then the words of argv. "$2": the file for stdin.
# Sets `code` and `complaint` (stderr). Fails unless the code is 0 and stderr empty: ovs-ofctl(8) widens a bad match,
# warns and exits 0 (invariant 8). stderr is held in a variable, since the disk may be full or read-only when we revert.
run_step() {
  input=$2
  # Words are checked by the sender and contain no blanks; globbing is off.
  # shellcheck disable=SC2086
  set -- $1
  shift
  case ${1-} in
    ipset | nft | conntrack | ovs-ofctl | ovs-vsctl) ;;
    iptables-restore | iptables-nft-restore | iptables-legacy-restore) ;;
    ip6tables-restore | ip6tables-nft-restore | ip6tables-legacy-restore) ;;
    *)
      code=126
      complaint="\"${1-}\" is not a tool that a step may run"
      return 1
      ;;
  esac
  complaint=$(timeout -k 5 "$step_seconds" "$@" <"$input" 2>&1 >/dev/null)
  code=$?
  case $code in
    124 | 137) complaint="stopped after $step_seconds s: $complaint" ;;
    *) complaint=$(printf '%s\n' "$complaint" | drop_harmless_lines) ;;
  esac
  [ "$code" -eq 0 ] && [ -z "$complaint" ]
}

# What tools say on stderr though nothing is wrong.
drop_harmless_lines() {
  while IFS= read -r line; do
    case $line in
      '') ;;
      # iptables-nft, when somebody else loaded the legacy modules: nothing of ours is in them.
      '# Warning: ip'*'tables-legacy tables present, use ip'*'tables-legacy to see them') ;;
      # iptables before 1.8.9 with -w, while it waits; giving up is another text and exit code 4.
      'Another app is currently holding the xtables lock; still '*' time ahead to have a chance to grab the lock...') ;;
      # conntrack -D says on stderr what it did; none found is exit code 1.
      'conntrack v'*' (conntrack-tools): '*' flow entries have been deleted.') ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}

# Stops the timer of transaction "$1". A timer left alone would find nothing to do: this is tidiness.
stop_timer() {
  timer=
  [ ! -e "$home/tx/$1/timer" ] || read -r timer <"$home/tx/$1/timer"
  if [ "$timer" = systemd ]; then
    systemctl stop "gitwall-revert-$1.timer" >/dev/null 2>&1
  elif sleeper_lives "$1" "$timer"; then
    kill -s TERM -- "-$timer" 2>/dev/null
  fi
  return 0
}

# Is process "$2" still the sleeper of transaction "$1"? Its number may have been given to another process since.
sleeper_lives() {
  case $2 in '' | *[!0-9]*) return 1 ;; esac
  [ -e "/proc/$2/cmdline" ] || return 1
  case $(tr '\0' ' ' <"/proc/$2/cmdline" 2>/dev/null) in
    *"gitwall-revert $home/tx/$1 "*) return 0 ;;
  esac
  return 1
}

# Makes files "$@" survive a power cut. sync(1) takes names since coreutils 8.24; else everything is synced.
persist() {
  sync "$@" 2>/dev/null || sync
}

# Removes finished transactions but the newest five. One that is pending is never touched.
sweep_transactions() {
  kept=0
  list_transactions | while read -r entry state; do
    case $state in armed | reverting | prepared) continue ;; esac
    kept=$((kept + 1))
    [ "$kept" -le 5 ] || rm -rf "${home:?}/tx/${entry:?}"
  done
}
