# SPDX-License-Identifier: GPL-2.0
# Job: wrong uses of the modules, inside the guest. Each has to be refused by
# one line that names it, and to leave nothing behind.
. /cases.sh

bare_machine()
{
	expect "the driver without KVM ends with 3" exits_with 3 /tdp-stress --duration 1
	refuses "loader: unknown parameter" "tdx_stub: no parameter 'bogus'" load tdx_stub bogus=1
	refuses "tdx_stub: unknown parameter" "unknown parameter bogus" \
		plain_insmod tdx_stub bogus=1
	refuses "tdx_stub: seed that is no number" "seed=abc: a number" load tdx_stub seed=abc
	refuses "tdx_stub: busy always" "busy=1: a number from 0 to 1000000, not 1, is wanted" \
		load tdx_stub busy=1
	refuses "tdx_stub: busy out of range" "busy=1000001: a number from 0" \
		load tdx_stub busy=1000001
	refuses "tdx_stub: hold_ns out of range" "hold_ns=100001: a number from 0" \
		load tdx_stub hold_ns=100001
	refuses "tdx_stub: guest_shared_pct out of range" "guest_shared_pct=101" \
		load tdx_stub guest_shared_pct=101
	refuses "tdx_stub: negative number" "guest_stay_us=-1" load tdx_stub guest_stay_us=-1
	refuses "tdx_stub: fewer vCPUs than CPUs" "max_vcpus=1" load tdx_stub max_vcpus=1
	refuses "tdx_stub: unknown plant" "plant=foo" load tdx_stub plant=foo
	refuses "tdx_stub: kernel without INTEL_TDX_HOST" "CONFIG_INTEL_TDX_HOST=y" \
		load tdx_stub_nohost
	refuses "tdp_stress: kvm is not loaded" "kvm" load tdp_stress
	refuses "loader: unsigned modules are refused" "unsigned" with_insmod_that_says \
		"Required key not available" load tdx_stub
	refuses "loader: lockdown" "lockdown" with_insmod_that_says \
		"Operation not permitted" load tdx_stub
	if insmod /modules/fake_kvm_intel.ko; then
		refuses "tdx_stub: kvm_intel is loaded already" "kvm_intel is loaded" load tdx_stub
		rmmod kvm_intel
	else
		send "@case tdx_stub: kvm_intel is loaded already|not ok|no fixture"
	fi
}

start_td()
{
	/tdp-stress --duration 600 --interval 0 --ops run=5,prefault=1,punch=1 > /tmp/driver.log 2>&1 &
	td=$!
	for i in $(seq 240); do
		grep -q '^td.live [1-9]' /sys/kernel/debug/tdx_stub/stats && break
		sleep 0.5
	done
	sleep 1
}

# the TD of start_td ends, and was not disturbed
td_ends()
{
	kill $td
	wait $td && return 0
	cat /tmp/driver.log
	return 1
}

# KVM's modules and the stub have to stay; tdp_stress may come and go
while_a_td_lives()
{
	start_td
	refuses "kvm_intel cannot be unloaded while a TD lives" "." rmmod kvm_intel
	refuses "kvm cannot be unloaded while a TD lives" "." rmmod kvm
	refuses "tdx_stub cannot be unloaded while a TD lives" "." rmmod tdx_stub
	expect "tdp_stress loads while a TD lives" load tdp_stress $STRESS_PARAMS
	expect "its hooks can be seen" sh -c '! cmp -s /tmp/hooks.bare /tmp/hooks.loaded'
	sleep 3
	expect "and finds nothing wrong" sh -c 'cd /sys/kernel/debug/tdp_stress;
		cat violations verdict; ! grep -q FAILURE verdict'
	expect "tdp_stress unloads while a TD lives" rmmod tdp_stress
	expect "leaving no hook" same_hooks
	expect "the TD ends as if nothing had been tried" td_ends
	expect "nothing is left of the TD" grep -qx 'td.live 0' /sys/kernel/debug/tdx_stub/stats
}

mark begin
bare_machine
load_deps kvm
if step "load tdx_stub" load tdx_stub $STUB_PARAMS; then
	refuses "tdx_stub twice" "exists" load tdx_stub
	refuses "tdp_stress: kvm_intel is not loaded" "kvm" load tdp_stress
	step "load kvm" load kvm
	step "load kvm-intel" load kvm-intel tdx=1 nested=0
	refuses "tdx_stub cannot be unloaded under kvm_intel" "." rmmod tdx_stub
	refuses "loader: unknown parameter of tdp_stress" "no parameter 'bogus'" \
		load tdp_stress bogus=1
	refuses "tdp_stress: audit_ms that is no number" "audit_ms" load tdp_stress audit_ms=abc
	refuses "tdp_stress: audit_ms out of range" "audit_ms" load tdp_stress audit_ms=99999999
	refuses "tdp_stress: unknown oracle" "oracles" load tdp_stress oracles=Q9
	refuses "tdp_stress: unknown plant" "plant" load tdp_stress plant=Q9
	refuses "tdp_stress: a symbol is missing" "$MISSING_SYMBOL" load tdp_stress_nosym
	hooks > /tmp/hooks.bare
	if step "load tdp_stress" load tdp_stress $STRESS_PARAMS; then
		hooks > /tmp/hooks.loaded
		step "unload tdp_stress" unload tdp_stress
		expect "tdp_stress leaves no hook" same_hooks
		while_a_td_lives
	fi
fi
unload_all
mark end
