# SPDX-License-Identifier: GPL-2.0
# What the jobs in the guest share: messages to the host, loading and unloading
# modules. Knows modules by name; must not know verdicts.
#
# The channel is the second serial port. Lines that start with @ are for the
# host's scripts (qemu/channel.py), see there.

open_channel()
{
	stty -F /dev/ttyS1 115200 raw -echo 2>/dev/null
	exec 9>/dev/ttyS1
}

# Wait until all of it has left the UART: Bochs takes the time a real one would.
drain_channel()
{
	# stty waits for that before it changes anything
	stty -F /dev/ttyS1 115200 raw -echo 2>/dev/null
}

# Several speak at once (heartbeat, what the kernel says): each message is one write(),
# which a terminal takes as a whole.
send()
{
	echo "$*" >&9
}

# a line for the person in front of the terminal
tell()
{
	send "@text $*"
}

# anything said between a file's bytes would be taken for its content
send_file()
{
	[ -f "$2" ] || return 0
	# debugfs files have no size: copy first
	cat "$2" > "/tmp/.sent.$1" 2>/dev/null || return 0
	{ echo "@file $1 $(wc -c < "/tmp/.sent.$1")"; cat "/tmp/.sent.$1"; echo
	} > "/tmp/.message.$1"
	dd if="/tmp/.message.$1" bs="$(wc -c < "/tmp/.message.$1")" count=1 >&9 2>/dev/null
	rm -f "/tmp/.sent.$1" "/tmp/.message.$1"
}

# what was executed, of a kernel that counts it (GCOV=1); in letters: it passes a terminal
send_coverage()
{
	( cd /sys/kernel/debug/gcov 2>/dev/null || exit
	  find . -name '*.gcda' | while read -r counts; do
		mkdir -p "/tmp/gcov/${counts%/*}"
		cat "$counts" > "/tmp/gcov/$counts"
	  done )
	[ -d /tmp/gcov ] || return 0
	tar -C /tmp/gcov -c . | gzip | base64 > /tmp/gcov.b64
	send_file gcov.b64 /tmp/gcov.b64
}

# Keep what the tracepoints tell, ours and KVM's: a ring of $TRACE MiB for each CPU, on
# a clock that all of them share. The first violation is the last that goes into it.
trace_dir=/sys/kernel/tracing/instances/tdp_stress

# Before our modules are loaded: a kernel that can (6.14) enables their events while it
# loads them, so that none is missing. What is enabled one after the other while threads
# are at work takes seconds, and there is no trace before all of it is.
prepare_trace()
{
	[ "${TRACE:-0}" != 0 ] || return 0
	step "prepare the trace" _prepare_trace
}

_prepare_trace()
{
	[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing &&
	mkdir $trace_dir &&
	echo 0 > $trace_dir/tracing_on &&
	echo mono > $trace_dir/trace_clock &&
	echo $((TRACE << 10)) > $trace_dir/buffer_size_kb || return
	for module in tdx_stub tdp_stress; do
		echo ":mod:$module" >> $trace_dir/set_event || return 0
	done
	[ ! -d $trace_dir/events/kvmmmu ] || echo 1 > $trace_dir/events/kvmmmu/enable || return
	echo 1 > $trace_dir/tracing_on
}

# When they are.
start_trace()
{
	[ "${TRACE:-0}" != 0 ] || return 0
	step "trace" _start_trace || return
	# at once: the guest may not live much longer
	( while sleep 1 && [ "$(cat $trace_dir/tracing_on)" = 1 ]; do :; done
	  _send_trace ) &
	trace_sender=$!
}

_start_trace()
{
	[ -d $trace_dir ] || return
	for system in kvmmmu tdx_stub tdp_stress; do
		[ ! -d $trace_dir/events/$system ] || grep -q 1 $trace_dir/events/$system/enable ||
			echo 1 > $trace_dir/events/$system/enable || return
	done
	# with a condition, which is always true, the event itself is still kept
	echo 'traceoff if by >= 0' > $trace_dir/events/tdp_stress/tdps_violation/trigger &&
	echo 1 > $trace_dir/tracing_on || return
	# one that was said before that
	! grep -q FAILURE /sys/kernel/debug/tdp_stress/verdict || echo 0 > $trace_dir/tracing_on
}

# what became of it, if that has not been sent
send_trace()
{
	[ -n "$trace_sender" ] || return 0
	echo 0 > $trace_dir/tracing_on
	wait $trace_sender
	echo 0 > $trace_dir/events/enable
	rmdir $trace_dir
}

# in letters, as the coverage
_send_trace()
{
	{
		for cpu in $trace_dir/per_cpu/cpu*; do
			echo "# tdp_stress: cpu ${cpu##*/cpu}" \
				"overrun $(sed -n 's/^overrun: //p' $cpu/stats)"
		done
		cat $trace_dir/trace
	} | gzip | base64 > /tmp/trace.b64
	send_file trace.b64 /tmp/trace.b64
	rm /tmp/trace.b64
}

start_heartbeat()
{
	( while sleep 3; do send "@alive $(cut -d' ' -f1 /proc/uptime)"; done ) &
	heartbeat=$!
}

stop_heartbeat()
{
	[ -n "$heartbeat" ] && kill "$heartbeat" && wait "$heartbeat" 2>/dev/null
	heartbeat=
}

mark()
{
	echo "<6>tdp_stress run: $*" > /dev/kmsg
}

# by the oracles, where there are any and one was asked for (oracles=)
final_audit()
{
	oracles=/sys/kernel/debug/tdp_stress
	[ -f $oracles/audit ] || return 0
	grep -q "no oracle was asked for" $oracles/verdict ||
		step "final audit" sh -c "echo 1 > $oracles/audit"
}

# step NAME COMMAND...: run, report how it went, return its code
step()
{
	step_name=$1
	shift
	"$@" > /tmp/.step 2>&1
	step_code=$?
	if [ $step_code = 0 ]; then
		send "@ok $step_name"
	else
		send "@fail $step_name: $(tr '\n' ' ' < /tmp/.step | cut -c1-900)"
	fi
	return $step_code
}

loaded()
{
	[ -d "/sys/module/$(echo "$1" | tr - _)" ]
}

# boot_params NAME: what the kernel's command line (stdin) has for a module,
# NAME.PARAMETER=VALUE: modprobe heeds that, insmod does not
boot_params()
{
	boot_name=$(echo "$1" | tr - _)
	for word in $(cat); do
		case "$word" in
		*.*) [ "$(echo "${word%%.*}" | tr - _)" != "$boot_name" ] || echo "${word#*.}" ;;
		esac
	done
}

