/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The catalog as bytes.  A key begins with a letter that says what the row is; numbers in keys are big-endian, so that
 * rows lie in the order of their numbers.  A row begins with its version (1, if nothing else is said); numbers in rows
 * are little-endian; a string is a LEB128 length and that many bytes without a NUL.
 *
 *   key                              row                          what
 *   'S'                              u8 version, u32 schema       the schema of all that follows
 *   'N' letter                       u8 version, u64              numbers below this are taken: 'p' pools, 'v' volumes,
 *                                                                 'e' events
 *   'P' u32 pool                     pool                         a pool
 *   'Q' name                         u32 pool (big-endian)        its name
 *   'V' u64 volume                   volume                       a volume
 *   'U' name                         u64 volume (big-endian)      its name, unique in the store
 *   'M' u32 pool, name               u64 volume (big-endian)      the volumes of a pool, by name
 *   'F' u64 volume, u64 file         file                         the name given to a tape file
 *   'G' u64 volume, name, 0, u64 file  (empty)                    the same by name
 *   'T' u64 volume                   bytes                        the unfinished end of an image
 *   'D' u32 drive                    u64 volume (big-endian)      what is loaded in a drive
 *   'E' u64 seq                      event                        an event
 *   'X'                              store                        properties of the store as a whole
 *   'R'                              clock                        the retention clock
 *   'W' name                         bytes                        where a long walk over the store stands
 *   'L' u64 volume                   place                        catalog_scsi_format.c has this one and those below:
 *   'A' u64 volume, u32 partition, u16 id    mam                  an attribute of the cartridge's memory
 *   'I' u32 drive                    unit                         a drive as a SCSI unit
 *   'J'                              unit                         the changer as a SCSI unit
 *   'B'                              scsi                         are they set up, how many slots and ports
 *   'K' u32 site                     site                         catalog_site_format.c has this one and those below:
 *   'C' name, 0, u32 site            clash                        a label that another site has too
 *   'H' name                         hook                         a program that is run for events
 *   'Y' u32 drive                    stacker                      what a drive loads by itself
 *
 *   perm     u32 mode, u32 uid, u32 gid, u64 mtime_ns, u64 ctime_ns
 *   pool     u8 version, u32 id, string name, perm, u8 codec, i32 level, u8 flags (1 verify, 2 worm),
 *            u64 record_bytes, u64 capacity_bytes, u64 keep_s, u64 volumes, from version 2 on u64 locked_until_ns,
 *            from version 3 on u8 flags (1 contents, 2 expire_label), u64 expire_s, string scratch, string barcode,
 *            u8 access, u32 site
 *   volume   u8 version, u64 id, u32 pool, string name, string serial, u8 state, u8 access,
 *            u8 flags (1 protect, 2 worm, 4 image_eom), u64 image_eom_generation, u64 capacity_bytes,
 *            u64 record_bytes, u32 key_id, u64 created_ns, perm, from version 2 on u64 locked_until_ns,
 *            from version 3 on u64 expires_ns, u64 assigned_ns, u32 site, u64 site_generation, u64 site_written_ns
 *   file     u8 version, u64 file, u64 mark_object, u64 stretch, string name, perm
 *   event    u8 version, u64 time_ns, u16 number, u8 severity, string about, string text
 *   store    u8 version, u64 scrub_every_s, u64 scrub_rate_bytes, u64 gc_rate_bytes, u32 gc_live_percent,
 *            u8 flags (1 gc_off)
 *   stacker  u8 version, u8 mode (1 the next scratch, 2 the next of all), u32 pool
 *   clock    u8 version, u8 flags (1 gap, 2 told), u64 time_ns, u64 boot_ns, 16 bytes boot
 *
 * A decoder takes the whole row or refuses it, so what it gives out need not be checked again.
 */
#include "catalog/catalog_rows.h"

#include <errno.h>

#define ROW_VERSION 1
#define ROW_VERSION_LOCKED 2	/* of pools and volumes: with locked_until_ns */
#define ROW_VERSION_LIFE 3	/* of pools and volumes: with what says how they live, and whose they are */
#define CODEC_MAX 2	/* chunk.h: none, lz4, zstd */

enum { POOL_VERIFY = 1, POOL_WORM = 2 };
enum { POOL_CONTENTS = 1, POOL_EXPIRE_LABEL = 2 };	/* of the second flags */
enum { VOLUME_PROTECT = 1, VOLUME_WORM = 2, VOLUME_IMAGE_EOM = 4 };
enum { CLOCK_GAP = 1, CLOCK_TOLD = 2 };

