/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scsi/unit.h"

enum { REED_SOLOMON = 1, CRC32C = 2 };

static void assert_crc(unsigned method, const void *p, size_t n, uint32_t on_the_wire)
{
	uint8_t crc[4];

	lbp_put(method, p, n, crc);
	assert_int_equal(get_be32(crc), on_the_wire);
	assert_true(lbp_fits(method, p, n, crc));
}

static void crc32c_is_the_one_of_rfc_3720_in_its_byte_order(void **state)
{
	static const uint8_t pdu[48] = {
		0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
		0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0
	};
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];

	memset(ones, 0xff, 32);
	for (uint8_t i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = (uint8_t)(31 - i);
	}
	for (int plain = 0; plain < 2; plain++) {
		lbp_without_instruction(plain);
		assert_crc(CRC32C, zeros, 32, 0xaa36918a);
		assert_crc(CRC32C, ones, 32, 0x43aba862);
		assert_crc(CRC32C, up, 32, 0x4e79dd46);
		assert_crc(CRC32C, down, 32, 0x5cdb3f11);
		assert_crc(CRC32C, pdu, 48, 0x563a96d9);
		assert_crc(CRC32C, "123456789", 9, 0x839206e3);
	}
	lbp_without_instruction(false);
}

/* ---- GF(256) and polynomials over it, from the definitions, by logarithms ---------------------------------------- */

static uint8_t power[255];	/* of a */
static int logarithm[256];

static int field(void **state)
{
	unsigned x = 1;

	for (int i = 0; i < 255; i++) {
		power[i] = (uint8_t)x;
		logarithm[x] = i;
		x = x << 1 ^ (x & 0x80 ? 0x11d : 0);
	}
	return 0;
}

static uint8_t product(uint8_t a, uint8_t b)
{
	return a && b ? power[(logarithm[a] + logarithm[b]) % 255] : 0;
}

/* The product of (y + a^126) to (y + a^129), highest coefficient first. */
static void generator(uint8_t g[5])
{
	memset(g, 0, 5);
	g[0] = 1;
	for (int root = 126; root <= 129; root++)
		for (int i = 4; i > 0; i--)
			g[i] ^= product(g[i - 1], power[root]);
}

/* Long division of the record times y^4. */
static void remainder_of(const uint8_t *p, size_t n, uint8_t rest[4])
{
	uint8_t *dividend = calloc(n + 4, 1), g[5];

	generator(g);
	memcpy(dividend, p, n);
	for (size_t i = 0; i < n; i++)
		for (int k = 4; k >= 0; k--)
			dividend[i + (size_t)k] ^= product(dividend[i], k ? g[k] : 0);
	memcpy(rest, dividend + n, 4);
	free(dividend);
}

static void reed_solomon_is_the_remainder_by_the_polynomial_with_these_roots(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 1000, 65536 };
	uint8_t g[5], want[4], got[4], p[65536];

	generator(g);
	assert_memory_equal(g, ((uint8_t[]){ 0x01, 0x38, 0xcf, 0x38, 0x01 }), 5);
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		assert_int_equal(random_bytes(p, sizes[s]), 0);
		remainder_of(p, sizes[s], want);
		lbp_put(REED_SOLOMON, p, sizes[s], got);
		assert_memory_equal(got, want, 4);
	}
}

/* With the CRC behind it a record is a multiple of G: it is zero at each root. */
static void a_record_with_its_reed_solomon_crc_is_zero_at_the_roots(void **state)
{
	uint8_t p[700 + 4];

	assert_int_equal(random_bytes(p, 700), 0);
	lbp_put(REED_SOLOMON, p, 700, p + 700);
	for (int root = 126; root <= 129; root++) {
		uint8_t value = 0;

		for (size_t i = 0; i < sizeof(p); i++)
			value = product(value, power[root]) ^ p[i];
		assert_int_equal(value, 0);
	}
}

/* Rows of the table that LTFS computes with. */
static void reed_solomon_of_one_byte_is_what_ltfs_appends(void **state)
{
	assert_crc(REED_SOLOMON, "\x01", 1, 0x38cf3801);
	assert_crc(REED_SOLOMON, "\x80", 1, 0x51475180);
	assert_crc(REED_SOLOMON, "\xff", 1, 0x763f76ff);
	assert_crc(REED_SOLOMON, "\0\0\0\0\x01", 5, 0x38cf3801);
}

static void the_way_through_the_bytes_does_not_matter(void **state)
{
	uint8_t p[300], with[4], without[4];

	assert_int_equal(random_bytes(p, sizeof(p)), 0);
	for (size_t from = 0; from < 9; from++) {
		for (size_t n = 0; n < sizeof(p) - from; n++) {
			uint32_t reg = ~0u;

			for (size_t i = from * 8; i < (from + n) * 8; i++)
				reg = reg >> 1 ^ ((reg ^ p[i / 8] >> i % 8) & 1 ? 0x82f63b78 : 0);
			lbp_without_instruction(false);
			lbp_put(CRC32C, p + from, n, with);
			lbp_without_instruction(true);
			lbp_put(CRC32C, p + from, n, without);
			assert_int_equal(get_le32(with), ~reg);
			assert_memory_equal(with, without, 4);
		}
	}
	lbp_without_instruction(false);
}

static void every_flipped_bit_is_seen(void **state)
{
	uint8_t p[64 + 4];

	for (unsigned method = REED_SOLOMON; method <= CRC32C; method++) {
		assert_int_equal(random_bytes(p, 64), 0);
		lbp_put(method, p, 64, p + 64);
		for (size_t bit = 0; bit < 8 * sizeof(p); bit++) {
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_false(lbp_fits(method, p, 64, p + 64));
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_true(lbp_fits(method, p, 64, p + 64));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_is_the_one_of_rfc_3720_in_its_byte_order),
		cmocka_unit_test(reed_solomon_is_the_remainder_by_the_polynomial_with_these_roots),
		cmocka_unit_test(a_record_with_its_reed_solomon_crc_is_zero_at_the_roots),
		cmocka_unit_test(reed_solomon_of_one_byte_is_what_ltfs_appends),
		cmocka_unit_test(the_way_through_the_bytes_does_not_matter),
		cmocka_unit_test(every_flipped_bit_is_seen),
	};

	return cmocka_run_group_tests(tests, field, NULL);
}
