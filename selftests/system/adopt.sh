# SPDX-License-Identifier: GPL-2.0
# Job: VMs from user space that tdp_stress adopts, see adopt.c.
. /cases.sh

# a line of TAP
report()
{
	case "$1" in
	"ok "*" # SKIP "*)
		name=${1#*- }
		send "@case adopt: ${name%% # SKIP *}|skip|${name##* # SKIP }" ;;
	"ok "*) send "@case adopt: ${1#*- }|ok|" ;;
	"not ok "*) send "@case adopt: ${1#*- }|not ok|see the lines after it in the log" ;;
	"Bail out! "*) send "@case adopt: it gets to its end|not ok|${1#Bail out! }" ;;
	*) tell "$1" ;;
	esac
}

mark begin
if load_kvm; then
	hooks > /tmp/hooks.bare
	if step "load tdp_stress" load tdp_stress backend=external vms=0; then
		with_limit 120 /adopt > /tmp/adopt.log 2>&1
		expect "adopt: it passes" test $? = 0
		while read -r line; do
			report "$line"
		done < /tmp/adopt.log
		step "unload tdp_stress" unload tdp_stress
		expect "leaving no hook" same_hooks
	fi
fi
unload_all
mark end
