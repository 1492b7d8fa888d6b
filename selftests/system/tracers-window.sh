# SPDX-License-Identifier: GPL-2.0
# tracers-window.sh [WHEN]: what the run itself has counted, kept as /tmp/said/counts.WHEN.
# Without WHEN: begin, $WINDOW seconds to be traced, and end.
count()
{
	# of what is loaded
	for module in tdp_stress tdx_stub; do
		[ ! -f /sys/kernel/debug/$module/stats ] || cat /sys/kernel/debug/$module/stats
	done > "/tmp/said/counts.$1"
}

if [ -n "$1" ]; then
	count "$1"
else
	count begin
	sleep "$WINDOW"
	count end
fi
