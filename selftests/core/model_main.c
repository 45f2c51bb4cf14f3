// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the model on random numbers: model [--ops N] [--seed S] [--checkmark 1]
 *
 * Seed 0 takes one from the clock. A run is repeated exactly by its seed.
 */
#include "model.h"

#define REPORT_OPS	5000000	/* operations between two signs of life */

struct random_source {
	struct model_source src;
	u64 state;
};

static u64 random_pick(struct model_source *src, u64 below)
{
	struct random_source *r = container_of(src, struct random_source, src);

	return gh_user_random(&r->state) % below;
}

int main(int argc, char **argv)
{
	u64 ops = gh_user_arg(argc, argv, "ops", 3000000);
	u64 seed = gh_user_arg(argc, argv, "seed", 0);
	struct random_source r = { .src.pick = random_pick };
	struct model *m;
	u64 report = clamp_t(u64, ops / 5, 1, REPORT_OPS);
	u64 i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!seed)
		seed = ktime_get_real_ns() % 1000000007 + 1;
	printf("TAP version 13\n1..1\n# model --ops %llu --seed %llu\n", ops,
	       seed);
	r.state = seed;
	gh_user_require(!gh_core_init(), "gh_core_init");
	m = model_create(&r.src);
	m->heap->checkmark = gh_user_arg(argc, argv, "checkmark", 0);
	for (i = 1; i <= ops; i++) {
		model_step(m);
		if (i % report == 0)
			model_report(m);
	}
	model_finish(m);
	gh_core_exit();
	gh_user_require(!gh_user_live(), "blocks left at the end");
	printf("ok 1 model\n");
	return 0;
}
