#!/usr/bin/env bash
# One run of reconcile inside a workflow. Inputs arrive as environment variables, never as text of this script.
set -uo pipefail

private=$(mktemp -d)
agent_pid=''
end() {
  [ -n "$agent_pid" ] && kill "$agent_pid"
  rm -rf "$private"
}
trap end EXIT

case "$GITWALL_COMMAND" in
  validate | plan | apply | drift) ;;
  *)
    echo "::error::command must be validate, plan, apply or drift"
    exit 1
    ;;
esac

arguments=("$GITWALL_COMMAND")
case "$GITWALL_COMMAND" in apply) arguments+=(--yes) ;; esac
if [ -n "$GITWALL_KNOWN_HOSTS" ] && [ "$GITWALL_COMMAND" != validate ]; then
  printf '%s\n' "$GITWALL_KNOWN_HOSTS" >"$private/known_hosts"
  arguments+=(--known-hosts "$private/known_hosts")
fi
if [ -n "$GITWALL_KEY" ]; then
  eval "$(ssh-agent -s)" >/dev/null
  agent_pid=$SSH_AGENT_PID
  printf '%s\n' "$GITWALL_KEY" | ssh-add -q -
fi
while IFS= read -r argument; do
  [ -n "$argument" ] && arguments+=("$argument")
done <<<"$GITWALL_ARGS"

report="${RUNNER_TEMP:-$private}/gitwall-report.txt"
node "$GITWALL_HOME/dist/cli/main.js" "${arguments[@]}" --no-color --output "$report"
code=$?
cat "$report" 2>/dev/null

{
  echo "exit-code=$code"
  echo "report=$report"
} >>"$GITHUB_OUTPUT"
{
  echo "### gitwall $GITWALL_COMMAND: exit code $code"
  echo '<pre>'
  # A step summary may hold 1 MiB; text of hosts must not become markup.
  head -c 200000 "$report" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
  echo '</pre>'
} >>"$GITHUB_STEP_SUMMARY"

# A plan with differences is a success of the job; every other non-zero code fails it.
if [ "$GITWALL_COMMAND" = plan ] && [ "$code" = 2 ]; then exit 0; fi
exit "$code"
