# SPDX-License-Identifier: GPL-2.0
# Job: the tools for tracepoints beside a stress. /commands says what is to be done, a line
# each:
#
#   begin [PARAMETER=VALUE...]   begin to stress: the driver, or tdp_stress with these
#   end                          and end
#   ID COMMAND                   run COMMAND as a shell has it; ID.b64 has what came of it
. /external-lib.sh

export PATH=/usr/bin:/usr/sbin:/bin HOME=/tmp WINDOW

told()
{
	sed -n 's/^event.extop_end //p' $dir/stats
}

# until there is something to be seen
busy()
{
	busy_from=$(told)
	for i in $(seq 300); do
		[ "$(told)" -gt $((busy_from + 50)) ] && return
		sleep 0.5
	done
	cat /tmp/driver.log 2>/dev/null
	return 1
}

begin()
{
	if [ "$BACKEND" = tdx ]; then
		/tdp-stress --seed "$SEED" --duration 3600 $DRIVER_ARGS > /tmp/driver.log 2>&1 &
		stress=$!
	else
		load tdp_stress $STRESS_PARAMS "$@" || return
	fi
	busy
}

end()
{
	if [ "$BACKEND" = tdx ]; then
		kill $stress
		wait $stress
	else
		unload tdp_stress
	fi
}

# one ID COMMAND: what it says, how it ends, and what the run has counted meanwhile
one()
{
	rm -rf /tmp/said
	mkdir /tmp/said
	sh /tracers-window.sh before
	with_limit 900 eval "$2" > /tmp/said/out 2> /tmp/said/err < /dev/null
	echo $? > /tmp/said/code
	sh /tracers-window.sh after
	tar -C /tmp/said -c . | gzip | base64 > /tmp/said.b64
	send_file "$1.b64" /tmp/said.b64
	send "@ran $1"
}

mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /tmp/work /var/tmp
cd /tmp/work || exit
mark begin
case "$BACKEND" in
tdx) load_all ;;
external) load_kvm ;;
esac
if [ $? = 0 ]; then
	while read -r id command; do
		case "$id" in
		begin) step "begin to stress" begin $command || break ;;
		end) step "end the stress" end || break ;;
		*) one "$id" "$command" ;;
		esac
	done < /commands
fi
cd /
unload_all
mark end
