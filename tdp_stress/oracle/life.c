// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle's beginning and end: the order in which its files come up and go
 * down. Knows nothing of what they do, nor who hands in facts.
 */
#include "internal.h"

/**
 * tdps_oracle_close() - give everything back
 *
 * Context: no fact may come any more. May sleep.
 */
void tdps_oracle_close(void)
{
	tlb_exit();
	dirty_exit();
	tdps_verdict_exit();
	rcu_exit_table();
	external_exit();
	tdps_ctx_exit();
	tdps_recorder_exit();
	tdps_mem_account(-tdps_mem_bytes());
}

/**
 * tdps_oracle_open() - get ready for facts
 * @events_per_cpu: length of the flight recorder's rings, a power of two
 * @own: the view of an emulated module of our own; NULL: look for tdx_stub's
 *
 * Counts from zero. Nothing is judged before tdps_enabled and tdps_live are set.
 *
 * Context: may sleep.
 *
 * Return: 0; -ENOMEM: with shorter rings it may work; what tlb_init() says.
 */
int tdps_oracle_open(unsigned int events_per_cpu, const struct tdxm_view *own)
{
	int err;

	zap_forget();
	err = tdps_recorder_init(events_per_cpu);
	if (!err)
		err = tdps_ctx_init();
	if (!err)
		err = external_init();
	if (!err)
		err = rcu_init_table();
	if (!err)
		err = dirty_init();
	if (!err)
		err = tdps_verdict_init();
	if (!err)
		err = tlb_init(own);
	if (err)
		tdps_oracle_close();
	return err;
}
