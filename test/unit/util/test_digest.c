/* SPDX-License-Identifier: BSD-2-Clause */
/* digest: known answers, agreement between threads, and what a different key or a different byte does. */
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include <vtape/util.h>

#include "lib/chance.h"

static const uint8_t key_a[32] = "0123456789abcdef0123456789abcde";
static const uint8_t key_b[32] = "0123456789abcdef0123456789abcdf";

/* The definition, written a second time with a fresh context for each call. */
static void digest_slowly(const uint8_t key[32], const void *p, size_t n, struct digest *out)
{
	XXH128_canonical_t c;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;

	XXH128_canonicalFromHash(&c, XXH3_128bits(p, n));
	memcpy(out->b, c.digest, 16);
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out->b), 1);
	if (n)
		assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &len, p, (int)n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, out->b + 16, &len), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out->b + 16), 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void digest_is_checksum_and_tag_of_the_bytes(void **state)
{
	static uint8_t data[70000];
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 240, 241, 4096, 65536, 69999 };
	struct digester *d;
	struct digest got, want;

	chance_fill(data, sizeof(data), 1);
	assert_int_equal(digester_new(key_a, &d), 0);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			assert_int_equal(digest_of(d, data, sizes[i], &got), 0);
			digest_slowly(key_a, data, sizes[i], &want);
			assert_memory_equal(got.b, want.b, 32);
		}
	assert_null(digester_free(d));
}

/* These bytes are on disk in every store: they may never change. */
static void digest_of_abc_stays_what_it_is(void **state)
{
	static const uint8_t xxh3_abc[16] = { 0x06, 0xb0, 0x5a, 0xb6, 0x73, 0x3a, 0x61, 0x85,
					      0x78, 0xaf, 0x5f, 0x94, 0x89, 0x2f, 0x39, 0x50 };
	struct digester *d;
	struct digest got;

	assert_int_equal(digester_new(key_a, &d), 0);
	assert_int_equal(digest_of(d, "abc", 3, &got), 0);
	assert_memory_equal(got.b, xxh3_abc, 16);
	digester_free(d);
}

static void another_key_changes_the_tag_and_not_the_checksum(void **state)
{
	struct digester *a, *b;
	struct digest da, db;

	assert_int_equal(digester_new(key_a, &a), 0);
	assert_int_equal(digester_new(key_b, &b), 0);
	assert_int_equal(digest_of(a, "tape", 4, &da), 0);
	assert_int_equal(digest_of(b, "tape", 4, &db), 0);
	assert_memory_equal(da.b, db.b, 16);
	assert_memory_not_equal(da.b + 16, db.b + 16, 16);
	assert_false(digest_equal(&da, &db));
	digester_free(a);
	digester_free(b);
}

static void one_flipped_bit_does_not_fit(void **state)
{
	uint8_t data[1000];
	struct digester *d;
	struct digest got;

	chance_fill(data, sizeof(data), 2);
	assert_int_equal(digester_new(key_a, &d), 0);
	assert_int_equal(digest_of(d, data, sizeof(data), &got), 0);
	assert_true(digest_fits(&got, data, sizeof(data)));
	assert_false(digest_fits(&got, data, sizeof(data) - 1));
	for (size_t i = 0; i < sizeof(data); i += 37) {
		data[i] ^= 1;
		assert_false(digest_fits(&got, data, sizeof(data)));
		data[i] ^= 1;
	}
	digester_free(d);
}

struct crowd {
	struct digester *d;
	const uint8_t *data;
	struct digest want[64];
	int wrong;
};

static void *digest_in_a_crowd(void *arg)
{
	struct crowd *c = arg;
	struct digest got;

	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < 64; i++)
			if (digest_of(c->d, c->data + i, 2000 + i, &got) || !digest_equal(&got, &c->want[i]))
				__atomic_add_fetch(&c->wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void threads_share_a_digester(void **state)
{
	static uint8_t data[4096];
	struct crowd c = { .data = data };
	pthread_t t[8];

	chance_fill(data, sizeof(data), 3);
	assert_int_equal(digester_new(key_a, &c.d), 0);
	for (size_t i = 0; i < 64; i++)
		digest_slowly(key_a, data + i, 2000 + i, &c.want[i]);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, digest_in_a_crowd, &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(c.wrong, 0);
	digester_free(c.d);
}

static void random_bytes_differ(void **state)
{
	uint8_t a[1000] = { 0 }, b[1000] = { 0 };

	assert_int_equal(random_bytes(a, sizeof(a)), 0);
	assert_int_equal(random_bytes(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 900, b + 900, 100);
	assert_int_equal(random_bytes(a, 0), 0);
}

static void sum64_is_xxh3(void **state)
{
	assert_int_equal(sum64("", 0), 0x2d06800538d394c2u);
	assert_int_not_equal(sum64("a", 1), sum64("b", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_is_checksum_and_tag_of_the_bytes),
		cmocka_unit_test(digest_of_abc_stays_what_it_is),
		cmocka_unit_test(another_key_changes_the_tag_and_not_the_checksum),
		cmocka_unit_test(one_flipped_bit_does_not_fit),
		cmocka_unit_test(threads_share_a_digester),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(sum64_is_xxh3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
