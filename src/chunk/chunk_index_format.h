/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows that chunk/ keeps in KV_INDEX and KV_PACK, to and from bytes (vtape-format(5), "Index of chunks").
 *
 * KV_INDEX
 *   key    16  first half of the digest
 *   value  18  number of the pack u48le, slot u32le, raw length u24le, first 5 bytes of the digest's second half
 *
 * KV_PACK, by the first byte of the key
 *   'P' number u64be              a sealed pack: version u8 (1), chunks u32le, raw bytes u64le, file bytes u64le; and
 *                                 the raw length u24le of every chunk, 0 if that was not known, or nothing.  If the
 *                                 pack is lost, chunks that are elsewhere still have their place in the stream.
 *   'O' number u64be              a pack not yet sealed when numbers beyond its step were reserved; no value
 *   'O' number u64be slots u32be  a pack not yet sealed when a commit named chunks of it: so many slots of it were
 *                                 safe then, the highest such row counts; no value
 *   'D' number u64be              a pack whose file is about to be removed; no value
 *   'B' number u64be slot u32be   a chunk that failed its check; no value.  Slot 0xffffffff: the pack is lost, or a
 *                                 part of its table of contents: what the index knew of it is in the rows 'L'
 *   'L' number u64be slot u32be   a chunk of such a pack, or one that failed its check: first 21 bytes of its digest,
 *                                 raw length u24le
 *   'N'                           all numbers below this may be in use: u64le
 *   'T'                           totals of the packs with a row 'P': version u8 (1), packs u64le, chunks u64le,
 *                                 raw bytes u64le, file bytes u64le
 */
#ifndef CHUNK_INDEX_FORMAT_H
#define CHUNK_INDEX_FORMAT_H

#include <vtape/chunk.h>

#define INDEX_KEY_LEN 16u
#define INDEX_VALUE_LEN 18u
#define INDEX_MAC_LEN 5u
/*
 * Where a chunk lies, and what a lost pack makes needed: how long the chunk was, and enough of the keyed half of its
 * digest that nobody can bring another in its place.  Pairs with one and the same XXH3-128 can be made; to meet 40 bits
 * of a MAC besides, without its key, is left to luck.
 */
struct index_value {
	struct pack_ref ref;
	uint32_t raw_len;		/* 1..PACK_CHUNK_MAX */
	uint8_t mac[INDEX_MAC_LEN];
};
void index_value_pack(uint8_t out[INDEX_VALUE_LEN], struct pack_ref ref, uint32_t raw_len, const struct digest *d);
int index_value_unpack(const void *p, size_t n, struct index_value *out);	/* -EUCLEAN */

struct pack_tally {
	uint32_t chunks;
	uint64_t raw_bytes, file_bytes;
	const uint8_t *lens;		/* of each chunk, LEN_BYTES; borrowed; NULL: not known, and from a row */
};
#define LEN_BYTES 3u
#define PACK_TALLY_LEN 21u
#define PACK_KEY_LEN 9u
#define BAD_KEY_LEN 13u
enum pack_key { PACK_KEY_SEALED = 'P', PACK_KEY_OPEN = 'O', PACK_KEY_DOOMED = 'D', PACK_KEY_BAD = 'B',
		PACK_KEY_LOST = 'L', PACK_KEY_NEXT = 'N', PACK_KEY_TOTALS = 'T' };
void pack_key_pack(uint8_t out[PACK_KEY_LEN], enum pack_key kind, uint64_t number);
int pack_key_unpack(const void *p, size_t n, enum pack_key kind, uint64_t *number);	/* -EUCLEAN */
void open_key_pack(uint8_t out[BAD_KEY_LEN], uint64_t number, uint32_t slots);
/* *slots 0: no promise.  -EUCLEAN. */
int open_key_unpack(const void *p, size_t n, uint64_t *number, uint32_t *slots);
void bad_key_pack(uint8_t out[BAD_KEY_LEN], struct pack_ref ref);
int bad_key_unpack(const void *p, size_t n, struct pack_ref *ref);			/* -EUCLEAN */

/* What is known of a chunk that no table tells of any more. */
#define LOST_PART_LEN (INDEX_KEY_LEN + INDEX_MAC_LEN)
struct lost_chunk {
	uint8_t part[LOST_PART_LEN];		/* of its digest, from the first byte on */
	uint32_t raw_len;
};
#define LOST_LEN (LOST_PART_LEN + 3u)
void lost_key_pack(uint8_t out[BAD_KEY_LEN], struct pack_ref ref);
int lost_key_unpack(const void *p, size_t n, struct pack_ref *ref);			/* -EUCLEAN */
void lost_chunk_pack(uint8_t out[LOST_LEN], const struct lost_chunk *l);
int lost_chunk_unpack(const void *p, size_t n, struct lost_chunk *out);			/* -EUCLEAN */

void pack_tally_pack(uint8_t out[PACK_TALLY_LEN], const struct pack_tally *t);
int pack_tally_unpack(const void *p, size_t n, struct pack_tally *out);			/* -EUCLEAN */
uint32_t pack_tally_len(const void *p, size_t n, uint32_t slot);	/* by such a row; 0: not known */

#define TOTALS_LEN 33u
void totals_pack(uint8_t out[TOTALS_LEN], const struct chunk_totals *t);
int totals_unpack(const void *p, size_t n, struct chunk_totals *out);			/* -EUCLEAN */

#endif
