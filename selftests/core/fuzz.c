// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: the bytes of the input are the decisions of the model (see
 * model.c), which checks each step. A decision takes as many bytes as it has
 * choices for; the run ends when they are used up.
 */
#include "model.h"

struct bytes_source {
	struct model_source src;
	const u8 *at;
	const u8 *end;
};

static u64 bytes_pick(struct model_source *src, u64 below)
{
	struct bytes_source *b = container_of(src, struct bytes_source, src);
	u64 v = 0, bits = below - 1;

	for (; bits && b->at < b->end; bits >>= 8)
		v = v << 8 | *b->at++;
	return v % below;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	gh_user_require(!gh_core_init(), "gh_core_init");
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct bytes_source b = {
		.src.pick = bytes_pick,
		.at = data,
		.end = data + size,
	};
	struct model *m = model_create(&b.src);
	s64 live;

	while (b.at < b.end)
		model_step(m);
	live = gh_user_live();
	model_finish(m);
	gh_user_require(gh_user_live() < live, "a heap was not freed");
	return 0;
}
