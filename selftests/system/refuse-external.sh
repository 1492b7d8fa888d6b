# SPDX-License-Identifier: GPL-2.0
# Job: wrong uses of tdp_stress's external backend and of its own VMs, inside a
# guest whose CPU has SVM (with "clearcpuid=svm": has nothing). Each has to be
# refused by one line that names it, and to leave nothing behind; a right use
# has to work afterwards.
. /cases.sh

dir=/sys/kernel/debug/tdp_stress
small="backend=external mem_mib=16 vcpus=2 mmu_workers=2 stat_interval=0"

# the line that says how it ended, since the log had $1 lines
verdict_since()
{
	dmesg | tail -n +$(($1 + 1)) | grep -o 'End of test: .*'
}

# wait_for SECONDS WORD: until the state begins with it
wait_for()
{
	for i in $(seq "$1"); do
		[ "$(cut -d' ' -f1 $dir/state)" = "$2" ] && return 0
		sleep 1
	done
	echo "state after $1 s: $(cat $dir/state)"
	return 1
}

# no thread of ours is left: kernel threads have no command line
no_threads()
{
	! ps | grep -E '\[(w[0-9]+:|tdps|tdp_stress)' | grep -v grep
}

no_device()
{
	[ ! -e /dev/tdp_stress ]
}

without_svm()
{
	refuses "a CPU without SVM and VMX" "neither SVM nor VMX" load tdp_stress backend=external
	refuses "and with backend=auto" "neither SVM nor VMX" load tdp_stress
}

without_kvm_amd()
{
	refuses "kvm_amd is not loaded" "kvm_amd is not loaded" load tdp_stress backend=external
	refuses "and with backend=auto" "kvm_amd is not loaded" load tdp_stress
}

# each with a parameter of KVM's that takes away what mirror roots need
without_what_it_takes()
{
	step "load kvm-amd without NPT" load kvm-amd nested=0 npt=0
	refuses "kvm_amd runs without NPT" "npt=1" load tdp_stress backend=external
	step "unload kvm-amd" unload kvm_amd
	step "unload kvm" unload kvm
	step "load kvm without the TDP MMU" load kvm tdp_mmu=N
	step "load kvm-amd" load kvm-amd nested=0 npt=1
	refuses "kvm runs without the TDP MMU" "tdp_mmu=Y" load tdp_stress backend=external
	step "unload kvm-amd" unload kvm_amd
	step "unload kvm" unload kvm
}

# NAME VALUE...: a parameter, and values that are out of its range or no values;
# few of them, for a module that big takes its time
bad_values()
{
	name=$1
	shift
	for value in "$@"; do
		refuses "$name=$value" "$name" load tdp_stress backend=external "$name=$value"
	done
}

wrong_parameters()
{
	refuses "loader: unknown parameter" "no parameter 'bogus'" load tdp_stress bogus=1
	refuses "backend=tdx on AMD" "backend=external" load tdp_stress backend=tdx
	bad_values backend foo
	bad_values split ""
	bad_values schedule foo
	bad_values vms -2 5
	bad_values vcpus 33
	bad_values mmu_workers 65
	bad_values slot_workers -2
	bad_values mem_mib 3 x
	bad_values duration 86401
	bad_values stat_interval 3601
	bad_values stutter -1
	bad_values seed 18446744073709551616
	bad_values busy 1
	bad_values hold_ns 100001
	bad_values delay_us 10001
	bad_values points "" frosen op,,zap
	bad_values huge_1g 2
	bad_values hugetlb x
	bad_values others_ok 2
	bad_values stop_early 2
	refuses "ops: unknown operation" "'?bogus'?.*[a-z_]+[ ,]+[a-z_]+" \
		load tdp_stress backend=external ops=bogus=1
	refuses "ops: weight that is no number" "ops" load tdp_stress backend=external ops=map=x
	refuses "ops: no weight" "ops" load tdp_stress backend=external ops=map
	refuses "hugetlb=1 without huge pages" "hugetlb" load tdp_stress $small hugetlb=1
}

