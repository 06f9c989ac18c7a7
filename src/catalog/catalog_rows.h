/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and rows of KV_CATALOG as bytes; the table of them is at the head of catalog_format.c. */
#ifndef VTAPE_CATALOG_ROWS_H
#define VTAPE_CATALOG_ROWS_H

#include <vtape/catalog.h>

#define CATALOG_SCHEMA 1
#define ROW_MAX 1024	/* bytes of an encoded row, tails apart */

/* Counters of numbers that are never used again. */
enum number { NUMBER_POOL = 'p', NUMBER_VOLUME = 'v', NUMBER_EVENT = 'e' };
/* No store lives long enough to count so far: a key with a higher number is damaged, and none is given out. */
#define NUMBER_MAX (1ull << 62)
#define NUMBER_MAX_32 (1u << 30)	/* of pools and drives */

/* The retention clock as it was when CLOCK_BOOTTIME of @boot was @boot_ns. */
struct clock_row {
	uint64_t time_ns, boot_ns;
	uint8_t boot[16];	/* all zero: not known */
	bool gap;		/* time may be missing: the machine was off for nobody knows how long */
	bool told;		/* that the wall clock is far away has been told */
};

struct row_key {
	uint8_t b[288];
	size_t len;
};

/* What keys and rows are made of. */
struct row_key key_of(char letter);
struct row_key key_of_u32(char letter, uint32_t v);
struct row_key key_of_u64(char letter, uint64_t v);
struct row_key key_of_text(char letter, const char *s);
void key_u32(struct row_key *k, uint32_t v);
void key_u64(struct row_key *k, uint64_t v);
void key_text(struct row_key *k, const char *s);
/* Empties it, and has room for any row, so that the puts behind it cannot fail. */
int row_begin(struct buf *out);
int row_begin_at(struct buf *out, uint8_t version);
/* Behind the version, which is 1; of rows that had others since, at least 1 and not beyond @newest. */
struct cursor row_cursor(const void *row, size_t len);
struct cursor row_cursor_upto(const void *row, size_t len, uint8_t newest, uint8_t *version);
int row_end(const struct cursor *c, bool good, const char *what);	/* -EUCLEAN with words */

struct row_key key_schema(void);
struct row_key key_number(enum number n);
struct row_key key_pool(uint32_t pool);
struct row_key key_pool_name(const char *name);			/* "": before all of them */
struct row_key key_volume(uint64_t volume);
struct row_key key_volume_name(const char *name);
struct row_key key_member(uint32_t pool, const char *name);	/* "": prefix of the pool's volumes */
struct row_key key_file(uint64_t volume, uint64_t file);
struct row_key key_files(uint64_t volume);			/* prefix of the former */
struct row_key key_file_name(uint64_t volume, const char *name, uint64_t file);
struct row_key key_file_names(uint64_t volume, const char *name); /* prefix of the former; NULL: of all names */
struct row_key key_tail(uint64_t volume);
struct row_key key_drive(uint32_t drive);
struct row_key key_event(uint64_t seq);
struct row_key key_events(void);				/* prefix of the former */
struct row_key key_store(void);
struct row_key key_clock(void);
struct row_key key_work(const char *name);
struct row_key key_place(uint64_t volume);
struct row_key key_places(void);				/* prefix of the former */
struct row_key key_mam(uint64_t volume, uint32_t partition, uint16_t id);
struct row_key key_mams(uint64_t volume);			/* prefix of the former */
struct row_key key_unit(uint32_t number);			/* CATALOG_UNIT_CHANGER: a key of its own */
struct row_key key_scsi(void);
struct row_key key_stacker(uint32_t drive);			/* catalog_stacker.c */
struct row_key key_site(uint32_t number);
struct row_key key_sites(void);					/* prefix of the former */
struct row_key key_clash(const char *name, uint32_t site);
struct row_key key_clashes(const char *name);			/* prefix of the former; NULL: of all names */
struct row_key key_hook(const char *name);			/* "": prefix of all */

/* Each *_encode replaces @out; each *_decode gives -EUCLEAN with words for anything that *_encode does not write. */
int pool_encode(const struct catalog_pool *p, struct buf *out);
int pool_decode(const void *row, size_t len, struct catalog_pool *out);
int volume_encode(const struct catalog_volume *v, struct buf *out);
int volume_decode(const void *row, size_t len, struct catalog_volume *out);
int file_encode(const struct catalog_file *f, struct buf *out);
int file_decode(const void *row, size_t len, struct catalog_file *out);
int event_encode(const struct catalog_event *e, struct buf *out);
int event_decode(uint64_t seq, const void *row, size_t len, struct catalog_event *out);
int schema_encode(uint32_t schema, struct buf *out);
int schema_decode(const void *row, size_t len, uint32_t *schema);
int number_encode(uint64_t n, struct buf *out);
int number_decode(const void *row, size_t len, uint64_t *n);
extern const struct catalog_store store_defaults;
int store_encode(const struct catalog_store *s, struct buf *out);
int store_decode(const void *row, size_t len, struct catalog_store *out);
int clock_encode(const struct clock_row *k, struct buf *out);
int clock_decode(const void *row, size_t len, struct clock_row *out);
int place_encode(const struct catalog_place *p, struct buf *out);
int place_decode(const void *row, size_t len, struct catalog_place *out);
int mam_encode(enum catalog_mam_format format, const void *p, size_t n, struct buf *out);
/* *p within @row. */
int mam_decode(const void *row, size_t len, enum catalog_mam_format *format, const uint8_t **p, size_t *n);
int unit_encode(const struct catalog_unit *u, struct buf *out);
int unit_decode(uint32_t number, const void *row, size_t len, struct catalog_unit *out);
int scsi_encode(const struct catalog_scsi *s, struct buf *out);
int scsi_decode(const void *row, size_t len, struct catalog_scsi *out);
int stacker_encode(const struct catalog_stacker *s, struct buf *out);	/* not off: that has no row */
int stacker_decode(const void *row, size_t len, struct catalog_stacker *out);
/* catalog_site_format.c */
int site_encode(const struct catalog_site *s, struct buf *out);
int site_decode(uint32_t number, const void *row, size_t len, struct catalog_site *out);
int key_clash_parse(const uint8_t *key, size_t len, struct catalog_clash *out);	/* .name and .site */
int clash_encode(const struct catalog_clash *k, struct buf *out);
int clash_decode(const void *row, size_t len, struct catalog_clash *k);		/* the others */
int hook_encode(const struct catalog_hook *h, struct buf *out);
int hook_decode(const char *name, const void *row, size_t len, struct catalog_hook *out);
bool site_id_is_good(const char *id);		/* 32 hex digits, or "" */
bool serial_is_good(const char *serial);	/* 16 hex digits */

/* A name that a tape file may have: what a folder can show. */
bool file_name_is_good(const char *name);
/* What is still arriving as an image may have any name that a file has (rsync's temporary ones begin with a dot). */
bool volume_name_is_good(const char *name, enum catalog_state state);

#endif
