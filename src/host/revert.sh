# Undoes a transaction. Lies beside it on the host as a file, and needs nothing but that host.
# `revert.sh ID`: the dead-man's switch; does nothing unless the transaction is armed (or its revert was interrupted).
# Without an argument, with `ID\n` on stdin: by order, also when an earlier revert failed; and answers how it ended.
# Undoing is idempotent, and what counts in the end is the fingerprint.

trap '' HUP

main() {
  ordered=no
  outcome=
  if [ $# -gt 0 ]; then
    id=$1
  else
    ordered=yes
    IFS= read -r id || die "no transaction named"
  fi
  valid_id "$id" || die "the transaction's id is malformed"
  tx=$home/tx/$id
  [ "$ordered" = no ] || exclude_late_begin
  take_marker || tell
  # Opened for reading: that works on a disk that has become read-only, too.
  exec 8<"$tx/revert.sh" 9<"$home/lock"
  # Another revert of the same transaction: wait for it and see how it ended.
  flock -w 300 8
  [ -e "$tx/reverting" ] || [ -e "$tx/armed" ] || tell
  # Steps that are still running: none begins any more, and each is stopped after its time.
  flock -w 60 9 || journal "reverting although steps are still running"
  [ "$ordered" = no ] || stop_timer "$id"
  revert
  tell
}

# A transaction that has not been heard of may yet begin: its upload can be on the way when the connection is lost.
# Its directory is made here, so that it is refused then; what was prepared by one that is gone is closed.
exclude_late_begin() {
  case $(state_of "$tx") in prepared) ;; *) return ;; esac
  mkdir -p "$home/tx" || die "cannot write to $home"
  exec 9>"$home/lock"
  flock -w 60 9 || die "steps of another transaction are running"
  if ! [ -d "$tx" ]; then
    mkdir "$tx" && touch "$tx/aborted"
    answer unknown-id
    exit 0
  fi
  [ "$(state_of "$tx")" != prepared ] || touch "$tx/aborted"
  exec 9>&-
}

take_marker() {
  if mv -f "$tx/armed" "$tx/reverting" 2>/dev/null; then
    journal "reverting"
    return 0
  fi
  if [ "$ordered" = yes ] && mv -f "$tx/reverting-failed" "$tx/reverting" 2>/dev/null; then
    journal "reverting again"
    return 0
  fi
  # Armed and yet not to be renamed: the disk is broken. Nobody can confirm then either, so the way is back.
  [ -e "$tx/reverting" ] || [ -e "$tx/armed" ]
}

revert() {
  attempts=5
  [ ! -e "$tx/attempts" ] || read -r attempts <"$tx/attempts"
  read -r before <"$tx/before"
  attempt=1
  while :; do
    undo
    if [ "$(fingerprint "$tx")" = "$before" ]; then
      outcome=reverted
      mv -f "$tx/reverting" "$tx/reverted"
      journal "reverted"
      return
    fi
    journal "attempt $attempt: the host is not what it was before"
    [ "$attempt" -lt "$attempts" ] || break
    attempt=$((attempt + 1))
    sleep 2
  done
  outcome=revert-failed
  cp "$tx/snapshot" "$home/snapshots/$id.json"
  mv -f "$tx/reverting" "$tx/reverting-failed"
}

# One that fails does not stop the others: each puts back as much as it can.
undo() {
  number=0
  while IFS= read -r words; do
    number=$((number + 1))
    tries=0
    until run_step "$words" "$tx/undo-$number"; do
      tries=$((tries + 1))
      case $words in 'may '*) break ;; esac
      journal "undo $number failed with $code: $(printf '%.400s' "$complaint" | tr '\n' ' ')"
      [ "$tries" -lt 3 ] || break
      # Somebody may hold the xtables lock.
      sleep 1
    done
  done <"$tx/undo"
}

# The switch always exits 0: systemd would start it again otherwise.
tell() {
  [ "$ordered" = yes ] || exit 0
  if [ -z "$outcome" ]; then
    case $(state_of "$tx") in
      confirmed) outcome=confirmed ;;
      armed | reverting | reverting-failed) outcome=revert-failed ;;
      *) outcome=reverted ;;
    esac
  fi
  answer "$outcome"
  exit 0
}

main "$@"
