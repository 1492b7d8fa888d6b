# SPDX-License-Identifier: GPL-2.0
# What the jobs that are tests share, inside the guest: a wrong use has to be
# refused by one line that names it, and to leave nothing behind. Knows modules
# and hooks; must not know what is tried.
#
#   @case NAME|ok or not ok or skip|what was said

# What our modules said at error level. busybox's insmod tries two system calls,
# so a line may come twice; "invalid for parameter" is the kernel's own addition.
new_lines()
{
	dmesg -r | tail -n +$((lines_before + 1)) | grep -E '^<[0-3]>.* (tdx_stub|tdp_stress): ' |
		sed 's/^<[0-9]*>\[[^]]*\] //' | grep -v ' invalid for parameter ' | sort -u
}

hooks()
{
	cat /sys/kernel/debug/kprobes/list /sys/kernel/debug/tracing/enabled_functions 2>/dev/null
}

# no hook but those that were there when /tmp/hooks.bare was written
same_hooks()
{
	hooks > /tmp/hooks.now
	diff /tmp/hooks.bare /tmp/hooks.now
}

# refuses NAME WORDS COMMAND...: COMMAND must fail, say WORDS (an extended
# regular expression) in one line, and change no hook and no list of modules
refuses()
{
	case_name=$1 case_words=$2
	shift 2
	lines_before=$(dmesg -r | wc -l)
	hooks > /tmp/hooks.before
	cut -d' ' -f1 /proc/modules > /tmp/modules.before
	if said=$("$@" 2>&1); then
		send "@case $case_name|not ok|it was accepted: $said"
		return
	fi
	new_lines > /tmp/lines
	hooks > /tmp/hooks.after
	cut -d' ' -f1 /proc/modules > /tmp/modules.after
	said="$said $(tr '\n' ' ' < /tmp/lines)"
	if ! echo "$said" | grep -qE -- "$case_words"; then
		send "@case $case_name|not ok|wanted words '$case_words', it said: $said"
	elif [ "$(wc -l < /tmp/lines)" -gt 1 ]; then
		send "@case $case_name|not ok|more than one line: $said"
	elif ! cmp -s /tmp/hooks.before /tmp/hooks.after; then
		send "@case $case_name|not ok|hooks were left behind"
	elif ! cmp -s /tmp/modules.before /tmp/modules.after; then
		send "@case $case_name|not ok|the list of modules changed"
	else
		send "@case $case_name|ok|"
	fi
}

# expect NAME COMMAND...: COMMAND must succeed
expect()
{
	case_name=$1
	shift
	# not in a subshell: what is waited for has to be our child
	if "$@" > /tmp/said 2>&1; then
		send "@case $case_name|ok|"
	else
		send "@case $case_name|not ok|$(tr '\n' ' ' < /tmp/said)"
		return 1
	fi
}

exits_with()
{
	wanted=$1
	shift
	"$@"
	[ $? = "$wanted" ]
}

plain_insmod()
{
	insmod "/modules/$1.ko" "$2"
}

# what insmod would say on a machine that wants signed modules
with_insmod_that_says()
{
	words=$1
	shift
	insmod() { echo "insmod: can't insert: $words"; return 1; }
	"$@"
	code=$?
	unset -f insmod
	return $code
}
