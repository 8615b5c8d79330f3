import { type State, UnreadableOutput } from '../backend.ts'
import { chainKey, isHook } from './chain.ts'
import { formatRule, parseRule } from './rule.ts'

/**
 * Prints, for each family: `<family> chain <name>` for every chain of ours; `<family> rule <chain> <number> <rule>` for every
 * rule in one, and for our jumps in the kernel's chains; `<family> ? <line>` for what is not the tool's format; `<family> other
 * <back end>` when the back end that is not the host's default holds chains of ours too; and `<family> end`.
 *
 * Legacy tables are only looked at when the kernel lists them: asking would create them. Chains are sorted, since their order
 * depends on when they were made. The nft back end says "incompatible" when it cannot show a table: that is not an empty one.
 */
export const probe = String.raw`gitwall_legacy_has_table() {
  grep -qs '^filter$' "/proc/net/$1_tables_names"
}
gitwall_tables() {
  command -v "$2-save" >/dev/null 2>&1 || return 0
  case $("$2" -V 2>/dev/null) in *nf_tables*) used=nft ;; *) used=legacy ;; esac
  text=
  if [ "$used" = nft ] || gitwall_legacy_has_table "$3"; then
    text=$("$2-save" -t filter) || return 1
  fi
  printf '%s\n' "$text" | awk -v family="$1" '
    /^\*filter$/ { inside = 1; next }
    /^COMMIT$/ { inside = 0; next }
    /^#.*is incompatible/ { print family " ? " $0; next }
    /^#/ || /^$/ { next }
    inside && /^:gw-/ { print family " chain " substr($1, 2); next }
    inside && /^:/ { next }
    inside && /^-A / {
      count[$2]++
      rule = substr($0, length($2) + 5)
      ours = ($2 ~ /^gw-/) || ($2 ~ /^(FORWARD|INPUT|OUTPUT)$/ && rule ~ /--comment "?gitwall(-undo)?"? /)
      if (ours) printf "%s rule %s %06d %s\n", family, $2, count[$2], rule
      next
    }
    { print family " ? " $0 }
    END { if (inside) print family " ? no COMMIT" }' | LC_ALL=C sort
  other=
  if [ "$used" = nft ] && gitwall_legacy_has_table "$3" && command -v "$2-legacy-save" >/dev/null 2>&1; then
    other=legacy
  elif [ "$used" = legacy ] && command -v "$2-nft-save" >/dev/null 2>&1; then
    other=nft
  fi
  if [ -n "$other" ] && "$2-$other-save" -t filter 2>/dev/null | grep -q '^:gw-'; then
    echo "$1 other $other"
  fi
  echo "$1 end"
}
gitwall_tables 4 iptables ip || exit 1
gitwall_tables 6 ip6tables ip6 || exit 1
`

/** Reads what `probe` prints. A rule of ours that is not in our vocabulary is kept as the tool printed it. */
export function liveChains(output: string): State {
  const lines = new Map<string, string[]>()
  const ended = new Set<string>()
  for (const line of output.split('\n').filter((text) => text !== '')) {
    const [, family = '', verb, rest = ''] = /^([46]) (chain|rule|other|end|\?) ?(.*)$/.exec(line) ?? []
    switch (verb) {
      case 'chain':
        lines.set(keyOf(family, rest), linesAt(lines, keyOf(family, rest)))
        break
      case 'rule':
        addRule(lines, family, rest)
        break
      case 'end':
        ended.add(family)
        break
      case 'other':
        throw new UnreadableOutput(
          `iptables: both back ends of IPv${family} hold chains of gitwall, and both filter: remove the "gw-" chains of ` +
            `"ip${family === '6' ? '6' : ''}tables-${rest}", which is not this host's default`,
        )
      default:
        throw new UnreadableOutput(`iptables-save: not its format: "${line.slice(0, 120)}"`)
    }
  }
  const cut = [...lines.keys()].map((key) => key.slice(0, 1)).find((family) => !ended.has(family))
  if (cut !== undefined) throw new UnreadableOutput(`iptables-save: the reply for IPv${cut} is cut off`)
  return new Map([...lines].map(([key, rules]) => [key, rules.join('\n')]))
}

function addRule(lines: Map<string, string[]>, family: string, rest: string): void {
  const [, chain = '', number = '', rule = ''] = /^(\S+) (\d+) (.*)$/.exec(rest) ?? []
  if (chain === '') throw new UnreadableOutput(`iptables-save: not a rule: "${rest.slice(0, 120)}"`)
  const key = keyOf(family, chain)
  const list = linesAt(lines, key)
  list.push(isHook(chain) ? `${Number(number)} ${canonical(rule)}` : canonical(rule))
  lines.set(key, list)
}

function canonical(rule: string): string {
  const parsed = parseRule(rule)
  return parsed === undefined ? rule : formatRule(parsed)
}

function linesAt(lines: ReadonlyMap<string, string[]>, key: string): string[] {
  return lines.get(key) ?? []
}

function keyOf(family: string, chain: string): string {
  return chainKey(family === '4' ? 4 : 6, chain)
}
