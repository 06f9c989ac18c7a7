/* SPDX-License-Identifier: BSD-2-Clause */
/* codec: what goes in comes out, what does not shrink stays plain, what is damaged is told. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "chunk/codec.h"

#define LEN (100u << 10)

static void fill_text(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = "volume  drive   record  filemarkobject  positionchunk   pack    "[(seed >> 61) * 8 + i % 8];
	}
}

static int setup(void **state) { return codecs_new((struct codecs **)state); }
static int teardown(void **state) { *state = codecs_free(*state); return *state != NULL; }

static void what_goes_in_comes_out(void **state)
{
	static const enum chunk_codec codecs[] = { CHUNK_LZ4, CHUNK_ZSTD };
	static uint8_t raw[LEN], stored[LEN], back[LEN];

	fill_text(raw, LEN, 1);
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
		for (int level = 0; level < 7; level += 3)
			for (size_t n = 500; n <= LEN; n = n * 3 + 7) {
				enum chunk_codec used = CHUNK_PLAIN;
				size_t len;

				assert_int_equal(codec_compress(*state, codecs[i], level, raw, n, stored, &used, &len),
						 0);
				assert_int_equal(used, codecs[i]);
				assert_true(len < n);
				memset(back, 0, n);
				assert_int_equal(codec_expand(*state, used, stored, len, back, n), 0);
				assert_memory_equal(back, raw, n);
			}
}

static void what_does_not_shrink_stays_plain(void **state)
{
	static uint8_t raw[LEN], stored[LEN], back[LEN];
	enum chunk_codec used;
	size_t len;

	assert_int_equal(random_bytes(raw, LEN), 0);
	for (enum chunk_codec c = CHUNK_PLAIN; c <= CHUNK_ZSTD; c++) {
		assert_int_equal(codec_compress(*state, c, 0, raw, LEN, stored, &used, &len), 0);
		assert_int_equal(used, CHUNK_PLAIN);
		assert_int_equal(len, LEN);
		assert_int_equal(codec_compress(*state, c, 0, raw, 1, stored, &used, &len), 0);
		assert_int_equal(used, CHUNK_PLAIN);
		assert_int_equal(len, 1);
	}
	assert_int_equal(codec_expand(*state, CHUNK_PLAIN, raw, LEN, back, LEN), 0);
	assert_memory_equal(back, raw, LEN);
}

static void damaged_bytes_are_told(void **state)
{
	static uint8_t raw[LEN], stored[LEN], back[LEN + 1];
	enum chunk_codec used;
	size_t len;

	fill_text(raw, LEN, 2);
	for (enum chunk_codec c = CHUNK_PLAIN; c <= CHUNK_ZSTD; c++) {
		assert_int_equal(codec_compress(*state, c, 0, raw, LEN, stored, &used, &len), 0);
		if (used == CHUNK_PLAIN)
			memcpy(stored, raw, LEN);
		assert_int_equal(codec_expand(*state, used, stored, len, back, LEN + 1), -EBADMSG);
		assert_int_equal(codec_expand(*state, used, stored, len, back, LEN - 1), -EBADMSG);
		assert_int_equal(codec_expand(*state, used, stored, len - 1, back, LEN), -EBADMSG);
	}
	/* Garbage for every codec, known or not, must be survived. */
	for (unsigned codec = CHUNK_LZ4; codec < 256; codec += codec < 4 ? 1 : 50)
		for (size_t n = 1; n < 5000; n += 61) {
			assert_int_equal(random_bytes(stored, n), 0);
			if (codec > CHUNK_ZSTD)
				assert_int_equal(codec_expand(*state, codec, stored, n, back, LEN), -EBADMSG);
			else
				codec_expand(*state, codec, stored, n, back, LEN);
		}
}

static void names_are_those_of_the_manual(void **state)
{
	enum chunk_codec c;

	assert_int_equal(chunk_codec_parse("none", &c), 0);
	assert_int_equal(c, CHUNK_PLAIN);
	assert_int_equal(chunk_codec_parse("lz4", &c), 0);
	assert_int_equal(c, CHUNK_LZ4);
	assert_int_equal(chunk_codec_parse("zstd", &c), 0);
	assert_int_equal(c, CHUNK_ZSTD);
	assert_int_equal(chunk_codec_parse("", &c), -EINVAL);
	assert_int_equal(chunk_codec_parse("gzip", &c), -EINVAL);
	for (c = CHUNK_PLAIN; c <= CHUNK_ZSTD; c++) {
		enum chunk_codec again;

		assert_int_equal(chunk_codec_parse(chunk_codec_name(c), &again), 0);
		assert_int_equal(again, c);
	}
	assert_string_equal(chunk_codec_name((enum chunk_codec)77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_goes_in_comes_out, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_shrink_stays_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_bytes_are_told, setup, teardown),
		cmocka_unit_test(names_are_those_of_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
