# SPDX-License-Identifier: GPL-2.0
# The job behind make selfcheck: for every planted violation load tdp_stress,
# stress until it has a verdict, report the verdict; at last the same with
# nothing planted. What was expected is the host's business.
#
#   @plant WHO NAME|VERDICT|DRIVER CODE|SECONDS

stub_plant()
{
	echo "$1" > /sys/module/tdx_stub/parameters/plant
}

verdict()
{
	cat /sys/kernel/debug/tdp_stress/verdict 2>/dev/null
}

# a verdict that is out will not get better: no need to wait for the end
stop_when_caught()
{
	while sleep 0.3; do
		case "$(verdict)" in
		FAILURE*)
			# what comes along with it has a moment to show up
			sleep 1
			kill "$(pidof tdp-stress)" 2>/dev/null
			return
			;;
		esac
	done
}

# try WHO NAME SECONDS DRIVER_ARGS... (tdp_stress is loaded)
try()
{
	try_who=$1 try_name=$2 try_limit=$3
	shift 3
	try_start=$(cut -d. -f1 /proc/uptime)
	stop_when_caught &
	try_stopper=$!
	with_limit $((try_limit + 40)) /tdp-stress --seed "$SEED" --duration "$try_limit" \
		$DRIVER_ARGS "$@" > /tmp/driver.log 2>&1
	try_code=$?
	kill $try_stopper 2>/dev/null
	wait $try_stopper 2>/dev/null
	[ -f /sys/kernel/debug/tdp_stress/audit ] && echo 1 > /sys/kernel/debug/tdp_stress/audit
	send_file "$try_who.$try_name.violations" /sys/kernel/debug/tdp_stress/violations
	send_file "$try_who.$try_name.driver.log" /tmp/driver.log
	send "@plant $try_who $try_name|$(verdict)|$try_code|$(($(cut -d. -f1 /proc/uptime) - try_start))"
}

mark begin
if step "load kvm's dependencies" load_deps kvm &&
   step "load tdx_stub" load tdx_stub $STUB_PARAMS &&
   step "load kvm" load kvm &&
   step "load kvm-intel" load kvm-intel tdx=1 nested=0; then
	for id in $PLANTS; do
		mark "plant $id"
		step "load tdp_stress plant=$id" load tdp_stress plant=$id $STRESS_PARAMS || continue
		try oracle $id "$PLANT_SECONDS"
		step "unload tdp_stress after $id" unload tdp_stress
	done
	for name in $STUB_PLANTS; do
		mark "plant stub $name"
		step "load tdp_stress for the stub's $name" load tdp_stress $STRESS_PARAMS || continue
		stub_plant $name
		try stub $name "$PLANT_SECONDS"
		stub_plant none
		step "unload tdp_stress after the stub's $name" unload tdp_stress
	done
fi
unload_all
mark end
