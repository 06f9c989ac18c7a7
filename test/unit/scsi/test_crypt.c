/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "scsi/unit.h"

#define MAGIC "\xe5\x1d\x93\x7avtape\xc4\x0b\xb2\x6f\x88\x3e\xd1"
#define HEADER 128u
#define TAG 16u

static struct crypt keyed(uint8_t seed, enum crypt_encrypt e, enum crypt_decrypt d)
{
	struct crypt c = { .encrypt = e, .decrypt = d, .has_key = true, .set = true, .kad_format = 2,
			   .ukad = "monday", .ukad_len = 6, .akad = "key 17", .akad_len = 6 };

	memset(c.key, seed, sizeof(c.key));
	return c;
}

static struct crypt off(enum crypt_decrypt d)
{
	return (struct crypt){ .decrypt = d };
}

static void assert_opens_as(struct crypt *c, const struct buf *stored, const void *p, size_t n)
{
	CLEANUP(buf_fini) struct buf clear = BUF_INIT;
	const uint8_t *out;
	size_t len;

	assert_int_equal(crypt_open(c, stored->data, stored->len, &clear, &out, &len), 0);
	assert_int_equal(len, n);
	assert_memory_equal(out, p, n);
}

static void assert_opens_not(struct crypt *c, const struct buf *stored, int code)
{
	CLEANUP(buf_fini) struct buf clear = BUF_INIT;
	const uint8_t *out = NULL;
	size_t len = 0;

	assert_int_equal(crypt_open(c, stored->data, stored->len, &clear, &out, &len), code);
	assert_null(out);
	assert_int_equal(clear.len, 0);
}

/* Sealed if it must be, and back. */
static void assert_comes_back(struct crypt *c, const void *p, size_t n)
{
	CLEANUP(buf_fini) struct buf stored = BUF_INIT;

	if (crypt_touches(c, p, n))
		assert_int_equal(crypt_seal(c, p, n, &stored), 0);
	else
		assert_int_equal(buf_append(&stored, p, n), 0);
	assert_true(stored.len <= n + CRYPT_OVERHEAD);
	assert_int_equal(crypt_has_header(stored.data, stored.len < 16 ? stored.len : 16), crypt_touches(c, p, n));
	assert_opens_as(c, &stored, p, n);
	assert_int_equal(c->last_sealed, c->encrypt == ENCRYPT_ON);
}

static void whatever_a_record_looks_like_it_comes_back(void **state)
{
	static const size_t sizes[] = { 1, 2, 7, 15, 16, 17, 127, 128, 129, 143, 144, 145, 4096, 65537, 8u << 20 };
	struct crypt with = keyed(7, ENCRYPT_ON, DECRYPT_ON), without = off(DECRYPT_OFF), mixed = keyed(7, 0, DECRYPT_MIXED);

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		CLEANUP(freep) uint8_t *p = malloc(sizes[s]);

		assert_non_null(p);
		for (int like = 0; like < 4; like++) {
			assert_int_equal(random_bytes(p, sizes[s]), 0);
			if (like == 1)
				memset(p, 0, sizes[s]);
			if (like >= 2)
				memcpy(p, MAGIC, sizes[s] < 16 ? sizes[s] : 16);
			if (like == 3)
				p[sizes[s] < 16 ? 0 : 9] ^= 0x10;
			assert_comes_back(&with, p, sizes[s]);
			assert_comes_back(&without, p, sizes[s]);
			assert_comes_back(&mixed, p, sizes[s]);
		}
	}
}

/* Read raw and written again, with and without a key: layer upon layer comes off. */
static void a_stored_record_written_as_data_comes_back(void **state)
{
	struct crypt with = keyed(7, ENCRYPT_ON, DECRYPT_ON), without = off(DECRYPT_OFF);
	struct buf layer[4] = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT };

	assert_int_equal(crypt_seal(&with, "tape", 4, &layer[0]), 0);
	assert_int_equal(crypt_seal(&without, layer[0].data, layer[0].len, &layer[1]), 0);
	assert_int_equal(crypt_seal(&with, layer[1].data, layer[1].len, &layer[2]), 0);
	assert_int_equal(crypt_seal(&without, layer[2].data, layer[2].len, &layer[3]), 0);
	assert_opens_as(&without, &layer[3], layer[2].data, layer[2].len);
	assert_opens_as(&with, &layer[2], layer[1].data, layer[1].len);
	assert_opens_as(&without, &layer[1], layer[0].data, layer[0].len);
	assert_opens_as(&with, &layer[0], "tape", 4);
	for (int i = 0; i < 4; i++)
		buf_fini(&layer[i]);
}

