# SPDX-License-Identifier: GPL-2.0
# The job behind make kunit WHERE=qemu: load KVM, KUnit and the suites, which run
# while they are loaded. Results are lines of the kernel's log, which the host reads.
#
#   @suites CODE        insmod's exit code; 124: not in time

# KUnit's lines as they come; /dev/kmsg has all of the log
follow()
{
	cat /dev/kmsg | while read -r line; do
		case "$line" in
		*";tdp_stress run: begin"*) begun=1 ;;
		*";"*"ok "[0-9]*) [ -z "$begun" ] || tell "${line#*;}" ;;
		esac
	done &
	follower=$!
}

mark begin
follow
if load_kvm && step "load kunit" load kunit $KUNIT_PARAMS; then
	with_limit "$DURATION" insmod /modules/tdp_stress_kunit.ko
	send "@suites $?"
	step "unload tdp_stress_kunit" unload tdp_stress_kunit
	step "unload kunit" unload kunit
fi
unload_all
mark end
