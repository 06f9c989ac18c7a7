/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools, volumes and tape files as bytes, and the keys of all that leads to them.  Pools and volumes are written in
 * their newest version; what an older one does not say is what a new pool or volume has.
 */
#include "catalog/catalog_rows.h"

#define VERSION_LOCKED 2	/* of pools and volumes: with locked_until_ns */
#define VERSION_LIFE 3		/* of pools and volumes: with what says how they live, and whose they are */
#define CODEC_MAX 2		/* chunk.h: none, lz4, zstd */

enum { POOL_VERIFY = 1, POOL_WORM = 2 };
enum { POOL_CONTENTS = 1, POOL_EXPIRE_LABEL = 2 };	/* of the second flags */
enum { VOLUME_PROTECT = 1, VOLUME_WORM = 2, VOLUME_IMAGE_EOM = 4 };

/* ---- keys ---- */

struct row_key key_pool(uint32_t pool)
{
	return key_of_u32('P', pool);
}

struct row_key key_pool_name(const char *name)
{
	return key_of_text('Q', name);
}

struct row_key key_volume(uint64_t volume)
{
	return key_of_u64('V', volume);
}

struct row_key key_volume_name(const char *name)
{
	return key_of_text('U', name);
}

struct row_key key_member(uint32_t pool, const char *name)
{
	struct row_key k = key_of_u32('M', pool);

	key_text(&k, name);
	return k;
}

struct row_key key_files(uint64_t volume)
{
	return key_of_u64('F', volume);
}

struct row_key key_file(uint64_t volume, uint64_t file)
{
	struct row_key k = key_files(volume);

	key_u64(&k, file);
	return k;
}

struct row_key key_file_names(uint64_t volume, const char *name)
{
	struct row_key k = key_of_u64('G', volume);

	if (name) {
		key_text(&k, name);
		k.b[k.len++] = 0;
	}
	return k;
}

struct row_key key_file_name(uint64_t volume, const char *name, uint64_t file)
{
	struct row_key k = key_file_names(volume, name);

	key_u64(&k, file);
	return k;
}

struct row_key key_tail(uint64_t volume)
{
	return key_of_u64('T', volume);
}

/* ---- rows ---- */

static void perm_put(struct buf *out, const struct catalog_perm *p)
{
	buf_put_le32(out, p->mode);
	buf_put_le32(out, p->uid);
	buf_put_le32(out, p->gid);
	buf_put_le64(out, p->mtime_ns);
	buf_put_le64(out, p->ctime_ns);
}

static struct catalog_perm cursor_perm(struct cursor *c)
{
	struct catalog_perm p;

	p.mode = cursor_le32(c);
	p.uid = cursor_le32(c);
	p.gid = cursor_le32(c);
	p.mtime_ns = cursor_le64(c);
	p.ctime_ns = cursor_le64(c);
	return p;
}

int pool_encode(const struct catalog_pool *p, struct buf *out)
{
	int r = row_begin_at(out, VERSION_LIFE);

	if (r)
		return r;
	buf_put_le32(out, p->id);
	buf_put_string(out, p->name);
	perm_put(out, &p->perm);
	buf_put_u8(out, p->codec);
	buf_put_le32(out, (uint32_t)p->level);
	buf_put_u8(out, (p->verify ? POOL_VERIFY : 0) | (p->worm ? POOL_WORM : 0));
	buf_put_le64(out, p->record_bytes);
	buf_put_le64(out, p->capacity_bytes);
	buf_put_le64(out, p->keep_s);
	buf_put_le64(out, p->volumes);
	buf_put_le64(out, p->locked_until_ns);
	buf_put_u8(out, (p->contents ? POOL_CONTENTS : 0) | (p->expire_label ? POOL_EXPIRE_LABEL : 0));
	buf_put_le64(out, p->expire_s);
	buf_put_string(out, p->scratch);
	buf_put_string(out, p->barcode);
	buf_put_u8(out, (uint8_t)p->access);
	buf_put_le32(out, p->site);
	return 0;
}

/* Of a row that was written before there was any of it: what a new pool has. */
static bool cursor_pool_life(struct cursor *c, uint8_t version, struct catalog_pool *p)
{
	uint8_t flags, access;

	p->contents = true;
	if (version < VERSION_LIFE)
		return true;
	flags = cursor_u8(c);
	p->contents = flags & POOL_CONTENTS;
	p->expire_label = flags & POOL_EXPIRE_LABEL;
	p->expire_s = cursor_le64(c);
	cursor_string(c, p->scratch, sizeof(p->scratch));
	cursor_string(c, p->barcode, sizeof(p->barcode));
	access = cursor_u8(c);
	p->access = access;
	p->site = cursor_le32(c);
	return !(flags & ~(POOL_CONTENTS | POOL_EXPIRE_LABEL)) && access <= ACCESS_RESTRICTED &&
	       (!p->scratch[0] || parse_is_name(p->scratch)) && (!p->barcode[0] || parse_is_name(p->barcode));
}

