/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_damage: which tapes, tape files and records a damaged chunk is in, in the few words that an event has room
 * for; `vtape damage` has all of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "library/holding.h"

#define WORDS_MAX 170u		/* of an event's text; the rest says which pack */
#define VOLUMES_MAX 64u
#define ENOUGH 1		/* there is no room for more words */

/* "default/A00001 file 2 record 17-19; file 4 record 30; default/A00002 ..." */
struct words {
	struct library *lib;
	char text[WORDS_MAX];
	bool full;
	uint64_t volume;	/* whose name was written last */
	uint64_t ids[VOLUMES_MAX];
	unsigned volumes;
	bool more_volumes;
};

static void words_add(struct words *w, const char *text)
{
	size_t used = strlen(w->text);

	if (w->full || used + strlen(text) >= sizeof(w->text))
		w->full = true;
	else
		memcpy(w->text + used, text, strlen(text) + 1);
}

static int words_hurt(void *ctx, const struct tape_hurt *h)
{
	struct words *w = ctx;
	char about[LIBRARY_ABOUT_MAX], text[LIBRARY_ABOUT_MAX + 160], old[40] = "", part[32] = "", to[24] = "";
	bool named = w->volume == h->volume;
	struct catalog_volume row;
	int r;

	r = catalog_volume_by_id(w->lib->cat, h->volume, &row);
	if (r)
		return r < 0 ? r : 0;
	if (!h->current)
		snprintf(old, sizeof(old), " generation %" PRIu64, h->generation);
	if (h->partition)
		snprintf(part, sizeof(part), " partition %u", h->partition);
	if (h->last_object > h->first_object)
		snprintf(to, sizeof(to), "-%" PRIu64, h->last_object);
	snprintf(text, sizeof(text), "%s%s%s%s%s file %" PRIu64 " record %" PRIu64 "%s", w->text[0] ? ";" : "",
		 named || !w->text[0] ? "" : " ", named ? "" : library_about(w->lib, &row, about), old, part, h->file,
		 h->first_object, to);
	words_add(w, text);
	w->volume = h->volume;
	return w->full ? ENOUGH : 0;
}

static int words_volume(void *ctx, uint64_t volume)
{
	struct words *w = ctx;

	if (w->volumes == VOLUMES_MAX) {
		w->more_volumes = true;
		return ENOUGH;
	}
	w->ids[w->volumes++] = volume;
	return 0;
}

/* Only names, if the maps do not tell more. */
static void words_name(struct words *w, uint64_t volume)
{
	char about[LIBRARY_ABOUT_MAX], text[LIBRARY_ABOUT_MAX + 4];
	struct catalog_volume row;

	if (catalog_volume_by_id(w->lib->cat, volume, &row))
		return;
	snprintf(text, sizeof(text), "%s%s", w->text[0] ? "; " : "", library_about(w->lib, &row, about));
	words_add(w, text);
}

static void words_find(struct words *w, uint64_t pack)
{
	int r = volume_each_in_pack(w->lib->kv, pack, words_volume, w);

	for (unsigned i = 0; i < w->volumes && !w->full; i++) {
		int hurt = volume_each_hurt(w->lib->shelf, w->ids[i], words_hurt, w);

		if (hurt < 0) {
			words_name(w, w->ids[i]);
			log_warn("volume number %" PRIu64 ": which records are hurt is not known: %s", w->ids[i],
				 err_text(hurt));
		}
	}
	if (r < 0)
		log_error("which tapes have data in pack %" PRIx64 " is not known: %s", pack, err_text(r));
}

/* All that is damaged in one pack. */
static void tell_pack(struct library *lib, const struct pack_ref *refs, unsigned n)
{
	struct words w = { .lib = lib };
	char slots[48] = "";
	unsigned i;

	words_find(&w, refs->pack);
	for (i = 0; i < n && strlen(slots) < sizeof(slots) - 20; i++)
		snprintf(slots + strlen(slots), sizeof(slots) - strlen(slots), "%s%u", i ? "," : "", refs[i].slot);
	if (i < n)
		snprintf(slots + strlen(slots), sizeof(slots) - strlen(slots), ",...");
	if (refs[n - 1].slot == CHUNK_EVERY_SLOT)
		catalog_event(lib->cat, EVENT_PACK_LOST, "", "pack %" PRIx64 " is lost or cannot be read; hurt: %s%s",
			      refs->pack, w.text[0] ? w.text : "no tape", w.full || w.more_volumes ? " and more" : "");
	else
		catalog_event(lib->cat, EVENT_CHUNK_DAMAGED, "",
			      "%u chunk%s of pack %" PRIx64 " (slot %s) fail%s its check; hurt: %s%s", n,
			      n > 1 ? "s" : "", refs->pack, slots, n > 1 ? "" : "s", w.text[0] ? w.text : "no tape",
			      w.full || w.more_volumes ? " and more" : "");
}

static int by_place(const void *a, const void *b)
{
	const struct pack_ref *x = a, *y = b;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

void damage_tell(struct library *lib, struct pack_ref *refs, unsigned n, uint64_t more)
{
	unsigned from, to;

	qsort(refs, n, sizeof(*refs), by_place);
	for (from = 0; from < n; from = to) {
		for (to = from + 1; to < n && refs[to].pack == refs[from].pack; to++)
			;
		tell_pack(lib, refs + from, to - from);
	}
	if (more)
		catalog_event(lib->cat, EVENT_CHUNK_DAMAGED, "", "%" PRIu64 " more chunks fail their check", more);
}

int library_each_hurt(struct library *lib, uint64_t volume, int (*each)(void *ctx, const struct tape_hurt *h),
		      void *ctx)
{
	return volume ? volume_each_hurt(lib->shelf, volume, each, ctx) : tape_each_hurt(lib->shelf, each, ctx);
}
