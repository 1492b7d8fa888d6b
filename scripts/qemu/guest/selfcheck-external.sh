# SPDX-License-Identifier: GPL-2.0
# The part of make selfcheck that the external backend is for: for every planted
# violation load tdp_stress, let it torture its VM until it has a verdict, report
# the verdict. What was expected is the host's business.
#
#   @plant external NAME|VERDICT|CODE|SECONDS    CODE as in external.sh

. /external-lib.sh

# until the verdict is out, which will not get better, or the module is done
wait_until_caught()
{
	while [ "$(state)" = running ]; do
		case "$(cat $dir/verdict)" in
		FAILURE*)
			# what comes along with it has a moment to show up
			sleep 1
			return
			;;
		esac
		sleep 0.3
	done
}

# try NAME PARAMETER...
try()
{
	try_name=$1
	shift
	mark "plant $try_name"
	try_start=$(cut -d. -f1 /proc/uptime)
	step "load tdp_stress for $try_name" load tdp_stress $STRESS_PARAMS "$@" || return
	wait_until_caught
	echo 1 > $dir/audit
	send_file "external.$try_name.violations" $dir/violations
	verdict=$(cat $dir/verdict)
	step "unload tdp_stress after $try_name" unload tdp_stress
	send "@plant external $try_name|$verdict|0|$(($(cut -d. -f1 /proc/uptime) - try_start))"
}

mark begin
if load_kvm; then
	for id in $PLANTS; do
		try "$id" "plant=$id"
	done
fi
unload_all
mark end