/* ---- keys ---- */

void key_u32(struct row_key *k, uint32_t v)
{
	put_be32(k->b + k->len, v);
	k->len += 4;
}

void key_u64(struct row_key *k, uint64_t v)
{
	put_be64(k->b + k->len, v);
	k->len += 8;
}

/* No name is longer than a file's; what a caller asks for may be, and is then the key of nothing. */
void key_text(struct row_key *k, const char *s)
{
	size_t n = strnlen(s, 256);

	memcpy(k->b + k->len, s, n);
	k->len += n;
}

struct row_key key_of(char letter)
{
	return (struct row_key){ .b = { (uint8_t)letter }, .len = 1 };
}

struct row_key key_schema(void)
{
	return key_of('S');
}

struct row_key key_number(enum number n)
{
	struct row_key k = key_of('N');

	k.b[k.len++] = (uint8_t)n;
	return k;
}

struct row_key key_pool(uint32_t pool)
{
	struct row_key k = key_of('P');

	key_u32(&k, pool);
	return k;
}

struct row_key key_pool_name(const char *name)
{
	struct row_key k = key_of('Q');

	key_text(&k, name);
	return k;
}

struct row_key key_volume(uint64_t volume)
{
	struct row_key k = key_of('V');

	key_u64(&k, volume);
	return k;
}

struct row_key key_volume_name(const char *name)
{
	struct row_key k = key_of('U');

	key_text(&k, name);
	return k;
}

struct row_key key_member(uint32_t pool, const char *name)
{
	struct row_key k = key_of('M');

	key_u32(&k, pool);
	key_text(&k, name);
	return k;
}

struct row_key key_files(uint64_t volume)
{
	struct row_key k = key_of('F');

	key_u64(&k, volume);
	return k;
}

struct row_key key_file(uint64_t volume, uint64_t file)
{
	struct row_key k = key_files(volume);

	key_u64(&k, file);
	return k;
}

struct row_key key_file_names(uint64_t volume, const char *name)
{
	struct row_key k = key_of('G');

	key_u64(&k, volume);
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
	struct row_key k = key_of('T');

	key_u64(&k, volume);
	return k;
}

struct row_key key_drive(uint32_t drive)
{
	struct row_key k = key_of('D');

	key_u32(&k, drive);
	return k;
}

struct row_key key_events(void)
{
	return key_of('E');
}

struct row_key key_event(uint64_t seq)
{
	struct row_key k = key_events();

	key_u64(&k, seq);
	return k;
}

struct row_key key_store(void)
{
	return key_of('X');
}

struct row_key key_clock(void)
{
	return key_of('R');
}

struct row_key key_work(const char *name)
{
	struct row_key k = key_of('W');

	key_text(&k, name);
	return k;
}

/* ---- rows ---- */

/* Room for any row, so that the puts behind it cannot fail. */
static int row_begin_at(struct buf *out, uint8_t version)
{
	int r;

	out->len = 0;
	r = buf_reserve(out, ROW_MAX);
	return r ? r : buf_put_u8(out, version);
}

int row_begin(struct buf *out)
{
	return row_begin_at(out, ROW_VERSION);
}

static struct cursor row_cursor_upto(const void *row, size_t len, uint8_t newest, uint8_t *version)
{
	struct cursor c = cursor_of(row, len);

	*version = cursor_u8(&c);
	if (*version < ROW_VERSION || *version > newest)
		c.bad = true;
	return c;
}

struct cursor row_cursor(const void *row, size_t len)
{
	uint8_t version;

	return row_cursor_upto(row, len, ROW_VERSION, &version);
}

int row_end(const struct cursor *c, bool good, const char *what)
{
	if (c->bad || !good || cursor_left(c))
		return err_explain(-EUCLEAN, "catalog: a row of %s is damaged or of a version that is not known", what);
	return 0;
}

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
	int r = row_begin_at(out, ROW_VERSION_LIFE);

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
	if (version < ROW_VERSION_LIFE)
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
	struct cursor c = row_cursor_upto(row, len, ROW_VERSION_LIFE, &version);
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
	p.locked_until_ns = version >= ROW_VERSION_LOCKED ? cursor_le64(&c) : 0;
	good = cursor_pool_life(&c, version, &p) && parse_is_name(p.name) && p.codec <= CODEC_MAX &&
	       !(flags & ~(POOL_VERIFY | POOL_WORM));
	r = row_end(&c, good, "a pool");
	if (!r)
		*out = p;
	return r;
}