int pool_decode(const void *row, size_t len, struct catalog_pool *out)
{
	uint8_t version, flags;
	struct cursor c = row_cursor_upto(row, len, VERSION_LIFE, &version);
	struct catalog_pool p = { 0 };
	bool good;
	int r;

	p.id = cursor_le32(&c);
	cursor_string(&c, p.name, sizeof(p.name));
	p.perm = cursor_perm(&c);
	p.codec = cursor_u8(&c);
	p.level = (int32_t)cursor_le32(&c);
	flags = cursor_u8(&c);
	p.verify = flags & POOL_VERIFY;
	p.worm = flags & POOL_WORM;
	p.record_bytes = cursor_le64(&c);
	p.capacity_bytes = cursor_le64(&c);
	p.keep_s = cursor_le64(&c);
	p.volumes = cursor_le64(&c);
	p.locked_until_ns = version >= VERSION_LOCKED ? cursor_le64(&c) : 0;
	good = cursor_pool_life(&c, version, &p) && parse_is_name(p.name) && p.codec <= CODEC_MAX &&
	       !(flags & ~(POOL_VERIFY | POOL_WORM));
	r = row_end(&c, good, "a pool");
	if (!r)
		*out = p;
	return r;
}

int volume_encode(const struct catalog_volume *v, struct buf *out)
{
	int r = row_begin_at(out, VERSION_LIFE);

	if (r)
		return r;
	buf_put_le64(out, v->id);
	buf_put_le32(out, v->pool);
	buf_put_string(out, v->name);
	buf_put_string(out, v->serial);
	buf_put_u8(out, (uint8_t)v->state);
	buf_put_u8(out, (uint8_t)v->access);
	buf_put_u8(out, (v->protect ? VOLUME_PROTECT : 0) | (v->worm ? VOLUME_WORM : 0) |
				(v->image_eom ? VOLUME_IMAGE_EOM : 0));
	buf_put_le64(out, v->image_eom_generation);
	buf_put_le64(out, v->capacity_bytes);
	buf_put_le64(out, v->record_bytes);
	buf_put_le32(out, v->key_id);
	buf_put_le64(out, v->created_ns);
	perm_put(out, &v->perm);
	buf_put_le64(out, v->locked_until_ns);
	buf_put_le64(out, v->expires_ns);
	buf_put_le64(out, v->assigned_ns);
	buf_put_le32(out, v->site);
	buf_put_le64(out, v->site_generation);
	buf_put_le64(out, v->site_written_ns);
	return 0;
}

static void cursor_volume_life(struct cursor *c, uint8_t version, struct catalog_volume *v)
{
	if (version < VERSION_LIFE)
		return;
	v->expires_ns = cursor_le64(c);
	v->assigned_ns = cursor_le64(c);
	v->site = cursor_le32(c);
	v->site_generation = cursor_le64(c);
	v->site_written_ns = cursor_le64(c);
}

int volume_decode(const void *row, size_t len, struct catalog_volume *out)
{
	uint8_t version, state, access, flags;
	struct cursor c = row_cursor_upto(row, len, VERSION_LIFE, &version);
	struct catalog_volume v = { 0 };
	bool good;
	int r;

	v.id = cursor_le64(&c);
	v.pool = cursor_le32(&c);
	cursor_string(&c, v.name, sizeof(v.name));
	cursor_string(&c, v.serial, sizeof(v.serial));
	state = cursor_u8(&c);
	access = cursor_u8(&c);
	flags = cursor_u8(&c);
	v.state = state;
	v.access = access;
	v.protect = flags & VOLUME_PROTECT;
	v.worm = flags & VOLUME_WORM;
	v.image_eom = flags & VOLUME_IMAGE_EOM;
	v.image_eom_generation = cursor_le64(&c);
	v.capacity_bytes = cursor_le64(&c);
	v.record_bytes = cursor_le64(&c);
	v.key_id = cursor_le32(&c);
	v.created_ns = cursor_le64(&c);
	v.perm = cursor_perm(&c);
	v.locked_until_ns = version >= VERSION_LOCKED ? cursor_le64(&c) : 0;
	cursor_volume_life(&c, version, &v);
	good = state <= STATE_INCOMING && volume_name_is_good(v.name, v.state) &&
	       access <= ACCESS_RESTRICTED && !(flags & ~(VOLUME_PROTECT | VOLUME_WORM | VOLUME_IMAGE_EOM));
	r = row_end(&c, good, "a volume");
	if (!r)
		*out = v;
	return r;
}

bool file_name_is_good(const char *name)
{
	return name[0] && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/');
}

bool volume_name_is_good(const char *name, enum catalog_state state)
{
	return state == STATE_INCOMING ? file_name_is_good(name) : parse_is_name(name);
}

int file_encode(const struct catalog_file *f, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_le64(out, f->file);
	buf_put_le64(out, f->mark_object);
	buf_put_le64(out, f->stretch);
	buf_put_string(out, f->name);
	perm_put(out, &f->perm);
	return 0;
}

int file_decode(const void *row, size_t len, struct catalog_file *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_file f = { 0 };
	int r;

	f.file = cursor_le64(&c);
	f.mark_object = cursor_le64(&c);
	f.stretch = cursor_le64(&c);
	cursor_string(&c, f.name, sizeof(f.name));
	f.perm = cursor_perm(&c);
	r = row_end(&c, file_name_is_good(f.name), "a tape file");
	if (!r)
		*out = f;
	return r;
}
