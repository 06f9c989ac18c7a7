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

int call_drive(const struct call *c, unsigned *out)
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

/* "POOL", "POOL:all" or null; a pool that is gone shows as "?". */
static json_t *stacker_json(struct call *c, unsigned n)
{
	struct catalog_pool p = { .name = "?" };
	struct catalog_stacker s;

	if (catalog_stacker_get(c->s->cat, n, &s) || s.mode == STACKER_OFF)
		return json_null();
	catalog_pool_by_id(c->s->cat, s.pool, &p);
	return json_sprintf("%s%s", p.name, s.mode == STACKER_ALL ? ":all" : "");
}

static int loaded_row(struct call *c, const char *name, const struct library_drive *d)
{
	struct catalog_volume v = { .name = "?" };
	struct catalog_pool p = { .name = "?" };

	if (catalog_volume_by_id(c->s->cat, d->volume, &v) == 0)
		catalog_pool_by_id(c->s->cat, v.pool, &p);
	return call_row(c, json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:I, s:I, s:I, s:o}", "drive", name,
				     "volume", v.name, "pool", p.name, "open", d->open, "locked", d->locked,
				     "partition", (int)d->pos.partition, "file", (json_int_t)d->pos.file,
				     "block", (json_int_t)d->pos.block, "object", (json_int_t)d->pos.object,
				     "stacker", stacker_json(c, d->number)));
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
			r = call_row(c, json_pack("{s:s, s:n, s:n, s:b, s:b, s:o}", "drive", name, "volume", "pool",
						  "open", d.open, "locked", d.locked, "stacker", stacker_json(c, n)));
	}
	return err_fold(r);
}

/* Who names no pool means the drive's, if it has a stacker. */
static int load_scratch(struct call *c, unsigned n, struct catalog_volume *v)
{
	struct catalog_pool p = { .name = CATALOG_POOL_DEFAULT };
	struct catalog_stacker s;
	uint64_t volume;
	int r;

	r = err_fold(catalog_stacker_get(c->s->cat, n, &s));
	if (!r && s.mode != STACKER_OFF)
		r = call_fold(catalog_pool_by_id(c->s->cat, s.pool, &p), "pool", "of the stacker");
	if (!r)
		r = err_fold(library_load_scratch(c->s->lib, n, call_string_or(c, "pool", p.name), &volume));
	return r ? r : call_fold(catalog_volume_by_id(c->s->cat, volume, v), "volume", "?");
}

int serve_drive_load(struct call *c)
{
	struct catalog_volume v = { .name = "" };
	const char *name;
	unsigned n = 0;
	int r;

	r = call_drive(c, &n);
	if (!r && call_flag(c, "scratch")) {
		r = load_scratch(c, n, &v);
	} else if (!r) {
		r = call_string(c, "volume", &name);
		if (!r)
			r = call_volume(c, name, &v);
		if (!r)
			r = err_fold(library_load(c->s->lib, n, v.id));
	}
	return r ? r : call_answer(c, json_pack("{s:s}", "volume", v.name));
}

int serve_drive_unload(struct call *c)
{
	unsigned n = 0;
	int r = call_drive(c, &n);

	return r ? r : err_fold(library_unload(c->s->lib, n));
}

/* ---- properties ---- */

/* "POOL", "POOL:all", "off". */
static int stacker_parse(struct call *c, const char *value, struct catalog_stacker *out)
{
	const char *colon = strchr(value, ':');
	char name[BARCODE_MAX + 1] = "";
	struct catalog_pool p;
	int r;

	*out = (struct catalog_stacker){ .mode = STACKER_OFF };
	if (!strcmp(value, "off"))
		return 0;
	if (colon && strcmp(colon, ":all") != 0)
		return err_explain(-EINVAL, "\"%s\" is no stacker: POOL, POOL:all or off", value);
	if ((size_t)snprintf(name, sizeof(name), "%.*s", colon ? (int)(colon - value) : (int)strlen(value), value) >=
	    sizeof(name))
		return call_fold(CATALOG_E_NONE, "pool", value);
	r = call_pool(c, name, &p);
	if (!r)
		*out = (struct catalog_stacker){ colon ? STACKER_ALL : STACKER_SCRATCH, p.id };
	return r;
}

struct drive_change { struct call *c; unsigned drive; };

static int drive_prop_set(void *ctx, const char *prop, const char *value)
{
	const struct drive_change *ch = ctx;
	struct catalog_stacker s;
	int r;

	if (strcmp(prop, "stacker") != 0)
		return err_explain(-ENOENT, "a drive has no property \"%s\"; it has stacker", prop);
	r = stacker_parse(ch->c, value, &s);
	return r ? r : err_fold(catalog_stacker_put(ch->c->s->cat, ch->drive, &s));
}

int serve_drive_set(struct call *c)
{
	struct drive_change ch = { .c = c };
	const json_t *set;
	int r;

	r = call_drive(c, &ch.drive);
	if (!r)
		r = call_strings(c, "set", &set);
	return r ? r : call_assignments(set, drive_prop_set, &ch);
}
