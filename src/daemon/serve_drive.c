/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about drives, and the question which drive has a volume. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

void loaded_look(const struct call *c, struct loaded *out)
{
	struct library_drive d;

	*out = (struct loaded){ .drives = library_drives(c->s->lib) };
	for (unsigned n = 0; n < out->drives; n++)
		if (library_drive_info(c->s->lib, n, &d) == 0 && d.loaded)
			out->volume[n] = d.volume;
}

bool loaded_in(const struct loaded *l, uint64_t volume, char out[16])
{
	for (unsigned n = 0; n < l->drives; n++) {
		if (l->volume[n] == volume) {
			snprintf(out, 16, "nst%u", n);
			return true;
		}
	}
	return false;
}

/* "nst0", "st0" or "0". */
static int call_drive(const struct call *c, unsigned *out)
{
	const char *word, *digits;
	char *end;
	unsigned long n;
	int r;

	r = call_string(c, "drive", &word);
	if (r)
		return r;
	digits = word + (!strncmp(word, "nst", 3) ? 3 : !strncmp(word, "st", 2) ? 2 : 0);
	n = strtoul(digits, &end, 10);
	if (digits[0] < '0' || digits[0] > '9' || *end)
		return err_explain(-EINVAL, "\"%s\" is not a drive (nst0, st0 or 0)", word);
	if (n >= library_drives(c->s->lib))
		return err_explain(-ENOENT, "there is no drive %s; this store is served with %u", word,
				   library_drives(c->s->lib));
	*out = (unsigned)n;
	return 0;
}

static int loaded_row(struct call *c, const char *name, const struct library_drive *d)
{
	struct catalog_volume v = { .name = "?" };
	struct catalog_pool p = { .name = "?" };

	if (catalog_volume_by_id(c->s->cat, d->volume, &v) == 0)
		catalog_pool_by_id(c->s->cat, v.pool, &p);
	return call_row(c, json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:I, s:I, s:I}", "drive", name, "volume", v.name,
				     "pool", p.name, "open", d->open, "locked", d->locked,
				     "partition", (int)d->pos.partition, "file", (json_int_t)d->pos.file,
				     "block", (json_int_t)d->pos.block, "object", (json_int_t)d->pos.object));
}

int serve_drive_list(struct call *c)
{
	unsigned drives = library_drives(c->s->lib);
	int r = 0;

	for (unsigned n = 0; !r && n < drives; n++) {
		struct library_drive d;
		char name[16];
		snprintf(name, sizeof(name), "nst%u", n);
		r = library_drive_info(c->s->lib, n, &d);
		if (r)
			break;
		if (d.loaded)
			r = loaded_row(c, name, &d);
		else
			r = call_row(c, json_pack("{s:s, s:n, s:n, s:b, s:b}", "drive", name, "volume", "pool", "open",
						  d.open, "locked", d.locked));
	}
	return err_fold(r);
}

int serve_drive_load(struct call *c)
{
	struct catalog_volume v;
	const char *name;
	unsigned n = 0;
	int r;

	r = call_drive(c, &n);
	if (!r)
		r = call_string(c, "volume", &name);
	if (!r)
		r = call_volume(c, name, &v);
	return r ? r : err_fold(library_load(c->s->lib, n, v.id));
}

int serve_drive_unload(struct call *c)
{
	unsigned n = 0;
	int r = call_drive(c, &n);

	return r ? r : err_fold(library_unload(c->s->lib, n));
}
