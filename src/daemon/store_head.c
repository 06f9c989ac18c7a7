/* SPDX-License-Identifier: BSD-2-Clause */
/* The 128 bytes of vtape.store, to and from what they say.  Where they lie and which of two counts is store.c's. */
#include "daemon/store.h"

#include <assert.h>
#include <errno.h>

static const uint8_t magic[8] = "VTAPESTR";

/* Offsets: vtape-format(5), "The store's head". */
enum { OFF_MAGIC = 0, OFF_FORMAT = 8, OFF_UUID = 16, OFF_CREATED = 32, OFF_AVG = 40, OFF_KEY = 48, OFF_SUM = 120 };
static_assert(OFF_SUM + 8 == STORE_HEAD_LEN, "the sum closes the head");

void store_head_pack(const struct store_head *h, uint8_t out[STORE_HEAD_LEN])
{
	memset(out, 0, STORE_HEAD_LEN);
	memcpy(out + OFF_MAGIC, magic, sizeof(magic));
	put_le32(out + OFF_FORMAT, STORE_FORMAT);
	memcpy(out + OFF_UUID, h->uuid, sizeof(h->uuid));
	put_le64(out + OFF_CREATED, h->created_ns);
	put_le32(out + OFF_AVG, h->chunk_avg);
	memcpy(out + OFF_KEY, h->key, sizeof(h->key));
	put_le64(out + OFF_SUM, sum64(out, OFF_SUM));
}

int store_head_unpack(struct store_head *h, const uint8_t *p, size_t n)
{
	uint32_t format;

	if (n < OFF_UUID || memcmp(p + OFF_MAGIC, magic, sizeof(magic)) != 0)
		return err_explain(-EMEDIUMTYPE, "not a vtape store (vtape.store does not begin as one)");
	/* Every format has this sum here, so that a damaged number is not taken for a newer vtape's. */
	format = get_le32(p + OFF_FORMAT);
	if (n < STORE_HEAD_LEN || get_le64(p + OFF_SUM) != sum64(p, OFF_SUM))
		return err_explain(-EBADMSG, "vtape.store is damaged (its checksum is wrong)");
	if (format > STORE_FORMAT)
		return err_explain(-EPROTO,
				   "the store has format %u, this vtape knows formats up to %u; use a newer vtape",
				   format, STORE_FORMAT);
	if (n != STORE_HEAD_LEN || format == 0)
		return err_explain(-EBADMSG, "vtape.store is damaged (its length or its format is)");

	memcpy(h->uuid, p + OFF_UUID, sizeof(h->uuid));
	h->created_ns = get_le64(p + OFF_CREATED);
	h->chunk_avg = get_le32(p + OFF_AVG);
	memcpy(h->key, p + OFF_KEY, sizeof(h->key));
	return 0;
}
