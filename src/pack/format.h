/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack/format.h: every byte of a pack.  All numbers little-endian, all bytes called zero must be zero, nothing is
 * aligned or padded.  A pack that is still appended to is the header and its entries; sealing adds table and trailer.
 *
 *	+--------+-----------------+-----+-----------------+----------------+---------+
 *	| header | entry 0, stored | ... | entry n, stored | table, n+1 rows| trailer |
 *	+--------+-----------------+-----+-----------------+----------------+---------+
 *
 * Header
 *	offset size meaning
 *	0      8    "VTAPEPK1"
 *	8      4    version of the format, 1
 *	12     4    zero
 *	16     8    number of the pack
 *	24     8    created, ns since 1970
 *	32     24   zero
 *	56     8    sum64 of bytes 0..55
 *
 * Entry, followed by its stored bytes
 *	0      4    0x4b4e4843, "CHNK"
 *	4      1    codec
 *	5      3    zero
 *	8      4    raw length, 1..PACK_CHUNK_MAX
 *	12     4    stored length, 1..PACK_CHUNK_MAX
 *	16     32   digest of the raw bytes
 *	48     8    sum64 of the stored bytes
 *	56     8    sum64 of bytes 0..55
 *
 * Row of the table; stored bytes of slot k begin at 64 + the sum over i < k of (64 + stored length of i) + 64
 *	0      32   digest
 *	32     4    stored length
 *	36     3    raw length
 *	39     1    codec
 *
 * Trailer, the last 64 bytes
 *	0      8    "VTAPEPKT"
 *	8      4    version of the format, 1
 *	12     4    number of rows
 *	16     8    offset of the table: the end of the last entry
 *	24     8    raw bytes of all entries
 *	32     8    number of the pack
 *	40     8    sum64 of the table
 *	48     8    zero
 *	56     8    sum64 of bytes 0..55
 */
#ifndef PACK_FORMAT_H
#define PACK_FORMAT_H

#include <assert.h>
#include <vtape/pack.h>

enum {
	PACK_FORMAT_VERSION = 1,
	PACK_HEADER_BYTES = 64,
	PACK_ENTRY_BYTES = 64,
	PACK_ROW_BYTES = 40,
	PACK_TRAILER_BYTES = 64,
	PACK_SUMMED_BYTES = 56, /* of header, entry and trailer: what their last eight bytes are the sum of */
};
#define PACK_ENTRY_MAGIC 0x4b4e4843u
static_assert(PACK_ENTRY_BYTES == PACK_ENTRY_GAP, "a run of slots is one read: nothing but a header lies between");
static_assert(4 + 1 + 3 + 4 + 4 + sizeof(struct digest) + 8 + 8 == PACK_ENTRY_BYTES, "entry fields");
static_assert(sizeof(struct digest) + 4 + 3 + 1 == PACK_ROW_BYTES, "row fields");
static_assert(8 + 4 + 4 + 8 + 8 + 24 + 8 == PACK_HEADER_BYTES, "header fields");
static_assert(8 + 4 + 4 + 8 + 8 + 8 + 8 + 8 + 8 == PACK_TRAILER_BYTES, "trailer fields");
static_assert(PACK_CHUNK_MAX < 1u << 24, "a raw length must fit into three bytes of a row");

struct pack_header {
	uint64_t number;
	uint64_t created_ns;
};
struct pack_trailer {
	uint32_t count;
	uint64_t table_offset;
	uint64_t raw_bytes;
	uint64_t number;
	uint64_t table_sum;
};

/*
 * Unpacking gives 0; -EUCLEAN if the magic or a length is not one of ours; -EBADMSG if the magic is and the sum is
 * wrong; -EPROTONOSUPPORT if all that is right and the version is another: a newer vtape wrote it, so hands off.
 */
void pack_header_pack(const struct pack_header *h, uint8_t out[PACK_HEADER_BYTES]);
int pack_header_unpack(const uint8_t in[PACK_HEADER_BYTES], struct pack_header *h);

/* The offset of @e is not stored and not set. */
void pack_entry_pack(const struct pack_entry *e, uint64_t stored_sum, uint8_t out[PACK_ENTRY_BYTES]);
int pack_entry_unpack(const uint8_t in[PACK_ENTRY_BYTES], struct pack_entry *e, uint64_t *stored_sum);

void pack_row_pack(const struct pack_entry *e, uint8_t out[PACK_ROW_BYTES]);
int pack_row_unpack(const uint8_t in[PACK_ROW_BYTES], struct pack_entry *e);

void pack_trailer_pack(const struct pack_trailer *t, uint8_t out[PACK_TRAILER_BYTES]);
int pack_trailer_unpack(const uint8_t in[PACK_TRAILER_BYTES], struct pack_trailer *t);

/* A header, an entry's header or a trailer in which at most one bit is wrong, its sum included: that bit is turned
 * back. False, and unchanged, if more is wrong.  The sum has 64 bits, so another block is not made right by chance. */
bool pack_mend_bit(uint8_t block[PACK_SUMMED_BYTES + 8]);

#endif
