/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/scsi/rig.h"

/* ---- what clients send ------------------------------------------------------------------------------------------ */

static const uint8_t key_one[32] = {
	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0
};
static const uint8_t key_two[32] = "another key, 32 bytes as well..";

#define IN(g, protocol, page, alloc) \
	CMD(g, alloc, 0xa2, protocol, (page) >> 8, (page) & 0xff, 0, 0, 0, 0, (alloc) >> 8, (alloc) & 0xff, 0, 0)
#define OUT(g, n) CMD(g, n, 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, (n) >> 8, (n) & 0xff, 0, 0)

/* stenc 1.0.7: always a key of 32 bytes, its name behind it. */
static size_t page_of_stenc(uint8_t *p, uint8_t flags, uint8_t encrypt, uint8_t decrypt, uint8_t algorithm,
			    const uint8_t *key, const char *name)
{
	size_t n = 52;

	memset(p, 0, 52);
	p[1] = 0x10;
	p[4] = 0x40;
	p[5] = flags;
	p[6] = encrypt;
	p[7] = decrypt;
	p[8] = algorithm;
	p[19] = 32;
	if (key)
		memcpy(p + 20, key, 32);
	if (name) {
		put_be32(p + 52, (uint32_t)strlen(name));
		memcpy(p + 56, name, strlen(name));
		n += 4 + strlen(name);
	}
	put_be16(p + 2, (uint16_t)(n - 4));
	return n;
}

static void set_key(struct rig *g, uint8_t flags, uint8_t encrypt, uint8_t decrypt, const uint8_t *key,
		    const char *name)
{
	size_t n = page_of_stenc(g->data, flags, encrypt, decrypt, 1, key, name);

	assert_int_equal(OUT(g, n), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 0);
}

/* ---- a drive and a tape ----------------------------------------------------------------------------------------- */

/* On it: a clear record, one of key one, one of key two, a mark, a clear one that looks sealed, a damaged header. */
enum { CLEAR, ONE, TWO, MARK, ESCAPED, DAMAGED, OBJECTS };

static void append(struct volume *v, struct crypt *c, const void *p, size_t n, size_t damage)
{
	struct buf stored = BUF_INIT;

	assert_int_equal(crypt_touches(c, p, n) ? crypt_seal(c, p, n, &stored) : buf_append(&stored, p, n), 0);
	stored.data[damage] ^= damage != 0;
	assert_int_equal(volume_append_record(v, 0, stored.data, stored.len), 0);
	buf_fini(&stored);
}

static uint64_t make_tape(struct rig *g)
{
	struct crypt none = { 0 }, one = { .encrypt = ENCRYPT_ON, .has_key = true, .kad_format = 2, .ukad = "one",
					   .ukad_len = 3, .akad = "A1", .akad_len = 2, .raw_protect = 0x30 };
	struct crypt two = { .encrypt = ENCRYPT_ON, .has_key = true };
	uint64_t id = rig_volume(g, "TAPE01");
	struct buf stored = BUF_INIT;
	struct volume *v = claim(g->store, id, CLAIM_WRITE);

	memcpy(one.key, key_one, 32);
	memcpy(two.key, key_two, 32);
	append(v, &none, "clear", 5, 0);
	append(v, &one, "of key one", 10, 0);
	append(v, &two, "of key two", 10, 0);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	assert_int_equal(crypt_seal(&two, "x", 1, &stored), 0);
	append(v, &none, stored.data, stored.len, 0);
	append(v, &one, "damaged", 7, 60);
	buf_fini(&stored);
	release(g->store, id, CLAIM_WRITE);
	return id;
}

static int drive_rig(void **state)
{
	struct rig *g;

	rig_new(state);
	g = *state;
	rig_plug(g, SCSI_DRIVE, "ibm-lto6");
	rig_settle(g);
	return 0;
}

static int tape_rig(void **state)
{
	struct rig *g;
	uint64_t id;

	rig_new(state);
	g = *state;
	id = make_tape(g);
	assert_int_equal(library_load(g->store->lib, 0, id), 0);
	rig_plug(g, SCSI_DRIVE, "ibm-lto6");
	rig_settle(g);
	return 0;
}
#define EMPTY(test) cmocka_unit_test_setup_teardown(test, drive_rig, rig_free)
#define TAPE(test) cmocka_unit_test_setup_teardown(test, tape_rig, rig_free)

