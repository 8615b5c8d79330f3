# Lists or prints snapshots. stdin: `list\n` or `read ID\n`.

IFS=' ' read -r word id || die "no order given"
directory=$home/snapshots
[ ! -e "$home" ] || [ -x "$home" ] || die "no access to $home: root is needed"
case $word in
  list)
    answer snapshots
    [ -d "$directory" ] || exit 0
    for file in $(ls -t "$directory"); do
      if valid_id "${file%.json}"; then
        printf '%s %s\n' "${file%.json}" "$(stat -c '%Y %s' "$directory/$file")"
      fi
    done
    ;;
  read)
    valid_id "$id" || die "the snapshot's id is malformed"
    if [ -e "$directory/$id.json" ]; then
      answer snapshot "$(stat -c %s "$directory/$id.json")"
      cat "$directory/$id.json"
    else
      answer unknown-id
    fi
    ;;
  *) die "unknown order" ;;
esac