int volume_encode(const struct catalog_volume *v, struct buf *out)
{
	int r = row_begin_at(out, ROW_VERSION_LIFE);

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
	if (version < ROW_VERSION_LIFE)
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
	struct cursor c = row_cursor_upto(row, len, ROW_VERSION_LIFE, &version);
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
	v.locked_until_ns = version >= ROW_VERSION_LOCKED ? cursor_le64(&c) : 0;
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

int event_encode(const struct catalog_event *e, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_le64(out, e->time_ns);
	buf_put_le16(out, e->number);
	buf_put_u8(out, (uint8_t)e->severity);
	buf_put_string(out, e->about);
	buf_put_string(out, e->text);
	return 0;
}

int event_decode(uint64_t seq, const void *row, size_t len, struct catalog_event *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_event e = { .seq = seq };
	uint8_t severity;
	int r;

	e.time_ns = cursor_le64(&c);
	e.number = cursor_le16(&c);
	severity = cursor_u8(&c);
	e.severity = severity;
	cursor_string(&c, e.about, sizeof(e.about));
	cursor_string(&c, e.text, sizeof(e.text));
	r = row_end(&c, severity <= EVENT_ERROR, "an event");
	if (!r)
		*out = e;
	return r;
}

int schema_encode(uint32_t schema, struct buf *out)
{
	int r = row_begin(out);

	return r ? r : buf_put_le32(out, schema);
}

int schema_decode(const void *row, size_t len, uint32_t *schema)
{
	struct cursor c = row_cursor(row, len);
	uint32_t v = cursor_le32(&c);
	int r = row_end(&c, true, "the schema");

	if (!r)
		*schema = v;
	return r;
}

int number_encode(uint64_t n, struct buf *out)
{
	int r = row_begin(out);

	return r ? r : buf_put_le64(out, n);
}

int number_decode(const void *row, size_t len, uint64_t *n)
{
	struct cursor c = row_cursor(row, len);
	uint64_t v = cursor_le64(&c);
	int r = row_end(&c, v > 0 && v <= 2 * NUMBER_MAX, "a number");

	if (!r)
		*n = v;
	return r;
}

enum { STORE_GC_OFF = 1 };

int store_encode(const struct catalog_store *s, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_le64(out, s->scrub_every_s);
	buf_put_le64(out, s->scrub_rate_bytes);
	buf_put_le64(out, s->gc_rate_bytes);
	buf_put_le32(out, s->gc_live_percent);
	return buf_put_u8(out, s->gc_off ? STORE_GC_OFF : 0);
}

int store_decode(const void *row, size_t len, struct catalog_store *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_store s;
	uint8_t flags;
	int r;

	s.scrub_every_s = cursor_le64(&c);
	s.scrub_rate_bytes = cursor_le64(&c);
	s.gc_rate_bytes = cursor_le64(&c);
	s.gc_live_percent = cursor_le32(&c);
	flags = cursor_u8(&c);
	s.gc_off = flags & STORE_GC_OFF;
	r = row_end(&c, !(flags & ~STORE_GC_OFF) && s.scrub_rate_bytes > 0 && s.gc_live_percent <= 100,
		    "the store's properties");
	if (!r)
		*out = s;
	return r;
}

int clock_encode(const struct clock_row *k, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_u8(out, (k->gap ? CLOCK_GAP : 0) | (k->told ? CLOCK_TOLD : 0));
	buf_put_le64(out, k->time_ns);
	buf_put_le64(out, k->boot_ns);
	return buf_append(out, k->boot, sizeof(k->boot));
}

int clock_decode(const void *row, size_t len, struct clock_row *out)
{
	struct cursor c = row_cursor(row, len);
	uint8_t flags = cursor_u8(&c);
	struct clock_row k = { .gap = flags & CLOCK_GAP, .told = flags & CLOCK_TOLD };
	const uint8_t *boot;
	int r;

	k.time_ns = cursor_le64(&c);
	k.boot_ns = cursor_le64(&c);
	boot = cursor_bytes(&c, sizeof(k.boot));
	if (boot)
		memcpy(k.boot, boot, sizeof(k.boot));
	r = row_end(&c, k.time_ns && !(flags & ~(CLOCK_GAP | CLOCK_TOLD)), "the retention clock");
	if (!r)
		*out = k;
	return r;
}
