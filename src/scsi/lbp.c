/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lbp: the checksums of logical block protection, four bytes behind each record.
 *
 * Method 1 is the Reed-Solomon CRC of ECMA-319: the remainder of the record, a polynomial over GF(256) whose first byte
 * is its highest coefficient, times y^4, by G(y) = y^4 + 38h y^3 + CFh y^2 + 38h y + 1.  The field is made by
 * x^8 + x^4 + x^3 + x^2 + 1 and G's roots are a^126 to a^129.  The highest coefficient comes first on the wire.
 * Method 2 is CRC-32C (Castagnoli) as iSCSI has it (RFC 3720, B.4): its least significant byte comes first.
 *
 * Both are linear and go byte by byte through a register of 32 bits, so one loop with tables of its own does for both:
 * 16 bytes at a time, each looked up in a table of what it does to the register from its place.  The Reed-Solomon
 * register is kept the other way round, so that both shift the same way and both are put little-endian.  Where the
 * processor has an instruction for CRC-32C, that is used.
 */
#include "scsi/unit.h"

#define LANES 16

struct table { uint32_t of[LANES][256]; };
static struct table reed_solomon, crc32c;
static bool has_instruction, by_tables_alone;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Product in GF(256). */
static uint32_t times(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = a << 1 ^ (a & 0x80 ? 0x11d : 0);
	}
	return product;
}

static uint32_t crc32c_of(uint32_t byte)
{
	for (int i = 0; i < 8; i++)
		byte = byte >> 1 ^ (byte & 1 ? 0x82f63b78 : 0);
	return byte;
}

/* From table 0, what a byte does when it is the last one, the others: when 1, 2, ... zeros follow it. */
static void lanes_make(struct table *t)
{
	for (unsigned lane = 1; lane < LANES; lane++)
		for (unsigned b = 0; b < 256; b++)
			t->of[lane][b] = t->of[lane - 1][b] >> 8 ^ t->of[0][t->of[lane - 1][b] & 0xff];
}

static void tables_make(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		reed_solomon.of[0][b] = times(b, 0x38) | times(b, 0xcf) << 8 | times(b, 0x38) << 16 | b << 24;
		crc32c.of[0][b] = crc32c_of(b);
	}
	lanes_make(&reed_solomon);
	lanes_make(&crc32c);
#ifdef __x86_64__
	has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

static uint32_t by_table(const struct table *t, uint32_t reg, const uint8_t *p, size_t n)
{
	for (; n >= LANES; p += LANES, n -= LANES) {
		uint64_t a = get_le64(p) ^ reg, b = get_le64(p + 8);

		reg = 0;
		for (unsigned i = 0; i < 8; i++)
			reg ^= t->of[15 - i][a >> 8 * i & 0xff] ^ t->of[7 - i][b >> 8 * i & 0xff];
	}
	for (; n; p++, n--)
		reg = reg >> 8 ^ t->of[0][(reg ^ *p) & 0xff];
	return reg;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t reg, const uint8_t *p, size_t n)
{
	uint64_t wide = reg;

	for (; n >= 8; p += 8, n -= 8)
		wide = __builtin_ia32_crc32di(wide, get_le64(p));
	for (reg = (uint32_t)wide; n; p++, n--)
		reg = __builtin_ia32_crc32qi(reg, *p);
	return reg;
}
#else
static uint32_t by_instruction(uint32_t reg, const uint8_t *p, size_t n)
{
	return by_table(&crc32c, reg, p, n);
}
#endif

void lbp_without_instruction(bool on)
{
	pthread_once(&once, tables_make);
	by_tables_alone = on;
}

void lbp_put(unsigned method, const void *p, size_t n, uint8_t crc[4])
{
	pthread_once(&once, tables_make);
	if (method == 1)
		put_le32(crc, by_table(&reed_solomon, 0, p, n));
	else if (has_instruction && !by_tables_alone)
		put_le32(crc, ~by_instruction(~0u, p, n));
	else
		put_le32(crc, ~by_table(&crc32c, ~0u, p, n));
}

bool lbp_fits(unsigned method, const void *p, size_t n, const uint8_t crc[4])
{
	uint8_t own[4];

	lbp_put(method, p, n, own);
	return !memcmp(own, crc, 4);
}