static void assert_in(struct rig *g, uint8_t protocol, uint16_t page, const void *want, size_t n)
{
	memset(g->data, 0xee, 1024);
	assert_int_equal(IN(g, protocol, page, 1024), SCSI_GOOD);
	assert_int_equal(g->t.data_in, n);
	assert_memory_equal(g->data, want, n);
	assert_int_equal(g->data[n], 0xee);
}
#define ASSERT_IN(g, protocol, page, ...) \
	assert_in(g, protocol, page, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* ---- SECURITY PROTOCOL IN --------------------------------------------------------------------------------------- */

static void there_are_two_protocols_and_no_certificate(void **state)
{
	struct rig *g = rig_of(state);

	ASSERT_IN(g, 0x00, 0x0000, 0, 0, 0, 0, 0, 0, 0, 2, 0x00, 0x20);
	ASSERT_IN(g, 0x00, 0x0001, 0, 0, 0, 0);
}

static void every_page_that_is_listed_is_there(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t list[64];

	ASSERT_IN(g, 0x20, 0x0001, 0, 0x01, 0, 2, 0, 0x10);
	ASSERT_IN(g, 0x20, 0x0000, 0, 0, 0, 16, 0, 0, 0, 0x01, 0, 0x10, 0, 0x11, 0, 0x12, 0, 0x20, 0, 0x21, 0, 0x30);
	memcpy(list, g->data, 20);
	for (size_t i = 4; i < 20; i += 2) {
		assert_int_equal(IN(g, 0x20, get_be16(list + i), 1024), SCSI_GOOD);
		assert_int_equal(get_be16(g->data), get_be16(list + i));
		assert_int_equal(get_be16(g->data + 2), g->t.data_in - 4);
	}
}

static void a_drive_can_aes_256_gcm(void **state)
{
	struct rig *g = rig_of(state);
	bool loaded = g->u->ssc.volume;

	/* The descriptor: MAC, DELB, hardware; NONCE_C 1, KADF_C, VCELB_C; 32, 12, 32; DKAD_C 3, EEMC_C 1, RDMC_C 5. */
	ASSERT_IN(g, 0x20, 0x0010, 0, 0x10, 0, 40, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		  1, 0, 0, 20, loaded ? 0xba : 0x3a, loaded ? 0x9c : 0x1c, 0, 32, 0, 12, 0, 32, 0xda, 0, 0, 0, 0, 0, 0, 0,
		  0x00, 0x01, 0x00, 0x14);
	ASSERT_IN(g, 0x20, 0x0011, 0, 0x11, 0, 1, 0);
	ASSERT_IN(g, 0x20, 0x0012, 0, 0x12, 0, 12, 0, 0x04, 0, 0x05, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void pages_and_protocols_that_are_not_there_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xa2, 0x21, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xa2, 0x00, 0, 2, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 2);
	for (unsigned page = 0; page < 0x120; page++) {
		bool there = page <= 1 || (page >= 0x10 && page <= 0x12) || page == 0x20 || page == 0x21 || page == 0x30;

		assert_int_equal(IN(g, 0x20, page, 64) == SCSI_GOOD, there);
		if (!there)
			assert_int_equal(get_be16(g->t.sense + 16), 2);
	}
	/* Reserved bits, and CONTROL. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xa2, 0x20, 0, 0, 0x40, 0, 0, 0, 0, 64, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xa2, 0x20, 0, 0, 0, 1, 0, 0, 0, 64, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xa2, 0x20, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0);
	/* Nothing is set by other pages and protocols. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xb5, 0x00, 0, 0x10, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xb5, 0x20, 0, 0x11, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 2);
}

static void as_much_as_is_asked_for_is_given(void **state)
{
	struct rig *g = rig_of(state);

	for (unsigned n = 0; n < 60; n++) {
		memset(g->data, 0xee, 64);
		assert_int_equal(IN(g, 0x20, 0x10, n), SCSI_GOOD);
		assert_int_equal(g->t.data_in, n < 44 ? n : 44);
		assert_int_equal(g->data[g->t.data_in], 0xee);
	}
	/* The transport has less room than the CDB says. */
	GOOD(g, 10, 0xa2, 0x20, 0, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0);
	assert_int_equal(g->t.data_in, 10);
}

static void with_inc_512_lengths_are_of_512_and_padded(void **state)
{
	struct rig *g = rig_of(state);

	memset(g->data, 0xee, 2048);
	GOOD(g, 2048, 0xa2, 0x20, 0, 0x10, 0x80, 0, 0, 0, 0, 3, 0, 0);
	assert_int_equal(g->t.data_in, 512);
	assert_int_equal(g->data[511], 0);
	GOOD(g, 100, 0xa2, 0x20, 0, 0x10, 0x80, 0, 0, 0, 0, 1, 0, 0);
	assert_int_equal(g->t.data_in, 100);
	GOOD(g, 100, 0xa2, 0x20, 0, 0x10, 0x80, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(g->t.data_in, 0);

	memset(g->data, 0xee, 2048);
	memset(g->data, 0, 512);
	page_of_stenc(g->data, 0, 2, 2, 1, key_one, NULL);
	GOOD(g, 512, 0xb5, 0x20, 0, 0x10, 0x80, 0, 0, 0, 0, 1, 0, 0);
	assert_true(g->u->ssc.crypt.has_key);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 1024, 0xb5, 0x20, 0, 0x10, 0x80, 0, 0, 0, 0, 2, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 100, 0xb5, 0x20, 0, 0x10, 0x80, 0, 0, 0, 0, 1, 0, 0);
}

static void random_numbers_are_32_bytes_and_new(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t first[36];

	assert_int_equal(IN(g, 0x20, 0x30, 64), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 36);
	memcpy(first, g->data, 36);
	assert_int_equal(IN(g, 0x20, 0x30, 64), SCSI_GOOD);
	assert_memory_equal(g->data, first, 4);
	assert_memory_not_equal(g->data + 4, first + 4, 32);
}

/* ---- setting ---------------------------------------------------------------------------------------------------- */

static void the_status_says_what_was_set_and_not_the_key(void **state)
{
	struct rig *g = rig_of(state);

	ASSERT_IN(g, 0x20, 0x0020, 0, 0x20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	set_key(g, 0x40, 2, 2, key_one, "Hello world!");
	ASSERT_IN(g, 0x20, 0x0020, 0, 0x20, 0, 36, 0x42, 2, 2, 1, 0, 0, 0, 1, 0x1a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		  0, 1, 0, 12, 'H', 'e', 'l', 'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd', '!');
	set_key(g, 0x30, 2, 3, key_two, NULL);
	ASSERT_IN(g, 0x20, 0x0020, 0, 0x20, 0, 20, 0x42, 2, 3, 1, 0, 0, 0, 2, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	for (unsigned page = 0; page < 0x40; page++) {
		memset(g->data, 0, 1024);
		IN(g, 0x20, page, 1024);
		assert_null(memmem(g->data, 1024, key_two, 4));
		assert_null(memmem(g->t.sense, sizeof(g->t.sense), key_two, 4));
	}
}

static void stenc_1_0_7_turns_it_on_mixed_raw_and_off(void **state)
{
	struct rig *g = rig_of(state);
	struct crypt *c = &g->u->ssc.crypt;

	set_key(g, 0x00, 2, 2, key_one, "thirty bytes of a name at most");
	assert_true(c->has_key && c->encrypt == ENCRYPT_ON && c->decrypt == DECRYPT_ON);
	assert_memory_equal(c->key, key_one, 32);
	assert_int_equal(c->ukad_len, 30);
	set_key(g, 0x20, 2, 3, key_one, NULL);
	assert_true(c->has_key && c->decrypt == DECRYPT_MIXED && !c->ukad_len);
	set_key(g, 0x30, 2, 1, key_one, NULL);
	assert_true(c->has_key && c->decrypt == DECRYPT_RAW);
	/* Off: algorithm 0 is its default, and its key of 32 zeros is passed over. */
	assert_int_equal(OUT(g, page_of_stenc(g->data, 0, 0, 0, 0, NULL, NULL)), SCSI_GOOD);
	assert_true(!c->has_key && c->encrypt == ENCRYPT_OFF && c->decrypt == DECRYPT_OFF);
	assert_int_equal(c->instance, 4);
}

/* The pages that stenc 2.0's own tests expect of it. */
static void stenc_2_sends_no_key_to_turn_it_off(void **state)
{
	static const uint8_t off[] = { 0, 0x10, 0, 0x10, 0x40, 0x40, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t on[] = { 0, 0x10, 0, 0x30, 0x40, 0x64, 2, 2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x20 };
	struct rig *g = rig_of(state);

	memcpy(g->data, on, sizeof(on));
	memcpy(g->data + 20, key_one, 32);
	assert_int_equal(OUT(g, 52), SCSI_GOOD);
	assert_true(g->u->ssc.crypt.has_key && g->u->ssc.crypt.clear_on_unload && g->u->ssc.crypt.kad_format == 1);
	memcpy(g->data, off, sizeof(off));
	assert_int_equal(OUT(g, 20), SCSI_GOOD);
	assert_false(g->u->ssc.crypt.has_key || g->u->ssc.crypt.clear_on_unload);
}

static void ltfs_sets_a_key_with_its_identifier_and_takes_it_back(void **state)
{
	struct rig *g = rig_of(state);
	struct crypt *c = &g->u->ssc.crypt;

	page_of_stenc(g->data, 0, 2, 3, 1, key_one, NULL);
	put_be16(g->data + 2, 64);
	put_be32(g->data + 52, 0x0100000c);
	memcpy(g->data + 56, "abc\0\0\0\0\0\0\0\0\x07", 12);
	assert_int_equal(OUT(g, 68), SCSI_GOOD);
	assert_int_equal(c->akad_len, 12);
	assert_memory_equal(c->akad, "abc\0\0\0\0\0\0\0\0\x07", 12);
	memset(g->data, 0, 20);
	put_be32(g->data, 0x00100010);
	g->data[4] = 0x40;
	g->data[8] = 1;
	assert_int_equal(OUT(g, 20), SCSI_GOOD);
	assert_false(c->has_key);
}

static void scope_public_takes_back_what_was_set(void **state)
{
	struct rig *g = rig_of(state);

	set_key(g, 0, 2, 2, key_one, NULL);
	memset(g->data, 0xff, 20);
	put_be32(g->data, 0x00100010);
	g->data[4] = 0;
	assert_int_equal(OUT(g, 20), SCSI_GOOD);
	ASSERT_IN(g, 0x20, 0x0020, 0, 0x20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 2, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

/* ---- what is refused, and where --------------------------------------------------------------------------------- */

static void assert_refused_where(struct rig *g, size_t n, unsigned byte, int bit, int line)
{
	struct crypt before = g->u->ssc.crypt;

	if (OUT(g, n) != SCSI_CHECK_CONDITION || (g->t.sense[2] & 0xf) != ILLEGAL_REQUEST ||
	    get_be16(g->t.sense + 12) != ASC_INVALID_PARAMETER || get_be16(g->t.sense + 16) != byte ||
	    g->t.sense[15] != (0x80 | (bit >= 0 ? 0x08 | bit : 0)))
		fail_msg("line %d: status %d, %x/%x at %u, %x", line, g->t.status, g->t.sense[2], get_be16(g->t.sense + 12),
			 get_be16(g->t.sense + 16), g->t.sense[15]);
	assert_memory_equal(&before, &g->u->ssc.crypt, sizeof(before));
}

static void a_malformed_page_is_refused_where_it_is_and_changes_nothing(void **state)
{
	static const struct { uint8_t at, value; int bit; } bad[] = {
		{ 0, 1, -1 }, { 1, 0x11, -1 },
		{ 4, 0x20, 7 }, { 4, 0x60, 7 }, { 4, 0xe0, 7 }, { 4, 0x41, 0 }, { 4, 0x50, 4 },
		{ 5, 0x80, 7 }, { 5, 0xc0, 7 }, { 5, 0x10, 5 }, { 5, 0x08, 3 }, { 5, 0x02, 1 }, { 5, 0x01, 0 },
		{ 6, 1, -1 }, { 6, 3, -1 }, { 6, 0xff, -1 }, { 7, 4, -1 }, { 7, 0xff, -1 }, { 8, 0, -1 }, { 8, 2, -1 },
		{ 9, 1, -1 }, { 9, 2, -1 }, { 10, 3, -1 }, { 11, 1, -1 }, { 14, 0x80, -1 }, { 17, 1, -1 },
	};
	static const struct { uint16_t len; } keys[] = { { 0 }, { 1 }, { 16 }, { 31 }, { 33 }, { 0x0100 }, { 0xffff } };
	struct rig *g = rig_of(state);

	set_key(g, 0, 2, 2, key_two, "before");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t n = page_of_stenc(g->data, 0, 2, 2, 1, key_one, "name");

		g->data[bad[i].at] = bad[i].value;
		assert_refused_where(g, n, bad[i].at < 2 ? 0 : bad[i].at, bad[i].bit, (int)(1000 + i));
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t n = page_of_stenc(g->data, 0, 2, 2, 1, key_one, NULL);

		put_be16(g->data + 18, keys[i].len);
		assert_refused_where(g, n, 18, -1, __LINE__);
	}
}

static void key_associated_data_comes_once_in_order_and_fits(void **state)
{
	static const struct { uint8_t len; const char *kads; unsigned at; } bad[] = {
		{ 1, "\0", 52 }, { 3, "\0\0\0", 52 },				/* no whole descriptor */
		{ 4, "\0\0\0\1", 54 }, { 6, "\0\0\0\3ab", 54 },			/* longer than the page */
		{ 6, "\2\0\0\2no", 52 }, { 6, "\3\0\0\2mk", 52 }, { 6, "\4\0\0\2wk", 52 },	/* nonce, metadata, wrapped */
		{ 6, "\0\1\0\2ab", 53 },					/* reserved */
		{ 12, "\0\0\0\2ab\0\0\0\2ab", 58 },				/* twice */
		{ 12, "\1\0\0\2ab\0\0\0\2ab", 58 },				/* the wrong way round */
		{ 37, "\0\0\0\x21" "123456789012345678901234567890123", 54 },	/* 33 bytes */
		{ 17, "\1\0\0\x0d" "1234567890123", 54 },			/* 13 bytes */
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		page_of_stenc(g->data, 0, 2, 2, 1, key_one, NULL);
		memcpy(g->data + 52, bad[i].kads, bad[i].len);
		put_be16(g->data + 2, (uint16_t)(48 + bad[i].len));
		assert_refused_where(g, 52u + bad[i].len, bad[i].at, -1, (int)(2000 + i));
	}
	page_of_stenc(g->data, 0, 2, 2, 1, key_one, NULL);
	memcpy(g->data + 52, "\0\0\0\x20" "12345678901234567890123456789012" "\1\0\0\x0c" "123456789012", 52);
	put_be16(g->data + 2, 100);
	assert_int_equal(OUT(g, 104), SCSI_GOOD);
	assert_int_equal(g->u->ssc.crypt.ukad_len, 32);
	assert_int_equal(g->u->ssc.crypt.akad_len, 12);
	assert_int_equal(IN(g, 0x20, 0x20, 1024), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 24 + 36 + 16);
	assert_memory_equal(g->data + 24, "\0\1\0\x20" "12345678901234567890123456789012" "\1\2\0\x0c" "123456789012", 52);
}

static void a_page_cut_short_is_refused_by_its_length(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t page[64];
	size_t whole = page_of_stenc(page, 0, 2, 2, 1, key_one, "name");

	/* Nothing sent is nothing done. */
	memcpy(g->data, page, whole);
	GOOD(g, 0, 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0);
	for (size_t n = 1; n < whole; n++) {
		memcpy(g->data, page, whole);
		CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, n, 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, (uint8_t)n, 0, 0);
		CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, n, 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, (uint8_t)whole, 0,
			0);
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, whole + 1, 0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0,
		(uint8_t)(whole + 1), 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 64, 0xb5, 0x20, 0, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0);
	assert_false(g->u->ssc.crypt.set);
	assert_int_equal(g->u->ssc.crypt.instance, 0);
}

static void a_key_can_be_bound_to_the_tape_that_is_there(void **state)
{
	struct rig *g = rig_of(state);
	struct crypt *c = &g->u->ssc.crypt;

	set_key(g, 0x04, 2, 2, key_one, NULL);
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	assert_false(c->has_key || c->encrypt);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(c->key[i], 0);
	assert_int_equal(c->instance, 2);
	/* No tape: there is nothing it could be bound to. */
	page_of_stenc(g->data, 0x04, 2, 2, 1, key_one, NULL);
	assert_refused_where(g, 52, 5, 2, __LINE__);
	set_key(g, 0x00, 2, 2, key_one, NULL);
	GOOD(g, 0, 0x1b, 0, 0, 0, 1, 0);
	assert_true(c->has_key);
}

static void resets_take_the_key_a_lost_nexus_does_not(void **state)
{
	struct rig *g = rig_of(state);

	for (enum scsi_reset what = SCSI_POWER_ON; what <= SCSI_NEXUS_LOST; what++) {
		set_key(g, 0, 2, 2, key_one, NULL);
		scsi_reset(g->u, what);
		assert_int_equal(g->u->ssc.crypt.has_key, what == SCSI_NEXUS_LOST);
		rig_settle(g);
	}
}

/* ---- the next record -------------------------------------------------------------------------------------------- */

static void assert_next(struct rig *g, uint64_t object, uint8_t status)
{
	assert_int_equal(IN(g, 0x20, 0x21, 1024), SCSI_GOOD);
	assert_int_equal(get_be16(g->data), 0x21);
	assert_int_equal(get_be64(g->data + 4), object);
	assert_int_equal(g->data[12], status);
	if (status < 5) {
		assert_int_equal(g->t.data_in, 16);
		assert_int_equal(get_be16(g->data + 13), 0);
	}
}

static void walk(struct rig *g, const uint8_t status[OBJECTS + 1])
{
	for (uint8_t i = 0; i <= OBJECTS; i++) {
		GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, i, 0, 0, 0);
		assert_next(g, i, status[i]);
		assert_next(g, i, status[i]);	/* it did not move */
		GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
		assert_int_equal(get_be32(g->data + 4), i);
	}
}

static void the_next_record_is_looked_at_without_moving(void **state)
{
	struct rig *g = rig_of(state);

	walk(g, (uint8_t[]){ 3, 6, 6, 2, 3, 1, 2 });
	set_key(g, 0, 2, 2, key_one, NULL);
	walk(g, (uint8_t[]){ 3, 5, 6, 2, 3, 1, 2 });
	set_key(g, 0, 0, 3, key_two, NULL);
	walk(g, (uint8_t[]){ 3, 6, 5, 2, 3, 1, 2 });
	set_key(g, 0, 2, 1, key_one, NULL);
	walk(g, (uint8_t[]){ 3, 6, 6, 2, 3, 1, 2 });
}

static void the_next_record_tells_its_key_associated_data(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, ONE, 0, 0, 0);
	ASSERT_IN(g, 0x20, 0x0021, 0, 0x21, 0, 25, 0, 0, 0, 0, 0, 0, 0, ONE, 6, 1, 0x01, 2,
		  0, 1, 0, 3, 'o', 'n', 'e', 1, 2, 0, 2, 'A', '1');
}

static void without_a_tape_there_is_no_next_record(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 64, 0xa2, 0x20, 0, 0x21, 0, 0, 0, 0, 0, 64, 0, 0);
}