static void modes_decide_what_is_read(void **state)
{
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT, escaped = BUF_INIT, clear = BUF_INIT;
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_ON), other = keyed(8, ENCRYPT_ON, DECRYPT_ON), none = off(DECRYPT_OFF);
	static const uint8_t text[] = "seven tapes and a day";

	assert_int_equal(crypt_seal(&c, text, sizeof(text), &sealed), 0);
	assert_int_equal(crypt_seal(&none, MAGIC, 16, &escaped), 0);
	assert_int_equal(buf_append(&clear, text, sizeof(text)), 0);

	assert_opens_not(&none, &sealed, ASC_UNABLE_TO_DECRYPT);
	assert_opens_not(&other, &sealed, ASC_WRONG_KEY);
	assert_opens_not(&c, &clear, ASC_UNENCRYPTED);
	assert_opens_not(&c, &escaped, ASC_UNENCRYPTED);
	c.decrypt = other.decrypt = DECRYPT_MIXED;
	assert_opens_as(&c, &sealed, text, sizeof(text));
	assert_opens_as(&c, &clear, text, sizeof(text));
	assert_opens_as(&c, &escaped, MAGIC, 16);
	assert_opens_not(&other, &sealed, ASC_WRONG_KEY);
	c.decrypt = DECRYPT_OFF;
	assert_opens_not(&c, &sealed, ASC_UNABLE_TO_DECRYPT);
	assert_opens_as(&c, &clear, text, sizeof(text));
	c.decrypt = none.decrypt = DECRYPT_RAW;
	assert_opens_as(&c, &sealed, sealed.data, sealed.len);
	assert_opens_as(&none, &sealed, sealed.data, sealed.len);
	assert_opens_as(&none, &clear, text, sizeof(text));
	assert_opens_as(&none, &escaped, MAGIC, 16);
}

static void reading_raw_can_be_forbidden_when_it_is_written(void **state)
{
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT;
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_ON), raw = off(DECRYPT_RAW);
	struct crypt_header h;

	c.raw_protect = CRYPT_RDMC_FORBID << 4;
	assert_int_equal(crypt_seal(&c, "x", 1, &sealed), 0);
	assert_opens_not(&raw, &sealed, ASC_UNABLE_TO_DECRYPT);
	assert_opens_as(&c, &sealed, "x", 1);
	assert_true(crypt_header(sealed.data, HEADER, &h) && h.raw_forbidden);
	c.raw_protect = CRYPT_RDMC_ALLOW << 4;
	assert_int_equal(crypt_seal(&c, "x", 1, &sealed), 0);
	assert_opens_as(&raw, &sealed, sealed.data, sealed.len);
	assert_true(crypt_header(sealed.data, HEADER, &h) && !h.raw_forbidden);
}