# load NAME [PARAMETER=VALUE...]: insmod that refuses unknown parameters. The
# kernel only warns about those, and a run without the wish that was misspelt
# would look like one with it.
load()
{
	load_name=$1
	shift
	set -- $(boot_params "$load_name" < /proc/cmdline) "$@"
	for load_arg in "$@"; do
		if ! grep -qx "${load_arg%%=*}" "/modules/$load_name.params"; then
			echo "$load_name: no parameter '${load_arg%%=*}'; there are:" \
				$(cat "/modules/$load_name.params")
			return 2
		fi
	done
	load_before=$(dmesg | wc -l)
	load_words=$(insmod "/modules/$load_name.ko" "$@" 2>&1) && return 0
	case "$load_words" in
	*"key not available"*|*"Key was rejected"*)
		echo "$load_name: this machine refuses unsigned modules (module.sig_enforce" \
			"or Secure Boot); sign it or boot without" ;;
	*"Operation not permitted"*)
		echo "$load_name: not permitted: lockdown (/sys/kernel/security/lockdown)," \
			"modules_disabled, or not root" ;;
	*)	# the kernel's line says more than insmod's errno, but what it adds to
		# a module's own about a parameter
		echo "$load_words:" $(dmesg | tail -n +$((load_before + 1)) |
			sed 's/^\[[^]]*\] //' | grep -v ' invalid for parameter ' |
			sort -u | tail -n 3) ;;
	esac
	return 1
}

load_deps()
{
	for dep in $(cat "/modules/$1.deps"); do
		loaded "$dep" || load "$dep" || return 1
	done
}

unload()
{
	rmmod "$1"
}

# load everything under test, in order; stops at the first that fails
load_all()
{
	step "load kvm's dependencies" load_deps kvm &&
	step "load tdx_stub" load tdx_stub $STUB_PARAMS &&
	step "load kvm" load kvm &&
	step "load kvm-intel" load kvm-intel tdx=1 nested=0 &&
	step "load tdp_stress" load tdp_stress $STRESS_PARAMS
}

# load kvm and what this CPU needs; $cpu says which
load_kvm()
{
	cpu=$(grep -owE 'svm|vmx' /proc/cpuinfo | head -n 1)
	case "$cpu" in
	svm) vendor=kvm-amd npt=npt=1 ;;
	*) vendor=kvm-intel npt= ;;
	esac
	step "load kvm's dependencies" load_deps kvm &&
	step "load kvm" load kvm &&
	step "load $vendor's dependencies" load_deps $vendor &&
	step "load $vendor" load $vendor nested=0 $npt
}

unload_all()
{
	for module in tdp_stress kvm_amd kvm_intel kvm tdx_stub; do
		loaded $module || continue
		step "unload $module" unload $module
	done
}

# with_limit SECONDS COMMAND...: a command that does not end is shown (stacks of
# all blocked tasks go to the console), killed and answered with 124
with_limit()
{
	limit=$1
	shift
	"$@" &
	limited=$!
	( sleep "$limit"; echo w > /proc/sysrq-trigger; echo l > /proc/sysrq-trigger
	  touch /tmp/.overtime; kill -9 $limited ) 2>/dev/null &
	watchdog=$!
	wait $limited
	limited_code=$?
	kill $watchdog 2>/dev/null
	wait $watchdog 2>/dev/null
	if [ -f /tmp/.overtime ]; then
		rm /tmp/.overtime
		return 124
	fi
	return $limited_code
}

# the driver's lines go to the terminal as they come
drive()
{
	: > /tmp/driver.log
	( tail -f /tmp/driver.log | while read -r line; do tell "$line"; done ) &
	teller=$!
	with_limit $((DURATION + DRIVER_GRACE)) /tdp-stress "$@" > /tmp/driver.log 2>&1
	drive_code=$?
	sleep 1.2
	kill $teller 2>/dev/null
	return $drive_code
}