static void while_a_program_has_the_drive_the_next_record_is_not_looked_at(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	GOOD(g, 0, 0x01, 0, 0, 0, 0, 0);
	assert_int_equal(ssc_give_back(g->u), 0);
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	assert_int_equal(IN(g, 0x20, 0x21, 64), SCSI_BUSY);
	assert_int_equal(IN(g, 0x20, 0x20, 64), SCSI_GOOD);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	assert_int_equal(IN(g, 0x20, 0x21, 64), SCSI_GOOD);
}

/* ---- records, written and read ---------------------------------------------------------------------------------- */

#define WRITE(g, n) CMD(g, n, 0x0a, 0, (n) >> 16, (n) >> 8 & 0xff, (n) & 0xff, 0)
#define READ(g, n) CMD(g, n, 0x08, 0, (n) >> 16, (n) >> 8 & 0xff, (n) & 0xff, 0)
#define REWIND(g) GOOD(g, 0, 0x01, 0, 0, 0, 0, 0)
#define SECRET "seven words that nobody else should read"

static void send_text(struct rig *g, const char *text)
{
	memcpy(g->data, text, strlen(text));
	assert_int_equal(WRITE(g, (unsigned)strlen(text)), SCSI_GOOD);
}

static void assert_reads(struct rig *g, const void *p, unsigned n)
{
	memset(g->data, 0xee, n + 1);
	assert_int_equal(READ(g, n), SCSI_GOOD);
	assert_int_equal(g->t.data_in, n);
	assert_memory_equal(g->data, p, n);
	assert_int_equal(g->data[n], 0xee);
}

