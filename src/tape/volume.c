/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A volume that is open: its attributes, its sizes, and what is where.
 *
 * Opening reads one row, whatever is on the tape; pages come when they are asked for.  Appending is volume_append.c's,
 * cutting volume_cut.c's, what is durable when volume_commit.c's; who may use a volume at the same time is library/'s.
 */
#include "tape/shelf.h"
#include "tape/volume.h"

#include <errno.h>

/* ---- open and close --------------------------------------------------------------------------------------------- */

static struct volume *volume_free(struct volume *v)
{
	if (!v)
		return NULL;
	if (v->shelf)
		shelf_remove(v->shelf, v);
	chunk_writer_free(v->writer);
	for (unsigned i = 0; i < TAPE_PARTITIONS_MAX; i++) {
		tail_fini(&v->partition[i].objects);
		tail_fini(&v->partition[i].chunks);
	}
	page_cache_fini(&v->cache);
	head_fini(&v->head);
	head_fini(&v->before);
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->committing);
	pthread_mutex_destroy(&v->writing);
	free(v);
	return NULL;
}

static void volume_freep(struct volume **v)
{
	volume_free(*v);
}

static void partition_opened(struct volume *v, uint32_t p)
{
	const struct tape_tally *end = &v->head.part[p].end;

	v->partition[p].committed = *end;
	v->partition[p].stored = end->bytes;
	v->partition[p].own_from = end->objects;
}

int volume_open(struct shelf *sh, const struct volume_attr *attr, struct volume **out)
{
	CLEANUP(volume_freep) struct volume *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&v->writing, NULL);
	pthread_mutex_init(&v->committing, NULL);
	pthread_mutex_init(&v->lock, NULL);
	v->kv = sh->kv;
	v->cs = sh->cs;
	v->attr = *attr;
	r = head_read(sh->kv, attr->id, &v->head);
	if (r)
		return r;
	for (uint32_t p = 0; p < v->head.partitions; p++)
		partition_opened(v, p);
	shelf_add(sh, v);
	*out = STEAL(v);
	return 0;
}

struct volume *volume_close(struct volume *v, int *error)
{
	int r = v ? volume_commit(v) : 0;

	if (error)
		*error = r;
	return volume_free(v);
}

const struct volume_attr *volume_attr(const struct volume *v)
{
	return &v->attr;
}

void volume_set_attr(struct volume *v, const struct volume_attr *attr)
{
	LOCK_SCOPE(&v->writing);
	LOCK_SCOPE(&v->lock);

	if (attr->store.codec != v->attr.store.codec || attr->store.level != v->attr.store.level ||
	    attr->store.verify != v->attr.store.verify)
		v->config_changed = true;
	v->attr = *attr;
}

void volume_stat(struct volume *v, struct volume_stat *out)
{
	LOCK_SCOPE(&v->lock);

	head_stat(&v->head, out);
}

/* ---- what is where ---------------------------------------------------------------------------------------------- */

int volume_look(struct volume *v, uint32_t p, struct lookup *out)
{
	if (p >= v->head.partitions)
		return err_explain(-EINVAL, "%s has no partition %u", v->attr.barcode, p);
	*out = volume_lookup(v, p);
	return 0;
}

uint32_t volume_partitions(struct volume *v)
{
	LOCK_SCOPE(&v->lock);

	return v->head.partitions;
}

int volume_end(struct volume *v, uint32_t p, struct tape_tally *out)
{
	LOCK_SCOPE(&v->lock);
	struct lookup x;
	int r = volume_look(v, p, &x);

	if (!r)
		*out = x.head->end;
	return r;
}

int volume_tally(struct volume *v, uint32_t p, uint64_t object, struct tape_tally *out)
{
	LOCK_SCOPE(&v->lock);
	struct lookup x;
	int r = volume_look(v, p, &x);

	if (r)
		return r;
	if (object > x.head->end.objects)
		return err_origin(-ERANGE);
	return lookup_tally(&x, object, out);
}

int volume_object(struct volume *v, uint32_t p, uint64_t object, struct tape_object *out)
{
	LOCK_SCOPE(&v->lock);
	struct lookup x;
	int r = volume_look(v, p, &x);

	if (r)
		return r;
	return object < x.head->end.objects ? lookup_object(&x, object, out) : TAPE_E_EOD;
}

int volume_find(struct volume *v, uint32_t p, bool (*before)(const struct tape_tally *t, void *ctx), void *ctx,
		struct tape_tally *out)
{
	LOCK_SCOPE(&v->lock);
	struct lookup x;
	int r = volume_look(v, p, &x);

	return r ? r : lookup_find(&x, before, ctx, out);
}

static bool fewer_marks(const struct tape_tally *t, void *marks)
{
	return t->marks < *(uint64_t *)marks;
}

int volume_find_file(struct volume *v, uint32_t p, uint64_t marks, struct tape_tally *out)
{
	LOCK_SCOPE(&v->lock);
	struct lookup x;
	int r = volume_look(v, p, &x);

	if (r)
		return r;
	if (!marks) {
		*out = (struct tape_tally){ 0 };
		return 0;
	}
	if (marks > x.head->end.marks)
		return TAPE_E_EOD;
	/* The last object with fewer marks before it is the mark itself. */
	r = lookup_find(&x, fewer_marks, &marks, out);
	if (!r) {
		out->objects++;
		out->marks++;
	}
	return r;
}

int volume_stretch(struct volume *v, uint32_t p, uint64_t object, uint64_t *out)
{
	LOCK_SCOPE(&v->lock);
	struct lookup x;
	int r = volume_look(v, p, &x);

	if (r)
		return r;
	*out = x.head->stretches ? x.head->stretch[lookup_stretch(&x, PAGE_OBJECTS, object)].number : 0;
	return 0;
}
