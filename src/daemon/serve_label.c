/* SPDX-License-Identifier: BSD-2-Clause */
/* The request that writes a standard label on a tape. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

#define VOLID_MAX 6u

/* What a barcode says of the tape, "A00001L8" without its media type, where it is not said otherwise. */
static int label_name(const struct call *c, const char *volume, struct contents_label *l)
{
	const char *id = call_string_or(c, "id", NULL);
	size_t n = strlen(id ? id : volume);

	if (!id && n == VOLID_MAX + 2)
		n = VOLID_MAX;
	if (!n || n > VOLID_MAX)
		return err_explain(-EINVAL, "a label has 1 to %u characters for the volume, \"%s\" does not fit: --id",
				   VOLID_MAX, id ? id : volume);
	memcpy(l->volume, id ? id : volume, n);
	return 0;
}

static int call_label(const struct call *c, const char *volume, struct contents_label *l)
{
	const char *owner = call_string_or(c, "owner", "");

	*l = (struct contents_label){ .kind = call_flag(c, "ibm") ? LABEL_IBM : LABEL_ANSI,
				      .created_ns = clock_now_ns() };
	if (strlen(owner) >= sizeof(l->owner))
		return err_explain(-EINVAL, "a label has %zu characters for the owner, \"%s\" does not fit",
				   sizeof(l->owner) - 1, owner);
	snprintf(l->owner, sizeof(l->owner), "%s", owner);
	return label_name(c, volume, l);
}

/* Of a tape that is ours for writing. */
static int write_it(struct call *c, const struct catalog_volume *v, struct volume *tape, const struct contents_label *l)
{
	const struct library_writer who = { .door = LIBRARY_DOOR_COMMAND, .uid = UINT32_MAX, .drive = -1 };
	struct volume_stat st;
	int r, refused;

	volume_stat(tape, &st);
	if (st.end.objects && !call_flag(c, "overwrite"))
		return err_explain(-EEXIST, "volume %s has data on it; --overwrite puts a label there instead",
				   v->name);
	if (st.partitions > 1)
		return err_explain(-EINVAL, "volume %s has %u partitions: labels are for tapes of one", v->name,
				   st.partitions);
	library_writer_is(c->s->lib, v->id, &who);
	r = contents_label_write(tape, l, st.end.objects);
	if (r == TAPE_E_PROTECTED) {
		refused = library_refused(c->s->lib, v->id, "written over");
		return refused ? refused : err_explain(-EPERM, "volume %s is not written over", v->name);
	}
	return r == TAPE_E_FULL ? err_explain(-ENOSPC, "volume %s ends before its label does", v->name) : err_fold(r);
}

int serve_volume_label(struct call *c)
{
	char about[2 * BARCODE_MAX + 2];
	struct catalog_volume v;
	struct contents_label l;
	struct catalog_pool p;
	struct volume *tape;
	const char *name;
	int r, released;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_volume(c, name, &v);
	if (!r)
		r = call_label(c, v.name, &l);
	if (!r)
		r = library_claim(c->s->lib, v.id, CLAIM_WRITE, &tape);
	if (r)
		return r;
	r = write_it(c, &v, tape, &l);
	released = library_release(c->s->lib, v.id, CLAIM_WRITE);
	r = r ? r : released;
	if (!r)
		r = call_fold(catalog_pool_by_id(c->s->cat, v.pool, &p), "pool", "?");
	if (r)
		return r;
	snprintf(about, sizeof(about), "%s/%s", p.name, v.name);
	catalog_event(c->s->cat, EVENT_LABELLED, about, "%s label %s", l.kind == LABEL_IBM ? "IBM" : "ANSI", l.volume);
	return call_answer(c, json_pack("{s:s}", "label", l.volume));
}
