# SPDX-License-Identifier: GPL-2.0
# The job behind make run: load, stress, collect, unload.

collect()
{
	for f in stats state; do
		send_file "stub.$f" /sys/kernel/debug/tdx_stub/$f
	done
	for f in verdict violations stats; do
		send_file "stress.$f" /sys/kernel/debug/tdp_stress/$f
	done
	send_file driver.json /tmp/driver.json
	send_file driver.log /tmp/driver.log
}

# with STOP_EARLY, a verdict that is out will not get better; what comes along
# with it has a moment to show up
watch_verdict()
{
	[ -n "$STOP_EARLY" ] || return
	( until grep -q FAILURE /sys/kernel/debug/tdp_stress/verdict; do sleep 1; done
	  sleep 2; killall tdp-stress ) 2>/dev/null &
	watcher=$!
}

# before the stub makes the CPU look as if it had VMX
vmx=$(grep -qw vmx /proc/cpuinfo && echo real || echo none)
mark begin
prepare_trace
if load_all; then
	send "@vmx $vmx"
	start_trace
	watch_verdict
	drive --seed "$SEED" --duration "$DURATION" --json /tmp/driver.json $DRIVER_ARGS
	[ -n "$watcher" ] && kill $watcher 2>/dev/null
	send "@driver $drive_code"
	final_audit
	collect
	send_trace
	if ! grep -q SUCCESS /sys/kernel/debug/tdp_stress/verdict; then
		send_file stress.flight /sys/kernel/debug/tdp_stress/flight
		send_file stress.flight.first /sys/kernel/debug/tdp_stress/flight.first
	fi
fi
unload_all
mark end
