# SPDX-License-Identifier: GPL-2.0
# The job behind make bench: map/unmap cycles without tdp_stress, with it, and with
# KVM's tracepoints as well; what the modules' memory grows by when a TD grows.
#
#   @bench ORACLES VCPUS CODE     driver.json of it is file bench.ORACLES.VCPUS
#   @memory MIB STUB STRESS       most bytes seen with a TD of MIB

bench()
{
	rm -f /tmp/driver.json
	with_limit $((DURATION + DRIVER_GRACE)) /tdp-stress --seed "$SEED" --interval 0 \
		--duration "$DURATION" --ops bench --vcpus "$2" --mem 16M \
		--json /tmp/driver.json > /tmp/driver.log 2>&1
	bench_code=$?
	send_file "bench.$1.$2" /tmp/driver.json
	send_file "bench.$1.$2.log" /tmp/driver.log
	send "@bench $1 $2 $bench_code"
}

# KVM's tracepoints of the MMU, as a user of trace-cmd has them
tracing()
{
	[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
	echo "$1" > /sys/kernel/tracing/events/kvmmmu/enable
}

bytes_of()
{
	sed -n 's/^mem\.bytes //p' "/sys/kernel/debug/$1/stats"
}

memory()
{
	/tdp-stress --seed "$SEED" --interval 0 --duration "$DURATION" --ops run=10,prefault=5 \
		--mem "$1M" > /tmp/driver.log 2>&1 &
	memory_driver=$!
	stub_most=0 stress_most=0
	while kill -0 $memory_driver 2>/dev/null; do
		now=$(bytes_of tdx_stub)
		[ "${now:-0}" -gt $stub_most ] && stub_most=$now
		now=$(bytes_of tdp_stress)
		[ "${now:-0}" -gt $stress_most ] && stress_most=$now
		sleep 0.5
	done
	wait $memory_driver
	send "@memory $1 $stub_most $stress_most $?"
}

mark begin
if step "load kvm's dependencies" load_deps kvm &&
   step "load tdx_stub" load tdx_stub seed=$SEED $STUB_PARAMS &&
   step "load kvm" load kvm &&
   step "load kvm-intel" load kvm-intel tdx=1 nested=0; then
	for vcpus in 1 2; do
		bench off $vcpus
	done
	if step "load tdp_stress" load tdp_stress $STRESS_PARAMS; then
		for vcpus in 1 2; do
			bench on $vcpus
		done
		if step "enable kvmmmu's tracepoints" tracing 1; then
			for vcpus in 1 2; do
				bench traced $vcpus
			done
			tracing 0
		fi
		for mib in $MEMORY_MIB; do
			memory $mib
		done
	fi
	send_file stress.verdict /sys/kernel/debug/tdp_stress/verdict
fi
unload_all
mark end