/* DATA PROTECT with that code; the record is still ahead, and nothing of it was given. */
static void assert_refused_read(struct rig *g, uint16_t code, uint32_t object)
{
	CHECKED(g, DATA_PROTECT, code, 64, 0x08, 0, 0, 0, 64, 0);
	assert_int_equal(g->t.data_in, 0);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(get_be32(g->data + 4), object);
}

static int blank_rig(void **state)
{
	struct rig *g;

	rig_new(state);
	g = *state;
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "BLANK1")), 0);
	rig_plug(g, SCSI_DRIVE, "ibm-lto6");
	rig_settle(g);
	return 0;
}
#define BLANK(test) cmocka_unit_test_setup_teardown(test, blank_rig, rig_free)

static void the_key_decides_who_reads_a_record(void **state)
{
	struct rig *g = rig_of(state);

	send_text(g, "in clear");
	set_key(g, 0, 2, 2, key_one, "one");
	send_text(g, SECRET);
	send_text(g, "x");
	GOOD(g, 0, 0x10, 0, 0, 0, 1, 0);

	REWIND(g);
	assert_refused_read(g, ASC_UNENCRYPTED, 0);
	set_key(g, 0, 2, 3, key_one, "one");
	assert_reads(g, "in clear", 8);
	assert_reads(g, SECRET, strlen(SECRET));
	assert_reads(g, "x", 1);
	CHECKED(g, NO_SENSE, ASC_FILEMARK, 64, 0x08, 0, 0, 0, 64, 0);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 64, 0x08, 0, 0, 0, 64, 0);

	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 1, 0, 0, 0);
	set_key(g, 0, 2, 2, key_two, NULL);
	assert_refused_read(g, ASC_WRONG_KEY, 1);
	page_of_stenc(g->data, 0, 0, 0, 0, NULL, NULL);
	assert_int_equal(OUT(g, 52), SCSI_GOOD);
	assert_refused_read(g, ASC_UNABLE_TO_DECRYPT, 1);
	set_key(g, 0, 2, 2, key_one, NULL);
	assert_reads(g, SECRET, strlen(SECRET));
	assert_int_equal(g->data[12], SECRET[12]);
}

