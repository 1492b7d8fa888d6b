#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A job for any CI, in a checkout of tdp_stress:
#
#   tdp-stress.sh qemu     any x86 machine: the kernel at KSRC= (default: Debian's) in QEMU
#   tdp-stress.sh metal    a runner with TDX, as root: the kernel that it runs, with real TDs
#
# Variables as "make help" has them, like DURATION=, SEED=, VCPUS=. What there is to keep is
# in the folder ARTIFACTS= (default: artifacts, in the checkout). Exit code: 0 pass, 1 failure
# found, 2 bad usage, 3 this machine lacks something (a CI may take that for a warning), 4 a
# build failed, 5 the kernel cannot be configured so, 130 the CI has ended it.
cd "$(dirname "$0")/../.." || exit 3
export RUNDIR="${ARTIFACTS:-artifacts}"
case "$#$1" in
1qemu)	door=run ;;
1metal)	door=metal ;;
*)	echo "usage: tdp-stress.sh qemu | metal"
	exit 2 ;;
esac
# not by make, which ends with 2 whatever the code was
# a CI may tell nobody but this shell that the job is over: a module has to be unloaded then
pid=
ended=
trap 'ended=1; [ -z "$pid" ] || kill $pid' HUP INT TERM
sh scripts/python.sh $door &
pid=$!
[ -z "$ended" ] || kill $pid
ended=1
while [ -n "$ended" ]; do
	ended=
	wait $pid
	code=$?
done
# large, and made again by the command that the output ends with
rm -f "$RUNDIR"/bzImage "$RUNDIR"/initrd
exit $code
