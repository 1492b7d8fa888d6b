// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of the script: what td_run() makes of exits of a guest that follows it,
 * and of one that does not. KVM_RUN ends as the test says. Prints TAP.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../lib/td_run.c"

static struct td_payload_act next;	/* what the guest does next */
static enum td_map_answer answer;
static int results;

static void result(bool good, const char *title, const struct td_run_result *res)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++results, title);
	if (!good)
		printf("# exit %s: %s\n", td_exit_name(res->exit), res->text);
}

const char *td_errno_name(int err)
{
	return strerror(err);
}

int td_ioctl(enum td_call call, int fd, unsigned long request, void *arg)
{
	(void)call;
	(void)fd;
	(void)request;
	(void)arg;
	return 0;
}

static int map_gpa(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, bool private)
{
	(void)ctx;
	(void)vcpu;
	(void)gfn;
	(void)nr_pages;
	(void)private;
	return answer;
}

static const struct td_run_handler handler = { .map_gpa = map_gpa };

static void exit_port(struct td_vcpu *vcpu, u32 port, u32 value)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.port = port;
	run->io.size = sizeof(value);
	run->io.count = 1;
	run->io.data_offset = 4096;
	memcpy((char *)run + 4096, &value, sizeof(value));
	/* td_run() puts back what it had saved of it */
	memcpy(vcpu->answer, run->padding, sizeof(vcpu->answer));
}

static void exit_map(struct td_vcpu *vcpu, u64 gfn, u64 nr, bool private)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = gfn << TD_PAGE_SHIFT;
	run->hypercall.args[1] = nr;
	run->hypercall.args[2] = private ? KVM_MAP_GPA_RANGE_ENCRYPTED : 0;
	memcpy(vcpu->answer, run->padding, sizeof(vcpu->answer));
}

static void visible(struct td_payload *p)
{
	do {
		td_payload_next(p, &next);
	} while (!td_payload_visible(&next));
}

static enum td_exit do_next(struct td_vcpu *vcpu, struct td_run_result *res)
{
	if (next.what == TD_PAYLOAD_PROGRESS)
		exit_port(vcpu, TD_PAYLOAD_PORT, next.value);
	else
		exit_map(vcpu, next.gfn, next.nr, next.what == TD_PAYLOAD_MAP_PRIVATE);
	td_run(vcpu, &handler, res);
	return res->exit;
}

/* The guest follows it, and the host may say anything about conversions. */
static void keeps_to_it(struct td_vcpu *vcpu, struct td_payload p)
{
	unsigned int done[3] = { 0 }, i;
	struct td_run_result res;
	bool good = true;

	visible(&p);
	for (i = 0; good && i < 2000; i++) {
		answer = i % 3;
		good = do_next(vcpu, &res) == (next.what == TD_PAYLOAD_PROGRESS ?
					       TD_EXIT_PROGRESS : TD_EXIT_MAP_GPA);
		if (next.what != TD_PAYLOAD_PROGRESS) {
			done[answer]++;
			if (answer == TD_MAP_RETRY)
				continue;
			if (answer == TD_MAP_REFUSED)
				td_payload_refused(&p);
		}
		visible(&p);
	}
	result(good && done[0] && done[1] && done[2], "a guest that follows its script", &res);
}

static void leaves(struct td_vcpu *vcpu, struct td_payload p)
{
	struct td_run_result res;

	answer = TD_MAP_DONE;
	vcpu->script = p;
	exit_port(vcpu, TD_PAYLOAD_PORT, 1);
	td_run(vcpu, &handler, &res);
	result(res.exit == TD_EXIT_UNEXPECTED && strstr(res.text, "left its script"),
	       "a number of another script", &res);

	vcpu->script = p;
	do {
		visible(&p);
		if (next.what == TD_PAYLOAD_PROGRESS)
			do_next(vcpu, &res);
	} while (next.what == TD_PAYLOAD_PROGRESS);
	exit_map(vcpu, next.gfn + 1, next.nr, false);
	td_run(vcpu, &handler, &res);
	result(res.exit == TD_EXIT_UNEXPECTED && strstr(res.text, "left its script"),
	       "a conversion of another range", &res);
}

static void tells(struct td_vcpu *vcpu)
{
	static const struct {
		u32 value;
		const char *words;
	} cases[] = {
		{ TD_PAYLOAD_BAD_ACCEPT << 24 | 0xb0b, "ACCEPT returned 0xb0b in" },
		{ TD_PAYLOAD_BAD_VE << 24 | 10, "a #VE of exit reason 10" },
		{ TD_PAYLOAD_BAD_MEMORY << 24 | 0x31, "GFN 0x31 has what it never wrote" },
		{ TD_PAYLOAD_BAD_ARG << 24 | 5, "TDH.VP.INIT gave it 0x5" },
		{ 0x7f000000, "it wrote 0x7f000000" },
	};
	struct td_run_result res;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		exit_port(vcpu, TD_PAYLOAD_BAD_PORT, cases[i].value);
		td_run(vcpu, &handler, &res);
		result(res.exit == TD_EXIT_UNEXPECTED && strstr(res.text, cases[i].words) &&
		       !strncmp(res.text, GUEST, strlen(GUEST)), cases[i].words, &res);
	}
}

int main(void)
{
	static const struct td_image image;
	static const struct td_env env = { .image = &image };
	static struct td td = { .env = &env };
	struct td_vcpu vcpu = { .td = &td, .run = calloc(2, 4096) };
	struct td_payload p;

	if (!vcpu.run)
		return 1;
	td_payload_init(&p, TD_PAYLOAD_ARG(64, 64, 1, 7));
	vcpu.script = p;
	keeps_to_it(&vcpu, p);
	leaves(&vcpu, p);
	tells(&vcpu);
	printf("1..%d\n", results);
	free(vcpu.run);
	return 0;
}
