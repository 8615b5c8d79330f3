# Confirms a transaction, over a connection of its own. stdin: `gitwall-confirm-1 ID BYTES SHA256\n`, then the record.
# Exactly one of confirm and revert renames the marker; the answer says which. Saying it twice does no harm.

need flock sha256sum timeout
trap '' HUP

main() {
  IFS=' ' read -r word id bytes digest || die "the upload has no first line"
  [ "$word" = gitwall-confirm-1 ] || die "the upload begins with another word"
  valid_id "$id" || die "the transaction's id is malformed"
  tx=$home/tx/$id
  if ! [ -d "$tx" ]; then
    answer unknown-id
    exit 0
  fi
  exec 9>"$home/lock"
  # Not to be had while steps or a revert are running.
  flock -w 20 9 || tell_loss
  if [ -e "$tx/armed" ]; then
    [ -e "$tx/moved" ] || tell_loss
    receive
    mv "$tx/armed" "$tx/confirmed" 2>/dev/null || tell_loss
    journal confirmed
  fi
  [ -e "$tx/confirmed" ] || tell_loss
  finish
  answer confirmed
}

# Not confirmed, and why. A revert that has the marker may be waiting for our lock: let go, and wait until it is done.
tell_loss() {
  exec 9>&-
  waited=0
  while [ "$(state_of "$tx")" = reverting ] && [ "$waited" -lt 30 ]; do
    sleep 1
    waited=$((waited + 1))
  done
  state=$(state_of "$tx")
  case $state in
    confirmed) answer confirmed ;;
    reverted | aborted | rebooted) answer reverted ;;
    *) answer "$state" ;;
  esac
  exit 0
}

receive() {
  timeout "$upload_seconds" cat >"$tx/record" || die "the record did not end, or cannot be written to $tx; not confirmed"
  sum=$(sha256sum <"$tx/record")
  if [ "$(($(wc -c <"$tx/record")))" != "$bytes" ] || [ "${sum%% *}" != "$digest" ]; then
    rm -f "$tx/record"
    die "the record arrived incomplete; not confirmed"
  fi
  persist "$tx/record"
}

# Each part is done once, whatever interrupted an earlier call.
finish() {
  if [ -e "$tx/record" ]; then
    mv -f "$tx/record" "$home/confirmed" || die "confirmed, but the record could not be written to $home"
  fi
  if [ -e "$tx/snapshot" ]; then
    mv -f "$tx/snapshot" "$home/snapshots/$id.json" || die "confirmed, but the snapshot could not be kept"
  fi
  persist "$tx" "$home" "$home/snapshots"
  stop_timer "$id"
  prune_snapshots
  sweep_transactions
}

prune_snapshots() {
  kept=0
  for file in $(ls -t "$home/snapshots"); do
    valid_id "${file%.json}" || continue
    kept=$((kept + 1))
    [ "$kept" -le 10 ] || rm -f "$home/snapshots/$file"
  done
}

main