static void assert_vcelb(struct rig *g, bool want)
{
	assert_int_equal(IN(g, 0x20, 0x20, 64), SCSI_GOOD);
	assert_int_equal(g->data[12] >> 3 & 1, want);
}

static void a_tape_with_encrypted_records_says_so(void **state)
{
	struct rig *g = rig_of(state);

	assert_vcelb(g, false);
	send_text(g, "label");
	GOOD(g, 0, 0x10, 0, 0, 0, 1, 0);
	assert_vcelb(g, false);
	set_key(g, 0, 2, 2, key_one, NULL);
	send_text(g, SECRET);
	assert_vcelb(g, true);
	assert_int_equal(ssc_give_back(g->u), 0);
	assert_vcelb(g, true);
	/* At the very end, behind many files. */
	set_key(g, 0, 0, 0, key_one, NULL);
	REWIND(g);
	send_text(g, "label");
	assert_vcelb(g, false);
	GOOD(g, 0, 0x10, 0, 0, 0, 20, 0);
	for (int i = 0; i < 20; i++)
		send_text(g, "clear");
	assert_vcelb(g, false);
	set_key(g, 0, 2, 2, key_one, NULL);
	send_text(g, SECRET);
	GOOD(g, 0, 0x10, 0, 0, 0, 2, 0);
	assert_vcelb(g, true);
}

