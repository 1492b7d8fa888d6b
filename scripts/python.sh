#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs one of these scripts: python.sh NAME [ARGUMENT...]. Installs python3 where
# a bare machine has none; nothing else can be done without it.
here=$(dirname "$0")
if ! command -v python3 > /dev/null; then
	install="apt-get install -y --no-install-recommends python3"
	sudo=
	[ "$(id -u)" = 0 ] || sudo="sudo -n"
	echo "  install package: python3 ..."
	if ! $sudo true 2> /dev/null ||
	   ! { $sudo $install || { $sudo apt-get update && $sudo $install; }; } > /dev/null 2>&1; then
		echo "tdp_stress: python3 is missing; install it as root: apt-get update && $install"
		exit 3
	fi
fi
name=$1
shift
PYTHONDONTWRITEBYTECODE=1 exec python3 -B "$here/$name.py" "$@"
