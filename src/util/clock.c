/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What time it is.  Everything that is stored or compared with a stored time asks here, so that a test can say what
 * time it is.  The wall clock may go backwards and forwards as somebody likes; what must not be fooled by that asks the
 * retention clock, which is a moment once set and the time that the machine has counted since.
 */
#include <vtape/util.h>

#include <stdatomic.h>
#include <time.h>

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

static _Atomic uint64_t stopped_at;
static _Atomic uint64_t retention_ahead;	/* of CLOCK_BOOTTIME; wraps round; 0: not set */
static _Atomic uint64_t boot_stopped_at;
static uint8_t boot_id_told[16];		/* while boot_stopped_at */

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	uint64_t t = atomic_load(&stopped_at);

	return t ? t : read_clock(CLOCK_REALTIME);
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
	uint64_t t = atomic_load(&boot_stopped_at);

	return t ? t : read_clock(CLOCK_BOOTTIME);
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "0b2f...-....-...": 32 digits, and dashes where the kernel likes them. */
static bool boot_id_parse(const struct buf *text, uint8_t id[16])
{
	unsigned digits = 0;

	for (size_t i = 0; i < text->len && digits < 32; i++) {
		int d = hex_digit(text->data[i]);

		if (d < 0)
			continue;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | d);
		digits++;
	}
	return digits == 32;
}

bool clock_boot_id(uint8_t id[16])
{
	struct buf text = BUF_INIT;
	bool told;

	memset(id, 0, 16);
	if (atomic_load(&boot_stopped_at)) {
		memcpy(id, boot_id_told, 16);
		return true;
	}
	told = io_read_file(BOOT_ID_PATH, 256, &text) == 0 && boot_id_parse(&text, id);
	if (!told)
		memset(id, 0, 16);
	buf_fini(&text);
	return told;
}

void clock_boot_set(const uint8_t id[16], uint64_t boot_ns)
{
	if (id)
		memcpy(boot_id_told, id, 16);
	atomic_store(&boot_stopped_at, id ? boot_ns : 0);
}

uint64_t clock_retention_ns(void)
{
	uint64_t ahead = atomic_load(&retention_ahead);

	return ahead ? clock_boot_ns() + ahead : clock_now_ns();
}

void clock_retention_set(uint64_t now_ns)
{
	atomic_store(&retention_ahead, now_ns ? now_ns - clock_boot_ns() : 0);
}

void clock_set(uint64_t now_ns)
{
	atomic_store(&stopped_at, now_ns);
}