/* What was read raw is what is stored, and written as data it comes back as what was read raw. */
static void a_record_read_raw_is_as_it_is_stored(void **state)
{
	struct rig *g = rig_of(state);
	const unsigned stored = (unsigned)strlen(SECRET) + CRYPT_OVERHEAD;
	struct crypt_header h;
	uint8_t raw[256];

	set_key(g, 0, 2, 2, key_one, "one");
	send_text(g, SECRET);
	page_of_stenc(g->data, 0, 0, 1, 0, NULL, NULL);
	assert_int_equal(OUT(g, 52), SCSI_GOOD);
	REWIND(g);
	CHECKED(g, NO_SENSE, 0, 1024, 0x08, 0, 0, 4, 0, 0);	/* shorter than asked for */
	assert_int_equal(g->t.sense[2], 0x20);
	assert_int_equal(get_be32(g->t.sense + 3), 1024 - stored);
	assert_int_equal(g->t.data_in, stored);
	memcpy(raw, g->data, stored);
	assert_true(crypt_header(raw, stored, &h) && h.sealed);
	assert_memory_equal(h.ukad, "one", 3);
	assert_int_equal(WRITE(g, stored), SCSI_GOOD);
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 1, 0, 0, 0);
	assert_next(g, 1, 3);
	assert_reads(g, raw, stored);
}