static void every_flipped_bit_is_found_whoever_reads(void **state)
{
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT, escaped = BUF_INIT, clear = BUF_INIT;
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_ON), mixed = keyed(7, 0, DECRYPT_MIXED), none = off(DECRYPT_OFF);
	const uint8_t *out;
	size_t len;

	assert_int_equal(crypt_seal(&c, "a record of some words", 22, &sealed), 0);
	assert_int_equal(crypt_seal(&none, MAGIC "and more", 24, &escaped), 0);
	for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
		bool in_header = bit < 8 * HEADER;
		int want = in_header ? ASC_UNRECOVERED_READ : ASC_CRYPTO_INTEGRITY;

		sealed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_opens_not(&c, &sealed, want);
		assert_opens_not(&mixed, &sealed, want);
		assert_opens_not(&none, &sealed, in_header ? ASC_UNRECOVERED_READ : ASC_UNABLE_TO_DECRYPT);
		sealed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_opens_as(&c, &sealed, "a record of some words", 22);
	for (size_t bit = 0; bit < 8 * HEADER; bit++) {
		escaped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(crypt_open(&none, escaped.data, escaped.len, &clear, &out, &len), ASC_UNRECOVERED_READ);
		escaped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Made by somebody who computes sums. */
static void a_header_that_is_summed_right_has_its_zeros_and_limits_all_the_same(void **state)
{
	static const struct { uint8_t kind, at, value; } bad[] = {
		{ 1, 16, 0 }, { 1, 16, 2 }, { 1, 17, 0 }, { 1, 17, 3 }, { 1, 18, 2 }, { 1, 20, 33 }, { 1, 20, 5 }, { 1, 21, 13 },
		{ 1, 22, 1 }, { 1, 23, 1 }, { 1, 24, 1 }, { 1, 31, 0x80 }, { 1, 38, 1 }, { 1, 63, 1 }, { 1, 70, 1 },
		{ 1, 75, 1 }, { 2, 18, 1 }, { 2, 19, 1 }, { 2, 20, 1 }, { 2, 21, 1 }, { 2, 32, 1 }, { 2, 64, 1 }, { 2, 76, 1 },
		{ 2, 119, 1 }, { 2, 17, 1 }, { 1, 17, 2 },
	};
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_MIXED), none = off(DECRYPT_OFF);
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(crypt_seal(bad[i].kind == 1 ? &c : &none, MAGIC, 16, &b), 0);
		b.data[bad[i].at] = bad[i].value;
		put_le64(b.data + 120, sum64(b.data, 120));
		assert_opens_not(&c, &b, ASC_UNRECOVERED_READ);
	}
}

static void a_record_cut_or_lengthened_is_damaged(void **state)
{
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT;
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_ON);
	size_t whole;

	assert_int_equal(crypt_seal(&c, "a record", 8, &sealed), 0);
	whole = sealed.len;
	for (sealed.len = 16; sealed.len < whole; sealed.len++)
		assert_opens_not(&c, &sealed, ASC_UNRECOVERED_READ);
	assert_int_equal(buf_put_u8(&sealed, 0), 0);
	assert_opens_not(&c, &sealed, ASC_UNRECOVERED_READ);
}

static bool contains(const struct buf *b, const uint8_t *p, size_t n)
{
	return memmem(b->data, b->len, p, n) != NULL;
}

static void no_key_and_no_clear_text_is_in_what_is_stored(void **state)
{
	CLEANUP(buf_fini) struct buf one = BUF_INIT, two = BUF_INIT;
	struct crypt c = keyed(0, ENCRYPT_ON, DECRYPT_ON);
	uint8_t text[400];

	assert_int_equal(random_bytes(c.key, sizeof(c.key)), 0);
	assert_int_equal(random_bytes(text, sizeof(text)), 0);
	assert_int_equal(crypt_seal(&c, text, sizeof(text), &one), 0);
	assert_int_equal(crypt_seal(&c, text, sizeof(text), &two), 0);
	for (size_t i = 0; i + 4 <= sizeof(c.key); i++)
		assert_false(contains(&one, c.key + i, 4));
	for (size_t i = 0; i + 8 <= sizeof(text); i++)
		assert_false(contains(&one, text + i, 8));
	/* Nobody sees that the same record was written twice, or by the same key: salt, nonce, check, text, tag. */
	for (size_t i = 76; i + 8 <= one.len; i++)
		assert_false(contains(&two, one.data + i, 8));
}

static void a_header_tells_what_is_known_of_the_key(void **state)
{
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT, escaped = BUF_INIT;
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_ON), other = keyed(8, ENCRYPT_ON, DECRYPT_ON), none = off(0);
	struct crypt_header h;

	assert_int_equal(crypt_seal(&c, "a record", 8, &sealed), 0);
	assert_true(crypt_header(sealed.data, HEADER, &h));
	assert_true(h.sealed);
	assert_int_equal(h.kad_format, 2);
	assert_int_equal(h.clear_len, 8);
	assert_int_equal(h.ukad_len, 6);
	assert_memory_equal(h.ukad, "monday", 6);
	assert_int_equal(h.akad_len, 6);
	assert_memory_equal(h.akad, "key 17", 6);
	assert_true(crypt_key_fits(&c, sealed.data, HEADER));
	assert_false(crypt_key_fits(&other, sealed.data, HEADER));
	assert_false(crypt_key_fits(&none, sealed.data, HEADER));
	assert_false(crypt_header(sealed.data, HEADER - 1, &h));
	assert_false(crypt_header("a record", 8, &h));
	assert_int_equal(crypt_seal(&none, MAGIC, 16, &escaped), 0);
	assert_true(crypt_header(escaped.data, escaped.len, &h));
	assert_false(h.sealed);
	assert_false(crypt_key_fits(&c, escaped.data, escaped.len));
}

