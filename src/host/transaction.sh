# Begins a transaction: lock, compare-and-swap, arm the dead-man's switch, run the steps.
# stdin: `gitwall-begin-1 ID WINDOW-SECONDS FINGERPRINT MANIFEST-BYTES BYTES SHA256\n`, then BYTES bytes: the manifest (lines
# `FILE BYTES`) and the contents of those files, one after the other. `die` ends this script before
# the first step.

need flock sha256sum timeout setsid find tail head
# A lost connection must not stop us between two steps: the switch decides.
trap '' HUP

main() {
  IFS=' ' read -r word id window expected manifest_bytes bytes digest || die "the upload has no first line"
  [ "$word" = gitwall-begin-1 ] || die "the upload begins with another word"
  valid_id "$id" || die "the transaction's id is malformed"
  tx=$home/tx/$id
  mkdir -p "$home/tx" "$home/snapshots" || die "cannot write to $home"
  chmod 700 "$home" || die "cannot write to $home"

  exec 9>"$home/lock"
  flock -n 9 || refuse locked
  settle_others
  [ -e "$tx" ] && die "transaction \"$id\" exists already"
  mkdir "$tx" || die "cannot write to $home/tx"
  receive
  if [ "$(fingerprint "$tx")" != "$expected" ]; then
    rm -rf "${tx:?}"
    refuse changed
  fi
  arm
  run_steps
}

refuse() {
  answer "refused $*"
  exit 0
}

give_up() {
  stop_timer "$id"
  rm -rf "${tx:?}"
  die "$1"
}

# Under the lock nobody else is preparing: what is only prepared was abandoned.
settle_others() {
  for entry in $(ls "$home/tx"); do
    valid_id "$entry" || continue
    other=$home/tx/$entry
    case $(state_since_boot "$other") in
      prepared)
        stop_timer "$entry"
        rm -rf "${other:?}"
        ;;
      armed | reverting) refuse pending ;;
      rebooted)
        # At most one of them is there.
        for marker in armed reverting; do
          [ ! -e "$other/$marker" ] || mv -f "$other/$marker" "$other/rebooted" || refuse pending
        done
        ;;
    esac
  done
  sweep_transactions
}

receive() {
  # The lock is held meanwhile: a dead connection must not hold it for the hours that TCP takes to notice.
  timeout "$upload_seconds" cat >"$tx/upload" || give_up "the upload did not end, or cannot be written to $tx"
  [ "$(($(wc -c <"$tx/upload")))" = "$bytes" ] || give_up "the upload is incomplete"
  sum=$(sha256sum <"$tx/upload")
  [ "${sum%% *}" = "$digest" ] || give_up "the upload is damaged"
  head -c "$manifest_bytes" "$tx/upload" >"$tx/manifest" || give_up "cannot write to $tx"
  offset=$((manifest_bytes + 1))
  while IFS=' ' read -r file size; do
    case $file in '' | .* | *[!A-Za-z0-9.-]*) give_up "the manifest names a bad file" ;; esac
    tail -c "+$offset" "$tx/upload" | head -c "$size" >"$tx/$file" || give_up "cannot write to $tx"
    [ "$(($(wc -c <"$tx/$file")))" = "$size" ] || give_up "cannot write to $tx"
    offset=$((offset + size))
  done <"$tx/manifest"
  rm -f "$tx/upload"
  printf '%s\n' "$expected" >"$tx/before" || give_up "cannot write to $tx"
  find "$tx" -type f -exec sync {} + 2>/dev/null || sync
  persist "$tx" "$home/tx"
}

# First the timer, then the marker: killed in between, the timer finds nothing to do; the other way round the
# transaction would block the host with nobody to end it. The marker holds the boot's id, see `state_since_boot`.
arm() {
  start_timer || give_up "the dead-man's switch could not be started"
  boot_id >"$tx/marker" || give_up "cannot write to $tx"
  mv "$tx/marker" "$tx/armed" || give_up "cannot write to $tx"
  if ! timer_lives; then
    mv "$tx/armed" "$tx/aborted"
    stop_timer "$id"
    die "the dead-man's switch did not stay alive"
  fi
  journal "armed for $window s"
}

# sd_booted(3): the directory exists if and only if systemd is PID 1. systemd.timer(5): AccuracySec is one minute by default.
# Neither may have the lock's file open: the lock would be held until the window ends.
start_timer() {
  if [ -d /run/systemd/system ]; then
    need systemd-run
    printf 'systemd\n' >"$tx/timer"
    systemd-run --quiet --collect --unit="gitwall-revert-$id" --on-active="${window}s" \
      --timer-property=AccuracySec=1s --property=Restart=on-failure --property=RestartSec=5s \
      --property=RestartPreventExitStatus=127 --property=OOMScoreAdjust=-900 /bin/sh "$tx/revert.sh" "$id" 9>&-
  else
    # A session of its own, and none of our files open.
    # shellcheck disable=SC2016
    setsid sh -c 'sleep "$2"; exec sh "$1/revert.sh" "$3"' gitwall-revert "$tx" "$window" "$id" \
      </dev/null >/dev/null 2>&1 9>&- &
    printf '%s\n' "$!" >"$tx/timer"
  fi
}

# The sleeper becomes visible under its own name only after setsid(1) has executed it: look for up to a second.
timer_lives() {
  read -r timer <"$tx/timer"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if [ "$timer" = systemd ]; then
      systemctl is-active --quiet "gitwall-revert-$id.timer" && return 0
    else
      sleeper_lives "$id" "$timer" && return 0
    fi
    sleep 0.1
  done
  return 1
}

# A revert that begins meanwhile takes the marker first and then waits for the lock, which the running tool holds
# too: so it undoes after the last step that we ran, and we run none after it took the marker.
run_steps() {
  number=0
  while IFS= read -r words; do
    number=$((number + 1))
    [ -e "$tx/armed" ] || expire
    journal "step $number begins"
    tries=0
    until run_step "$words" "$tx/step-$number"; do
      journal "step $number failed with $code"
      case $words in
        'may '*)
          # A set may stay "in use by a kernel component" for a moment after its last rule has gone.
          tries=$((tries + 1))
          [ "$tries" -lt 5 ] || continue 2
          sleep 0.4
          ;;
        *)
          answer failed-step "$number" "$code"
          printf '%.4000s' "$complaint"
          exit 0
          ;;
      esac
    done
    journal "step $number done"
  done <"$tx/steps"
  [ -e "$tx/armed" ] || expire
  # Not `:`, whose failing redirection would end a shell without an answer.
  if touch "$tx/moved"; then
    answer moved
  else
    answer failed-step "$number" 1
    printf 'all steps ran, but %s cannot be written' "$tx"
  fi
}

expire() {
  answer failed-step "$number" 124
  printf 'the window of %s s ended before this step was done' "$window"
  exit 0
}

main
