/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * util: what every room stands on.  Errors and the log, whole reads and writes, bytes in a fixed order, growing
 * buffers, words a person types (sizes, times, barcodes), digests, the clock, and workers that finish in order.
 *
 * Results everywhere in vtape: 0 done; < 0 is -errno, fatal to this request, passed up untouched; > 0 is a condition
 * from the callee's own documented enum, dealt with by the direct caller.
 */
#ifndef VTAPE_UTIL_H
#define VTAPE_UTIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
/* Hand a cleanup-local over: the local becomes NULL, the value is the caller's. */
#define STEAL(p) (__extension__({ __typeof__(p) steal_ = (p); (p) = NULL; steal_; }))
/* Hold a mutex until the end of the scope. */
#define LOCK_SCOPE(m) LOCK_SCOPE_AT(m, __LINE__)
#define LOCK_SCOPE_AT(m, line) LOCK_SCOPE_NAMED(m, line)
#define LOCK_SCOPE_NAMED(m, line) \
	__attribute__((unused)) CLEANUP(lock_scope_end) pthread_mutex_t *lock_scope_##line = lock_scope_begin(m)

static inline pthread_mutex_t *lock_scope_begin(pthread_mutex_t *m) { pthread_mutex_lock(m); return m; }
static inline void lock_scope_end(pthread_mutex_t **m) { pthread_mutex_unlock(*m); }
void fd_closep(int *fd);	/* CLEANUP(fd_closep) int fd = -1; */
void freep(void *p);		/* CLEANUP(freep) char *s = NULL; */

/* ---- err.c: the trace of fatal results ------------------------------------------------------------------- */

/* Where a fatal result is born: logs "FILE:LINE: strerror" once at debug level, remembers it as this thread's text
 * unless err_explain() already said more, returns @r. */
#define err_origin(r) err_same(r, err_origin_at(same_, __FILE__, __LINE__))
void err_origin_at(int r, const char *file, int line);

