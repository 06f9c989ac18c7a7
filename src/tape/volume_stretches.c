/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of which stretches the generations of a volume are: for who remembers something by volume_stretch() and wants to know
 * whether any generation still has it.  Reads heads, as committed; no page.
 */
#include "tape/volume_heads.h"

static int head_each_stretch(const struct head *h, int (*each)(void *ctx, const struct tape_stretch *s), void *ctx)
{
	int r = 0;

	for (uint32_t p = 0; p < h->partitions; p++)
		for (uint32_t i = 0; !r && i < h->part[p].stretches; i++) {
			const struct tape_stretch s = {
				.generation = h->generation, .partition = p, .number = h->part[p].stretch[i].number,
				.from = h->part[p].stretch[i].from.objects,
				.to = stretch_end(&h->part[p], i)->objects,
			};
			r = each(ctx, &s);
		}
	return r;
}

int volume_each_stretch(struct kv *kv, uint64_t id, int (*each)(void *ctx, const struct tape_stretch *s), void *ctx)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read(kv, id, &hs);

	for (size_t i = 0; !r && i < hs.count; i++)
		r = head_each_stretch(&hs.row[i].head, each, ctx);
	return r;
}
