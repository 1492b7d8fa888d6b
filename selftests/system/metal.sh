# SPDX-License-Identifier: GPL-2.0
# Job: what make metal does on a machine with TDX, on one that an emulated TDX module has
# made look like it, in a step of its own. metal/*.sh know nothing of that, and of what
# the emulated module could tell them nothing is to be seen.
. /cases.sh

debug=/sys/kernel/debug/tdp_stress
export OUT DRIVER=/tdp-stress MODULE=/modules/tdp_stress.ko SEED DURATION DRIVER_ARGS

check()
{
	sh /metal/check.sh > /tmp/check.log
	code=$?
	cat /tmp/check.log
	return $code
}

# says NAME CODE WORDS COMMAND...: COMMAND ends with CODE, and one of its lines has WORDS
says()
{
	says_name=$1 says_code=$2 says_words=$3
	shift 3
	"$@" > /tmp/said 2>&1
	code=$?
	if [ $code = "$says_code" ] && grep -qE -- "$says_words" /tmp/said; then
		send "@case $says_name|ok|"
	else
		send "@case $says_name|not ok|exit code $code: $(tr '\n' ' ' < /tmp/said)"
	fi
}

job()
{
	mkdir -p "$OUT"
	sh /metal/job.sh
}

problem()
{
	job
	code=$?
	cat "$OUT/problem"
	return $code
}

# --- step 1: the machine ---

machine_without_tdx()
{
	says "no kvm_intel: it is named" 3 "not ok .* kvm_intel is not loaded: modprobe kvm_intel tdx=1" check
	OUT=/tmp/nokvm says "no KVM: the module says why" 3 "kvm is not loaded" problem
	step "load kvm" load kvm
	step "load tdx_stub" load tdx_stub $STUB_PARAMS
	step "load kvm-intel without TDX" load kvm-intel tdx=0 nested=0
	says "kvm_intel with tdx=0: it is named" 3 "not ok .* it runs with tdx=N.*modprobe -r kvm_intel" check
	says "kvm_intel with tdx=0: KVM offers no TDs" 3 "not ok .*KVM offers TDX VMs" check
	step "unload kvm-intel" rmmod kvm_intel
}

machine_with_tdx()
{
	step "load kvm-intel" load kvm-intel tdx=1 nested=0
	hide
}

hide()
{
	mount -t tmpfs hidden /sys/kernel/debug/tdx_stub
}

show()
{
	umount /sys/kernel/debug/tdx_stub
}

# --- step 2: what make metal does ---

wait_for()
{
	for i in $(seq 400); do
		"$@" && return 0
		sleep 0.3
	done
	return 1
}

begin_other()
{
	/tdp-stress --payload --no-modules --duration 600 --interval 0 --vcpus 1 --workers 0 \
		--ops run=1 > /tmp/other.log 2>&1 &
	other=$!
	wait_for grep -q "seed" /tmp/other.log
	sleep 2
}

end_other()
{
	kill $other
	wait $other && return
	cat /tmp/other.log
	return 1
}

next_to_another()
{
	begin_other
	says "another TD: it is named" 3 "not ok .* there are VMs of process $other, .*OTHERS_OK=1" check
	says "another TD: OTHERS_OK=1" 0 "ok .* OTHERS_OK=1 .there are VMs of process $other" env OTHERS_OK=1 sh /metal/check.sh
	OUT=/tmp/next DURATION=3 expect "next to another TD: a run" job
	expect "next to another TD: it finds nothing wrong" grep -x SUCCESS /tmp/next/stress.verdict
	expect "next to another TD: the driver is content" grep -qx 0 /tmp/next/driver.code
	expect "the other TD lives on" kill -0 $other
	expect "the other TD ends as if nothing had been" end_other
}

already_loaded()
{
	step "load tdp_stress" load tdp_stress
	says "tdp_stress is loaded: it is named" 3 "not ok .* tdp_stress is not loaded: .*rmmod" check
	OUT=/tmp/loaded says "tdp_stress is loaded: no run" 3 "tdp_stress is loaded already" problem
	expect "and it stays loaded" loaded tdp_stress
	step "unload tdp_stress" unload tdp_stress
}

working()
{
	grep -q "^\[" /tmp/int/driver.log 2>/dev/null
}

begun()
{
	[ -d /sys/module/tdp_stress ]
}

started()
{
	[ -e /tmp/int/driver.log ]
}

# interrupted SIGNAL WHEN: a signal in the middle of a run
interrupted()
{
	rm -rf /tmp/int
	mkdir -p /tmp/int
	OUT=/tmp/int DURATION=600 sh /metal/job.sh &
	job=$!
	wait_for "$2"
	kill -"$1" $job
	wait $job
	[ $? = 130 ] && ! loaded tdp_stress && ! pidof tdp-stress
}

# a kernel log in which the beginning has been overwritten meanwhile
log_gone_round()
{
	mkdir -p /tmp/round
	OUT=/tmp/round DURATION=600 sh /metal/job.sh &
	job=$!
	wait_for begun
	# more than log_buf_len=, and none of it for the console
	echo on > /proc/sys/kernel/printk_devkmsg
	for i in $(seq 12000); do
		printf '<7>%0900d\n' "$i"
	done > /dev/kmsg
	kill $job
	wait $job
	head -n 1 /tmp/round/dmesg | grep "tdp_stress run: begin lost" && grep -c 0000 /tmp/round/dmesg
}

# a driver that expects another script of its guests
not_its_script()
{
	OUT=/tmp/astray DURATION=10 DRIVER=/astray
	job
	DRIVER=/tdp-stress
	grep -qx 1 /tmp/astray/driver.code && grep "FAILURE: .*the guest left its script" /tmp/astray/driver.log
}

mark begin
hooks > /tmp/hooks.bare
load_deps kvm
machine_without_tdx
machine_with_tdx
hooks > /tmp/hooks.bare
says "nothing is missing" 0 "^1\.\.12" check
OUT=/tmp/metal
expect "a run comes to its end" job
for file in /tmp/metal/*; do
	send_file "metal.${file##*/}" "$file"
done
expect "and leaves no module" exits_with 1 loaded tdp_stress
expect "and no hook" same_hooks
if [ -n "$WRONG_USES" ]; then
	expect "a guest that leaves its script is a failure" not_its_script
	expect "a log that has gone round is kept, and says so" log_gone_round
	already_loaded
	expect "SIGTERM in the middle leaves nothing" interrupted TERM working
	expect "and no hook" same_hooks
	expect "SIGHUP while the module is loaded leaves nothing" interrupted HUP begun
	expect "and no hook" same_hooks
	expect "SIGTERM when the driver starts leaves nothing" interrupted TERM started
	OUT=/tmp/bad STRESS_ARGS=oracles=Q9 says "a wrong parameter" 3 "Invalid (argument|parameters): tdp_stress: oracles" problem
	MODULE=/modules/other.ko OUT=/tmp/other says "a module for another kernel" 3 "nvalid module format|Exec format" problem
	next_to_another
fi
show
send_file stub.stats /sys/kernel/debug/tdx_stub/stats
unload_all
mark end