static void lengths_are_those_of_the_record_in_clear(void **state)
{
	struct rig *g = rig_of(state);

	set_key(g, 0, 2, 2, key_one, NULL);
	send_text(g, SECRET);
	REWIND(g);
	CHECKED(g, NO_SENSE, 0, 10, 0x08, 0, 0, 0, 10, 0);
	assert_int_equal(g->t.sense[2], 0x20);
	assert_int_equal(get_be32(g->t.sense + 3), 10 - (uint32_t)strlen(SECRET));
	assert_int_equal(g->t.data_in, 10);
	assert_memory_equal(g->data, SECRET, 10);
	REWIND(g);
	GOOD(g, 100, 0x08, 2, 0, 0, 100, 0);	/* SILI */
	assert_int_equal(g->t.data_in, strlen(SECRET));

	/* Fixed: 4 records of 512 bytes. */
	REWIND(g);
	memcpy(g->data, "\0\0\0\x08\0\0\0\0\0\0\x02\0", 12);
	GOOD(g, 12, 0x15, 0, 0, 0, 12, 0);
	for (unsigned i = 0; i < 2048; i++)
		g->data[i] = (uint8_t)(i >> 3);
	GOOD(g, 2048, 0x0a, 1, 0, 0, 4, 0);
	memset(g->data, 0, 2048);
	REWIND(g);
	GOOD(g, 1024, 0x08, 1, 0, 0, 2, 0);
	assert_int_equal(g->t.data_in, 1024);
	assert_int_equal(g->data[1023], 1023 >> 3);
	GOOD(g, 1024, 0x08, 1, 0, 0, 2, 0);
	assert_int_equal(g->data[1023], 2047 >> 3 & 0xff);
}

/* The tape of make_tape(), and one with damage in the text of a record. */
static void damage_is_told_from_a_wrong_key(void **state)
{
	struct rig *g = rig_of(state);

	set_key(g, 0, 2, 3, key_one, NULL);
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, DAMAGED, 0, 0, 0);
	CHECKED(g, MEDIUM_ERROR, ASC_UNRECOVERED_READ, 64, 0x08, 0, 0, 0, 64, 0);
	assert_int_equal(g->t.data_in, 0);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(get_be32(g->data + 4), DAMAGED + 1);
}

static void a_flipped_bit_in_the_text_fails_its_integrity(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t id = rig_volume(g, "HURT01");
	struct crypt one = { .encrypt = ENCRYPT_ON, .has_key = true };
	struct volume *v = claim(g->store, id, CLAIM_WRITE);

	memcpy(one.key, key_one, 32);
	append(v, &one, SECRET, strlen(SECRET), CRYPT_HEADER_BYTES + 7);
	release(g->store, id, CLAIM_WRITE);
	assert_int_equal(library_load(g->store->lib, 0, id), 0);
	rig_settle(g);
	set_key(g, 0, 2, 2, key_two, NULL);
	assert_refused_read(g, ASC_WRONG_KEY, 0);
	set_key(g, 0, 2, 2, key_one, NULL);
	CHECKED(g, DATA_PROTECT, ASC_CRYPTO_INTEGRITY, 64, 0x08, 0, 0, 0, 64, 0);
	assert_int_equal(g->t.data_in, 0);
	assert_null(memmem(g->data, 64, SECRET, 6));
}

