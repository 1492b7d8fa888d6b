// SPDX-License-Identifier: GPL-2.0
/* The script of uapi/td_payload.h as a library, for test.py. */
#include "../../../tdp_stress/uapi/td_payload.h"

static struct td_payload p;

void script_init(__u64 arg)
{
	td_payload_init(&p, arg);
}

void script_next(struct td_payload_act *act)
{
	td_payload_next(&p, act);
}

void script_refused(void)
{
	td_payload_refused(&p);
}

unsigned int script_offset(void)
{
	return p.offset;
}
