# SPDX-License-Identifier: GPL-2.0
# The job behind make run BACKEND=external: load, let the kernel's own threads
# stress, tell what they say, collect, unload.
#
#   @cpu svm|vmx        sent once everything is loaded
#   @torture CODE       0: the module says that it is done; 124: not in time

. /external-lib.sh

# What tdp_stress says on its way goes to the terminal; /dev/kmsg has all of the
# log, so start where this run begins. Its last word is the host's to say.
follow()
{
	cat /dev/kmsg | while read -r line; do
		case "$line" in
		*";tdp_stress run: begin"*) begun=1 ;;
		*";tdp_stress: "[-\ ]* | *";tdp_stress: not checked"* | *";tdp_stress: parameters"* | \
		*";tdp_stress: again: "* | \
		*";tdp_stress: loading "* | *";tdp_stress: module verification"*) ;;
		*";tdp_stress: "*) [ -z "$begun" ] || tell "${line#*;tdp_stress: }" ;;
		esac
	done &
}

# with STOP_EARLY, a verdict that is out will not get better; what comes along
# with it has a moment to show up
caught()
{
	[ -n "$STOP_EARLY" ] && grep -q FAILURE $dir/verdict && sleep 2
}

# until the module is done, or should long have been
wait_until_done()
{
	limit=$((DURATION + DRIVER_GRACE))
	while [ "$(state)" != "done" ] && ! caught; do
		if [ $limit = 0 ]; then
			echo w > /proc/sysrq-trigger
			echo l > /proc/sysrq-trigger
			return 124
		fi
		limit=$((limit - 1))
		sleep 1
	done
	return 0
}

collect()
{
	for f in verdict violations stats ops state not_checked; do
		send_file "stress.$f" $dir/$f
	done
	if ! grep -q SUCCESS $dir/verdict; then
		send_file stress.flight $dir/flight
		send_file stress.flight.first $dir/flight.first
	fi
}

# $free, in KiB; what KVM or tdp_stress forget to free is missing here. What each
# CPU keeps for its next allocations is as good as free, and so is what KASAN keeps
# from being used again, until its cache is shrunk.
measure_memory()
{
	sleep 1
	echo 3 > /proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do
		[ -L "${cache%/shrink}" ] || echo 1 > "$cache"
	done 2>/dev/null
	send_file "meminfo.$1" /proc/meminfo
	free=$(sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo)
	free=$((free + $(awk '$1 == "count:" { n += $2 } END { print 4 * n }' /proc/zoneinfo)))
}

mark begin
follow
if load_kvm; then
	measure_memory before
	before=$free
	prepare_trace
	if step "load tdp_stress" load tdp_stress $STRESS_PARAMS; then
		send "@cpu $cpu"
		start_trace
		wait_until_done
		send "@torture $?"
		final_audit
		collect
		send_trace
		step "unload tdp_stress" unload tdp_stress
		measure_memory after
		send "@memory $before $free"
	fi
fi
unload_all
mark end