# if not, what it is that was found
sound()
{
	cat $dir/verdict $dir/violations
	grep -q SUCCESS $dir/verdict
}

# somebody else's VM runs on this machine
among_others()
{
	/adopt hold-vm > /tmp/hold 2>&1 &
	other=$!
	for i in $(seq 60); do
		grep -q ready /tmp/hold && break
		sleep 1
	done
	refuses "another VM runs" "others_ok=1" load tdp_stress $small duration=2
	expect "vms=0 makes none, so others do not matter" load tdp_stress backend=external vms=0
	expect "and it unloads" rmmod tdp_stress
	before=$(dmesg | wc -l)
	expect "others_ok=1" load tdp_stress $small others_ok=1 duration=2
	expect "it runs next to another VM" wait_for 60 "done"
	expect "and finds nothing wrong" sound
	expect "it unloads while the other VM lives" rmmod tdp_stress
	expect "the other VM lives on" kill -0 $other
	kill $other
	wait $other
	expect "leaving no hook" same_hooks
}

# an adopted VM keeps the module: only the module can take its tables down
with_adopted_vm()
{
	load tdp_stress backend=external vms=0
	/adopt hold-adopted > /tmp/hold 2>&1 &
	adopted=$!
	for i in $(seq 60); do
		grep -q ready /tmp/hold && break
		sleep 1
	done
	refuses "rmmod while an adopted VM lives" "." rmmod tdp_stress
	kill $adopted
	wait $adopted
	for i in $(seq 60); do
		rmmod tdp_stress 2>/dev/null && break
		sleep 1
	done
	expect "it unloads once the adopted VM is gone" exits_with 1 loaded tdp_stress
	expect "leaving no hook" same_hooks
}

in_the_middle()
{
	before=$(dmesg | wc -l)
	expect "it runs until rmmod" load tdp_stress $small duration=0
	refuses "tdp_stress twice" "exists" plain_insmod tdp_stress backend=external
	refuses "kvm_amd cannot be unloaded under it" "." rmmod kvm_amd
	refuses "kvm cannot be unloaded under it" "." rmmod kvm
	expect "it is running" wait_for 10 running
	expect "its hooks can be seen" exits_with 1 same_hooks
	expect "and its threads" exits_with 1 no_threads
	expect "and its device" exits_with 1 no_device
	sleep 2
	expect "rmmod in the middle of a run" rmmod tdp_stress
	expect "with a verdict" test "$(verdict_since "$before")" = "End of test: SUCCESS"
	expect "leaving no hook" same_hooks
	expect "leaving no thread" no_threads
	expect "leaving no device" no_device
	expect "rmmod at once" sh -c "insmod /modules/tdp_stress.ko $small && rmmod tdp_stress"
	expect "leaving no hook" same_hooks
}

once_more()
{
	before=$(dmesg | wc -l)
	expect "a second insmod works" load tdp_stress $small duration=3
	expect "and ends by itself" wait_for 90 "done"
	expect "with SUCCESS" test "$(verdict_since "$before")" = "End of test: SUCCESS"
	expect "it unloads" rmmod tdp_stress
	expect "leaving no hook" same_hooks
}

mark begin
refuses "kvm is not loaded" "kvm is not loaded" load tdp_stress backend=external
load_deps kvm
step "load kvm" load kvm
load_deps kvm-amd
if ! grep -qw svm /proc/cpuinfo; then
	without_svm
elif without_kvm_amd && without_what_it_takes && step "load kvm" load kvm &&
     step "load kvm-amd" load kvm-amd nested=0 npt=1; then
	wrong_parameters
	hooks > /tmp/hooks.bare
	among_others
	with_adopted_vm
	in_the_middle
	once_more
fi
unload_all
mark end