static void a_cleared_key_is_gone_and_the_counter_goes_on(void **state)
{
	struct crypt c = keyed(7, ENCRYPT_ON, DECRYPT_ON), empty = { .instance = 42 };

	c.instance = 41;
	crypt_clear(&c);
	assert_memory_equal(&c, &empty, sizeof(c));
	crypt_clear(&c);
	assert_int_equal(c.instance, 42);
}

static void what_was_to_be_encrypted_is_never_stored_in_clear(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	struct crypt c = { .encrypt = ENCRYPT_ON, .decrypt = DECRYPT_MIXED };

	assert_true(crypt_touches(&c, "a", 1));
	assert_int_equal(crypt_seal(&c, "a", 1, &out), ASC_SECURITY);
	assert_int_equal(out.len, 0);
}

/* By the manual page alone: vtape-format(5), "Encrypted records". */
static void the_manual_page_is_enough_to_open_a_record(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct crypt c = keyed(0x5a, ENCRYPT_ON, DECRYPT_ON);
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t secret[64], text[31] = "vtape record 1", clear[100];
	int n;

	assert_int_equal(crypt_seal(&c, "twenty years from now", 21, &b), 0);
	assert_int_equal(b.len, 128 + 21 + 16);
	assert_memory_equal(b.data, MAGIC, 16);
	assert_memory_equal(b.data + 16, ((uint8_t[]){ 1, 1, 0, 2, 6, 6, 0, 0 }), 8);
	assert_int_equal(get_le64(b.data + 24), 21);
	assert_memory_equal(b.data + 32, "monday\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
	assert_memory_equal(b.data + 64, "key 17\0\0\0\0\0", 12);
	assert_int_equal(get_le64(b.data + 120), sum64(b.data, 120));
	memcpy(text + 15, b.data + 76, 16);
	assert_non_null(HMAC(EVP_sha512(), c.key, 32, text, 31, secret, NULL));
	assert_memory_equal(b.data + 104, secret + 32, 16);
	assert_int_equal(EVP_DecryptInit_ex(x, EVP_aes_256_gcm(), NULL, secret, b.data + 92), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, 16, b.data + 149), 1);
	assert_int_equal(EVP_DecryptUpdate(x, NULL, &n, b.data, 128), 1);
	assert_int_equal(EVP_DecryptUpdate(x, clear, &n, b.data + 128, 21), 1);
	assert_int_equal(EVP_DecryptFinal_ex(x, clear + 21, &n), 1);
	assert_memory_equal(clear, "twenty years from now", 21);
	EVP_CIPHER_CTX_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_a_record_looks_like_it_comes_back),
		cmocka_unit_test(a_stored_record_written_as_data_comes_back),
		cmocka_unit_test(modes_decide_what_is_read),
		cmocka_unit_test(reading_raw_can_be_forbidden_when_it_is_written),
		cmocka_unit_test(every_flipped_bit_is_found_whoever_reads),
		cmocka_unit_test(a_header_that_is_summed_right_has_its_zeros_and_limits_all_the_same),
		cmocka_unit_test(a_record_cut_or_lengthened_is_damaged),
		cmocka_unit_test(no_key_and_no_clear_text_is_in_what_is_stored),
		cmocka_unit_test(a_header_tells_what_is_known_of_the_key),
		cmocka_unit_test(a_cleared_key_is_gone_and_the_counter_goes_on),
		cmocka_unit_test(what_was_to_be_encrypted_is_never_stored_in_clear),
		cmocka_unit_test(the_manual_page_is_enough_to_open_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