/* As err_origin(), with words for a person: what was being done to what, and why not.  Returns @r. */
#define err_explain(r, ...) err_same(r, err_explain_at(same_, __VA_ARGS__))
void err_explain_at(int r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The result stays visible to the compiler, which then knows that what is written on success only is not read here. */
#define err_same(r, tell) (__extension__({ const int same_ = (r); tell; same_; }))

/* A condition (> 0) that "cannot happen" here becomes -ENOTRECOVERABLE and is logged; 0 and < 0 pass. */
#define err_fold(r) err_fold_at((r), __FILE__, __LINE__)
int err_fold_at(int r, const char *file, int line);

/* The words of this thread's last failure, or strerror(-r) if none were given for @r.  Borrowed until the next call. */
const char *err_text(int r);
void err_clear(void);

/* ---- log.c ------------------------------------------------------------------------------------------------ */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
/* To standard error until log_to_syslog(); lines up to @level are shown (default: WARN). */
void log_set_level(enum log_level level);
void log_to_syslog(const char *ident);
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What the system's log gets whatever the level that is shown; on standard error it is a line as any other. */
void log_news(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* ---- bytes and buffers: buf.c ----------------------------------------------------------------------------- */

/* Numbers in a fixed byte order at any address.  Little-endian in formats; big-endian in keys, where byte order must be
 * number order. */
static inline uint16_t get_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t get_le32(const void *p)
{
	const uint8_t *b = p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t get_le64(const void *p)
{
	return get_le32(p) | (uint64_t)get_le32((const uint8_t *)p + 4) << 32;
}

static inline uint16_t get_be16(const void *p)
{
	return __builtin_bswap16(get_le16(p));
}

static inline uint32_t get_be32(const void *p)
{
	return __builtin_bswap32(get_le32(p));
}

static inline uint64_t get_be64(const void *p)
{
	return __builtin_bswap64(get_le64(p));
}

static inline void put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(void *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(void *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

static inline void put_be16(void *p, uint16_t v)
{
	put_le16(p, __builtin_bswap16(v));
}

static inline void put_be32(void *p, uint32_t v)
{
	put_le32(p, __builtin_bswap32(v));
}

static inline void put_be64(void *p, uint64_t v)
{
	put_le64(p, __builtin_bswap64(v));
}

struct buf {
	uint8_t *data;
	size_t len, cap;
};
#define BUF_INIT { NULL, 0, 0 }
void buf_fini(struct buf *b);					/* frees; b is empty and usable again */
int buf_reserve(struct buf *b, size_t more);			/* room for @more bytes beyond len; -ENOMEM */
int buf_append(struct buf *b, const void *p, size_t n);
int buf_put_u8(struct buf *b, uint8_t v);
int buf_put_le16(struct buf *b, uint16_t v);
int buf_put_le32(struct buf *b, uint32_t v);
int buf_put_le64(struct buf *b, uint64_t v);
int buf_put_be64(struct buf *b, uint64_t v);			/* keys: byte order is number order */
int buf_put_varint(struct buf *b, uint64_t v);			/* LEB128, 1..10 bytes */
int buf_put_string(struct buf *b, const char *s);		/* varint length, bytes, no NUL; NULL as "" */
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3); /* text; keeps a NUL beyond len */

/* Reads foreign bytes: past the end or malformed, every get gives 0 and .bad stays true. Check .bad once at the end. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};
static inline struct cursor cursor_of(const void *p, size_t n)
{
	return (struct cursor){ p, n ? (const uint8_t *)p + n : p, false };	/* nothing may be NULL */
}
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_le16(struct cursor *c);
uint32_t cursor_le32(struct cursor *c);
uint64_t cursor_le64(struct cursor *c);
uint64_t cursor_be64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);
const uint8_t *cursor_bytes(struct cursor *c, size_t n);	/* borrowed; NULL if fewer than @n are left */
/* A NUL-terminated copy; sets .bad if it does not fit or holds a NUL. */
int cursor_string(struct cursor *c, char *out, size_t cap);
static inline size_t cursor_left(const struct cursor *c) { return (size_t)(c->end - c->p); }

/* ---- io.c: whole transfers and files that survive --------------------------------------------------------- */

int io_read_full(int fd, void *buf, size_t len, size_t *got);	/* *got < len only at end of file */
int io_pread_full(int fd, void *buf, size_t len, uint64_t off);	/* -EUCLEAN if the file ends first */
int io_write_full(int fd, const void *buf, size_t len);
int io_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);
int io_read_file(const char *path, size_t max, struct buf *out); /* -EFBIG beyond @max */
int io_fsync_dir(const char *dir);
int io_fsync_parent(const char *path);				/* the folder that @path is in */
/* Replace @path by these bytes so that a power cut leaves the old file or the new one, whole: temporary file, fsync,
 * rename, fsync of the folder. */
int io_replace(const char *path, const void *buf, size_t len, mode_t mode);
int io_path(char *out, size_t cap, const char *fmt, ...) PRINTF_LIKE(3, 4); /* -ENAMETOOLONG */

/* ---- parse.c: words that a person types ------------------------------------------------------------------- */

#define BARCODE_MAX 64	/* bytes of a volume's or a pool's name, NUL not counted */
/* "4096", "256K", "1.5G", "2TiB" (powers of 1024; K, KB and KiB are one); -EINVAL, -ERANGE. */
int parse_size(const char *s, uint64_t *out);
/* "90s", "15m", "12h", "7d", "2w", "1y", "0"; seconds.  -EINVAL, -ERANGE. */
int parse_duration(const char *s, uint64_t *seconds);
/* A volume or pool name: 1..BARCODE_MAX of A-Z a-z 0-9 . _ - +, not starting with '.' or '-'. */
bool parse_is_name(const char *s);
/* "A00001" (one), "A00001-A00100", "A00001+100": a numbered range over the last run of digits; the media type of a
 * barcode ("L8" in "A00001L8") stays as it is.  .count is 1..1,000,000; name i is written by parse_range_name().
 * -EINVAL, -ERANGE with words. */
struct name_range {
	char prefix[BARCODE_MAX + 1];
	char suffix[BARCODE_MAX + 1];
	unsigned digits;
	uint64_t first, count;
};
int parse_range(const char *s, struct name_range *out);
int parse_range_name(const struct name_range *r, uint64_t i, char out[BARCODE_MAX + 1]);
/* "1.5 GiB" and "17 B" for tables; @out at least 16 bytes.  Returns @out. */
char *format_size(uint64_t bytes, char *out);
/* "2026-11-21 20:15:03" in local time, "-" for 0; @out at least 32 bytes.  Returns @out. */
char *format_time(uint64_t ns, char *out);

/* ---- clock.c ---------------------------------------------------------------------------------------------- */

uint64_t clock_now_ns(void);		/* wall clock, ns since 1970 */
uint64_t clock_mono_ns(void);		/* for measuring and for timeouts */
void clock_set(uint64_t now_ns);	/* tests only: the wall clock stands still there; 0 lets it run again */

/* The retention clock: what locks and keep times are measured against.  It runs with the machine (CLOCK_BOOTTIME),
 * never backwards, and not with the wall clock, so setting that forward ends no lock; see catalog.h for how it lives
 * on. */
uint64_t clock_retention_ns(void);	/* the wall clock until clock_retention_set() */
void clock_retention_set(uint64_t now_ns);	/* runs on from there; 0: follows the wall clock again (tests) */
uint64_t clock_boot_ns(void);		/* CLOCK_BOOTTIME */
/* Which boot of the machine this is; false if it cannot be told, then @id is all zero. */
bool clock_boot_id(uint8_t id[16]);
/* Tests only: this boot, and CLOCK_BOOTTIME stands still at @boot_ns; NULL: the machine's own again. */
void clock_boot_set(const uint8_t id[16], uint64_t boot_ns);

/* ---- digest.c: who a chunk is ----------------------------------------------------------------------------- */

/* Bytes 0..15: XXH3-128 of the chunk (canonical order), index key and checksum.  Bytes 16..31: GMAC under the store's
 * secret, its nonce the first 12 bytes of the former.  Two chunks are one only when all 32 bytes agree (design.md,
 * "Identity"): XXH3 alone can be made to collide. */
struct digest { uint8_t b[32]; };
struct digester;				/* the keyed state; shared by threads, each call is independent */
int digester_new(const uint8_t key[32], struct digester **out);
struct digester *digester_free(struct digester *d);
int digest_of(struct digester *d, const void *p, size_t n, struct digest *out);
/* The 16 byte checksum alone: is this what @want says?  No key needed. */
bool digest_fits(const struct digest *want, const void *p, size_t n);
static inline bool digest_equal(const struct digest *a, const struct digest *b) { return !memcmp(a->b, b->b, 32); }
/* A 64-bit sum against accidents (XXH3-64), for headers and pages. */
uint64_t sum64(const void *p, size_t n);
int random_bytes(void *out, size_t n);
/* sumset.c: a set of such sums; two things of one sum are taken for one (2^-64 for each pair).  Zeroed: empty. */
struct sumset { uint64_t *slot; size_t slots, used; };
int sumset_add(struct sumset *s, uint64_t sum, bool *was);
bool sumset_has(const struct sumset *s, uint64_t sum);
void sumset_fini(struct sumset *s);

/* ---- workers.c: jobs run at once, finished in order ------------------------------------------------------- */

/*
 * A pool of threads and, on it, lanes.  Jobs of one lane run in parallel (run), and are finished (done) strictly in
 * the order in which they were submitted, one at a time.  A lane holds at most its depth of jobs that are not finished;
 * lane_submit() waits for room, which bounds memory and is the back pressure on a writer.
 * The serial twin (workers_serial_new) runs and finishes each job inside lane_submit(): same input, same result.
 * A job's run and done may not submit to their own lane, and done may not wait for it.
 */
struct workers;
struct lane;
struct job {
	void (*run)(struct job *j);	/* any thread, beside other jobs */
	void (*done)(struct job *j);	/* any thread, in order; may free the job */
	struct job *next;		/* the pool's */
	struct lane *lane;		/* the pool's */
	int state;			/* the pool's */
};
int workers_new(unsigned threads, struct workers **out);	/* 0: one per processor */
int workers_serial_new(struct workers **out);
struct workers *workers_free(struct workers *w);		/* all lanes must be gone */
unsigned workers_threads(const struct workers *w);		/* 0 for the serial twin */
int lane_new(struct workers *w, unsigned depth, struct lane **out);
struct lane *lane_free(struct lane *l);				/* waits until it is empty */
void lane_submit(struct lane *l, struct job *j);		/* takes @j until done */
void lane_wait_empty(struct lane *l);				/* every job submitted before is finished */

#endif