static void a_clear_record_that_looks_sealed_is_read_by_everybody(void **state)
{
	struct rig *g = rig_of(state);

	for (int mode = DECRYPT_OFF; mode <= DECRYPT_MIXED; mode++) {
		set_key(g, 0, 0, (uint8_t)mode, key_two, NULL);
		GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, ESCAPED, 0, 0, 0);
		if (mode == DECRYPT_ON) {
			assert_refused_read(g, ASC_UNENCRYPTED, ESCAPED);
			continue;
		}
		GOOD(g, 1024, 0x08, 2, 0, 4, 0, 0);
		assert_int_equal(g->t.data_in, 1 + CRYPT_OVERHEAD);
		assert_true(crypt_has_header(g->data, 16));
	}
}

/* What outlives a kill has neither the key nor the text; and whoever comes back is told that the key is gone. */
static void what_outlives_a_kill_has_no_key_and_nothing_is_in_clear_then(void **state)
{
	struct rig *g = rig_of(state);

	set_key(g, 0, 2, 2, key_one, "one");
	send_text(g, SECRET);
	REWIND(g);
	assert_reads(g, SECRET, strlen(SECRET));
	send_text(g, SECRET);
	for (size_t i = 0; i + 8 <= 32; i++)
		assert_null(memmem(g->memory, sizeof(g->memory), key_one + i, 8));
	assert_null(memmem(g->memory, sizeof(g->memory), SECRET, 8));
	rig_kill(g, SCSI_DRIVE, "ibm-lto6");
	memcpy(g->data, SECRET, sizeof(SECRET));
	assert_int_equal(WRITE(g, (unsigned)sizeof(SECRET)), SCSI_CHECK_CONDITION);
	assert_int_equal(g->t.sense[2], UNIT_ATTENTION);
	rig_settle(g);
	assert_int_equal(IN(g, 0x20, 0x20, 64), SCSI_GOOD);
	assert_int_equal(get_be32(g->data + 4), 0);
}

static void checksums_are_of_the_record_in_clear(void **state)
{
	static const uint8_t page[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0x4a, 0xf0, 0, 0x1c, 2, 4, 0xc0 };
	struct rig *g = rig_of(state);

	memset(g->data, 0, 40);
	memcpy(g->data, page, sizeof(page));
	GOOD(g, 40, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 40, 0);
	set_key(g, 0, 2, 2, key_one, NULL);
	memcpy(g->data, "123456789\x83\x92\x06\xe3", 13);
	assert_int_equal(WRITE(g, 13), SCSI_GOOD);
	g->data[12] ^= 1;
	CHECKED(g, HARDWARE_ERROR, ASC_LBP_ERROR, 13, 0x0a, 0, 0, 0, 13, 0);
	REWIND(g);
	assert_reads(g, "123456789\x83\x92\x06\xe3", 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EMPTY(there_are_two_protocols_and_no_certificate),
		TAPE(every_page_that_is_listed_is_there),
		EMPTY(a_drive_can_aes_256_gcm),
		TAPE(a_drive_can_aes_256_gcm),
		TAPE(pages_and_protocols_that_are_not_there_are_refused),
		EMPTY(as_much_as_is_asked_for_is_given),
		EMPTY(with_inc_512_lengths_are_of_512_and_padded),
		EMPTY(random_numbers_are_32_bytes_and_new),
		TAPE(the_status_says_what_was_set_and_not_the_key),
		EMPTY(stenc_1_0_7_turns_it_on_mixed_raw_and_off),
		TAPE(stenc_2_sends_no_key_to_turn_it_off),
		EMPTY(ltfs_sets_a_key_with_its_identifier_and_takes_it_back),
		EMPTY(scope_public_takes_back_what_was_set),
		TAPE(a_malformed_page_is_refused_where_it_is_and_changes_nothing),
		EMPTY(key_associated_data_comes_once_in_order_and_fits),
		EMPTY(a_page_cut_short_is_refused_by_its_length),
		TAPE(a_key_can_be_bound_to_the_tape_that_is_there),
		TAPE(resets_take_the_key_a_lost_nexus_does_not),
		TAPE(the_next_record_is_looked_at_without_moving),
		TAPE(the_next_record_tells_its_key_associated_data),
		EMPTY(without_a_tape_there_is_no_next_record),
		TAPE(while_a_program_has_the_drive_the_next_record_is_not_looked_at),
		BLANK(the_key_decides_who_reads_a_record),
		BLANK(a_tape_with_encrypted_records_says_so),
		BLANK(a_record_read_raw_is_as_it_is_stored),
		BLANK(lengths_are_those_of_the_record_in_clear),
		TAPE(damage_is_told_from_a_wrong_key),
		EMPTY(a_flipped_bit_in_the_text_fails_its_integrity),
		TAPE(a_clear_record_that_looks_sealed_is_read_by_everybody),
		BLANK(what_outlives_a_kill_has_no_key_and_nothing_is_in_clear_then),
		BLANK(checksums_are_of_the_record_in_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
