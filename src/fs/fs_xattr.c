/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_xattr: user.vtape.*, what the catalog and the head of a tape say, as text.  A table of names; the one that can
 * be set is `protect`, because a script that has only the mount should be able to protect a tape.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/tree.h"

struct facts {
	struct fs *fs;
	struct catalog_volume v;
	struct catalog_pool pool;
	struct volume_stat st;
};

static int put_number(struct buf *b, uint64_t n)
{
	return buf_printf(b, "%llu", (unsigned long long)n);
}

static int put_switch(struct buf *b, bool on)
{
	return buf_printf(b, on ? "on" : "off");
}

static int fact_barcode(const struct facts *f, struct buf *b) { return buf_printf(b, "%s", f->v.name); }
static int fact_serial(const struct facts *f, struct buf *b) { return buf_printf(b, "%s", f->v.serial); }
static int fact_pool(const struct facts *f, struct buf *b) { return buf_printf(b, "%s", f->pool.name); }

static int fact_access(const struct facts *f, struct buf *b)
{
	return buf_printf(b, "%s", catalog_access_name(catalog_access_of(&f->v, &f->pool)));
}

static int fact_site(const struct facts *f, struct buf *b)
{
	struct catalog_site s;
	int r = catalog_site_by_number(f->fs->cat, f->v.site ? f->v.site : f->pool.site, &s);

	return r ? r : buf_printf(b, "%s", s.name);
}

static int fact_site_generation(const struct facts *f, struct buf *b) { return put_number(b, f->v.site_generation); }
static int fact_site_written(const struct facts *f, struct buf *b) { return put_number(b, f->v.site_written_ns); }
static int fact_written(const struct facts *f, struct buf *b) { return put_number(b, f->st.written_ns); }
static int fact_protect(const struct facts *f, struct buf *b) { return put_switch(b, f->v.protect); }
static int fact_worm(const struct facts *f, struct buf *b) { return put_switch(b, f->v.worm); }
static int fact_capacity(const struct facts *f, struct buf *b) { return put_number(b, f->v.capacity_bytes); }
static int fact_generation(const struct facts *f, struct buf *b) { return put_number(b, f->st.generation); }
static int fact_partitions(const struct facts *f, struct buf *b) { return put_number(b, f->st.partitions); }
static int fact_objects(const struct facts *f, struct buf *b) { return put_number(b, f->st.end.objects); }
static int fact_filemarks(const struct facts *f, struct buf *b) { return put_number(b, f->st.end.marks); }
static int fact_logical(const struct facts *f, struct buf *b) { return put_number(b, f->st.end.bytes); }
static int fact_unique(const struct facts *f, struct buf *b) { return put_number(b, f->st.unique_bytes); }
static int fact_stored(const struct facts *f, struct buf *b) { return put_number(b, f->st.stored_bytes); }

static int fact_state(const struct facts *f, struct buf *b)
{
	return buf_printf(b, "%s", catalog_state_name(library_state(&f->v, &f->st)));
}

static int fact_record_size(const struct facts *f, struct buf *b)
{
	return put_number(b, f->v.record_bytes ? f->v.record_bytes : f->pool.record_bytes);
}

/* Logical bytes to what they cost on disk; "-" as long as they cost nothing. */
static int fact_ratio(const struct facts *f, struct buf *b)
{
	if (!f->st.stored_bytes)
		return buf_printf(b, "-");
	return buf_printf(b, "%.2f", (double)f->st.end.bytes / (double)f->st.stored_bytes);
}

/* The drive it is in, "" if in none. */
static int fact_loaded(const struct facts *f, struct buf *b)
{
	struct library_drive d;

	for (unsigned i = 0; i < library_drives(f->fs->lib); i++)
		if (!library_drive_info(f->fs->lib, i, &d) && d.loaded && d.volume == f->v.id)
			return buf_printf(b, "nst%u", i);
	return 0;
}

static const struct {
	const char *name;
	int (*put)(const struct facts *f, struct buf *b);
} facts[] = {
	{ "barcode", fact_barcode }, { "serial", fact_serial }, { "pool", fact_pool }, { "state", fact_state },
	{ "access", fact_access }, { "loaded", fact_loaded }, { "protect", fact_protect }, { "worm", fact_worm },
	{ "capacity", fact_capacity }, { "record_size", fact_record_size }, { "generation", fact_generation },
	{ "partitions", fact_partitions }, { "objects", fact_objects }, { "filemarks", fact_filemarks },
	{ "written", fact_written }, { "site", fact_site }, { "site_generation", fact_site_generation },
	{ "site_written", fact_site_written },
	{ "logical", fact_logical }, { "unique", fact_unique }, { "stored", fact_stored }, { "ratio", fact_ratio },
};

static bool has_facts(const struct node *n)
{
	return n->kind == NODE_TAPE || n->kind == NODE_VOLUME || n->kind == NODE_IMAGE;
}

int xattr_get(struct fs *fs, const struct node *n, const char *name, struct buf *out)
{
	struct facts f = { .fs = fs };
	size_t i = 0;
	int r;

	while (i < ARRAY_LEN(facts) && strcmp(facts[i].name, name))
		i++;
	if (i == ARRAY_LEN(facts) || !has_facts(n))
		return -ENODATA;
	r = tree_volume(fs, n->volume, &f.v);
	if (!r)
		r = tree_pool(fs, f.v.pool, &f.pool);
	if (!r)
		r = tree_volume_stat(fs, &f.v, &f.st);
	return r ? r : fs_errno(facts[i].put(&f, out));
}

int xattr_list(struct fs *fs, const struct node *n, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(facts) && has_facts(n) && !r; i++) {
		r = buf_printf(out, "user.vtape.%s", facts[i].name);
		if (!r)
			r = buf_put_u8(out, 0);
	}
	return r;
}

static void set_protect(struct catalog_volume *v, void *ctx)
{
	v->protect = *(bool *)ctx;
}

int xattr_set(struct fs *fs, const struct node *n, const char *name, const void *value, size_t len)
{
	bool on = (len == 2 && !memcmp(value, "on", 2)) || (len == 1 && !memcmp(value, "1", 1));
	bool off = (len == 3 && !memcmp(value, "off", 3)) || (len == 1 && !memcmp(value, "0", 1));

	if (node_is_archived(n))
		return -EROFS;
	if (!has_facts(n) || strcmp(name, "protect"))
		return -EPERM;
	if (!on && !off)
		return -EINVAL;
	return fs_errno(library_volume_change(fs->lib, n->volume, set_protect, &on));
}
