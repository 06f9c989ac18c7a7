/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory: what outlives a kill of the process.
 *
 * An area begins with a head, behind it two slots (state, the answer to the last command, how long the log is), behind
 * them the log, in three parts.  Only one slot counts: that of the number in the head, generation.  A step writes the
 * other slot and then the number, by one store.  Nothing that counts is ever written: the log grows behind what the
 * slot says is in it, and when it turns to another part or is cleared, that is one in which nothing counts.  So a kill
 * between any two stores leaves what was before the step or what is after it.  Two parts may count, the older one
 * first: while that is waiting to be dropped, the log goes on in the other.  No barrier of a processor is asked for: a
 * killed thread has done all its stores up to one of them; the compiler alone must keep their order.
 *
 * What it guarantees nothing about is a machine that stops: pages of a file may be on disk in any mixture then.  The
 * head names the boot, and an area of another one is fresh.
 */
#include <assert.h>
#include <errno.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "scsi/memory.h"

#define AREA_MAGIC "vtapeMEM"
#define AREA_VERSION 2u
#define PARTS 3u
#define STREAM_MIN (16u << 10)

struct slot {
	uint64_t sum;			/* of what follows, up to the last byte of the state that is used */
	uint64_t generation;
	uint64_t log_len, older_len;	/* bytes that count, of @part and of @older */
	uint64_t sequence;		/* 0: no answer */
	uint64_t data_in;
	uint32_t part, older;		/* of the log */
	uint32_t status;
	uint32_t sense_len;
	uint32_t state_len;
	uint8_t sense[SCSI_SENSE_MAX];
	uint8_t state[MEMORY_STATE_MAX];
};

struct area {
	char magic[8];
	uint32_t version, slot_bytes;
	uint64_t len;
	uint8_t boot[16];
	uint64_t generation;		/* the slot that counts is [generation & 1]; 0: none */
	struct slot slot[2];
	uint8_t log[];			/* PARTS of them */
};

/* Of an entry in the log; behind it its bytes, filled up to a multiple of 8. */
struct entry { uint64_t object, n; uint32_t partition, marks; };

struct memory {
	struct area *area;
	struct area *own;		/* the same, if it is the heap's */
	bool fresh;
	size_t part_bytes;		/* 0: no log is kept */
	/* What the next step makes true: */
	uint32_t part, older;
	size_t log_len, older_len;
};

static const struct slot *now(const struct memory *m)
{
	uint64_t generation = __atomic_load_n(&m->area->generation, __ATOMIC_ACQUIRE);

	return generation ? &m->area->slot[generation & 1] : NULL;
}

static uint8_t *part_of(const struct memory *m, uint32_t part)
{
	return m->area->log + part * m->part_bytes;
}

static uint64_t slot_sum(const struct slot *s)
{
	return sum64(&s->generation, offsetof(struct slot, state) - offsetof(struct slot, generation) + s->state_len);
}

/* ---- opened: does it hold together? ----------------------------------------------------------------------------- */

static size_t filled_up(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* The entry at @at, of @len bytes that count; false: what is there is none. */
static bool entry_at(const uint8_t *log, size_t len, size_t at, struct memory_entry *out, size_t *next)
{
	struct entry e;

	if (len - at < sizeof(e))
		return false;
	memcpy(&e, log + at, sizeof(e));
	at += sizeof(e);
	if (e.n > len - at || filled_up(e.n) > len - at)
		return false;
	*out = (struct memory_entry){ .partition = e.partition, .object = e.object, .marks = e.marks, .p = log + at,
				      .n = e.n };
	*next = at + filled_up(e.n);
	return true;
}

static bool log_holds(const uint8_t *log, size_t len)
{
	struct memory_entry e;

	for (size_t at = 0; at < len; ) {
		if (!entry_at(log, len, at, &e, &at))
			return false;
	}
	return true;
}

static void head_of(struct area *head, size_t len)
{
	*head = (struct area){ .version = AREA_VERSION, .slot_bytes = sizeof(struct slot), .len = len };
	memcpy(head->magic, AREA_MAGIC, sizeof(head->magic));
	clock_boot_id(head->boot);
}

static bool area_holds(const struct memory *m, const struct area *head)
{
	const struct slot *s;

	if (memcmp(m->area, head, offsetof(struct area, generation)))
		return false;
	s = now(m);
	return s && s->generation == m->area->generation && s->state_len <= MEMORY_STATE_MAX &&
	       s->sense_len <= SCSI_SENSE_MAX && s->part < PARTS && s->older < PARTS && s->log_len <= m->part_bytes &&
	       s->older_len <= m->part_bytes && s->sum == slot_sum(s) &&
	       log_holds(part_of(m, s->older), s->older_len) && log_holds(part_of(m, s->part), s->log_len);
}

int memory_open(void *p, size_t len, struct memory **out)
{
	void *own = NULL;
	const struct slot *s;
	struct memory *m;
	struct area head;

	if (p && (len < sizeof(struct area) || (uintptr_t)p % 8))
		return err_explain(-EINVAL, "a unit's memory of %zu bytes is too small: it takes %u", len,
				   SCSI_MEMORY_MIN);
	if (!p) {
		len = sizeof(struct area);
		p = own = calloc(1, len);
		if (!p)
			return err_origin(-ENOMEM);
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		free(own);
		return err_origin(-ENOMEM);
	}
	m->area = p;
	m->own = own;
	m->part_bytes = (len - sizeof(struct area)) / PARTS & ~(size_t)7;
	head_of(&head, len);
	s = area_holds(m, &head) ? now(m) : NULL;
	m->fresh = !s;
	if (!s) {
		/* No generation first: a head that is right then never stands before slots of another. */
		__atomic_store_n(&m->area->generation, 0, __ATOMIC_RELEASE);
		memcpy(m->area, &head, offsetof(struct area, generation));
	} else {
		m->part = s->part;
		m->log_len = s->log_len;
		m->older = s->older;
		m->older_len = s->older_len;
	}
	*out = m;
	return 0;
}

struct memory *memory_close(struct memory *m, bool keep)
{
	if (!m)
		return NULL;
	if (!keep)
		__atomic_store_n(&m->area->generation, 0, __ATOMIC_RELEASE);
	free(m->own);
	free(m);
	return NULL;
}

/* ---- state and answer ------------------------------------------------------------------------------------------- */

bool memory_fresh(const struct memory *m)
{
	return m->fresh;
}

size_t memory_state(const struct memory *m, void *out, size_t cap)
{
	const struct slot *s = now(m);
	size_t n = s ? s->state_len : 0;

	if (n > cap)
		n = cap;
	if (n)
		memcpy(out, s->state, n);
	return n;
}

bool memory_answer(const struct memory *m, uint64_t sequence, struct scsi_task *t)
{
	const struct slot *s = now(m);

	if (!s || !sequence || s->sequence != sequence)
		return false;
	t->status = (enum scsi_status)s->status;
	t->sense_len = s->sense_len;
	memcpy(t->sense, s->sense, s->sense_len);
	t->data_in = s->data_in < t->data_len ? s->data_in : t->data_len;
	return true;
}

static void put_answer(struct slot *s, uint64_t sequence, const struct scsi_task *t)
{
	s->sequence = sequence;
	s->data_in = t->data_in;
	s->status = t->status;
	s->sense_len = (uint32_t)t->sense_len;
	memset(s->sense, 0, sizeof(s->sense));
	memcpy(s->sense, t->sense, t->sense_len);
}

/* Between commands the transport may still have to fetch the last answer. */
static void keep_answer(struct slot *s, const struct slot *last)
{
	s->sequence = last ? last->sequence : 0;
	s->data_in = last ? last->data_in : 0;
	s->status = last ? last->status : 0;
	s->sense_len = last ? last->sense_len : 0;
	if (last)
		memcpy(s->sense, last->sense, sizeof(s->sense));
	else
		memset(s->sense, 0, sizeof(s->sense));
}

void memory_step(struct memory *m, const void *state, size_t n, uint64_t sequence, const struct scsi_task *t)
{
	uint64_t generation = m->area->generation + 1;
	struct slot *s = &m->area->slot[generation & 1];

	assert(n <= MEMORY_STATE_MAX && (!t || t->sense_len <= SCSI_SENSE_MAX));
	s->generation = generation;
	s->log_len = m->log_len;
	s->part = m->part;
	s->older_len = m->older_len;
	s->older = m->older;
	if (t)
		put_answer(s, sequence, t);
	else
		keep_answer(s, now(m));
	s->state_len = (uint32_t)n;
	if (n)
		memcpy(s->state, state, n);
	s->sum = slot_sum(s);
	__atomic_store_n(&m->area->generation, generation, __ATOMIC_RELEASE);
}

/* ---- the log ---------------------------------------------------------------------------------------------------- */

bool memory_log_room(const struct memory *m, size_t n)
{
	size_t left = m->part_bytes - m->log_len, need = filled_up(n);

	return m->own || (left >= sizeof(struct entry) && need >= n && need <= left - sizeof(struct entry));
}

/* Written once, and as a rule never read: past the caches, which takes half the time, and leaves in them what is.  But
 * a few bytes are faster the other way, for the end of such a row of stores is waited for. */
static void put_bytes(uint8_t *to, const uint8_t *p, size_t n)
{
#ifdef __SSE2__
	if (n < STREAM_MIN) {
		if (n)
			memcpy(to, p, n);
		return;
	}
	while (n && (uintptr_t)to % 64) {
		*to++ = *p++;
		n--;
	}
	for (; n >= 16; n -= 16, to += 16, p += 16)
		_mm_stream_si128((__m128i *)(void *)to, _mm_loadu_si128((const __m128i *)(const void *)p));
	_mm_sfence();
#endif
	if (n)
		memcpy(to, p, n);
}

static void log_append(struct memory *m, const struct entry *e, const void *p)
{
	uint8_t *to;

	if (m->own)
		return;
	assert(memory_log_room(m, e->n));
	to = part_of(m, m->part) + m->log_len;
	memcpy(to, e, sizeof(*e));
	put_bytes(to + sizeof(*e), p, e->n);
	m->log_len += sizeof(*e) + filled_up(e->n);
}

void memory_log_record(struct memory *m, uint32_t partition, uint64_t object, const void *p, size_t n)
{
	log_append(m, &(struct entry){ .partition = partition, .object = object, .n = n }, p);
}

void memory_log_marks(struct memory *m, uint32_t partition, uint64_t object, uint32_t count)
{
	log_append(m, &(struct entry){ .partition = partition, .object = object, .marks = count }, NULL);
}

/* Does something count in it until the next step? */
static bool counts(const struct memory *m, uint32_t part)
{
	const struct slot *s = now(m);

	return s && ((s->log_len && s->part == part) || (s->older_len && s->older == part));
}

void memory_log_clear(struct memory *m)
{
	m->log_len = m->older_len = 0;
	for (uint32_t part = 0; counts(m, m->part); part++)
		m->part = part;
}

bool memory_log_turn(struct memory *m)
{
	uint32_t part = 0;

	if (m->own || m->older_len)
		return false;
	while (part < PARTS && (part == m->part || counts(m, part)))
		part++;
	if (part == PARTS)
		return false;
	m->older = m->part;
	m->older_len = m->log_len;
	m->part = part;
	m->log_len = 0;
	return true;
}

bool memory_log_turned(const struct memory *m)
{
	return m->older_len;
}

size_t memory_log_used(const struct memory *m, size_t *of)
{
	*of = m->part_bytes;
	return m->log_len;
}

void memory_log_drop_older(struct memory *m)
{
	m->older_len = 0;
}

static int each_of_part(const uint8_t *log, size_t len, int (*each)(void *ctx, const struct memory_entry *e),
			void *ctx)
{
	struct memory_entry e;
	int r = 0;

	for (size_t at = 0; !r && at < len; ) {
		if (!entry_at(log, len, at, &e, &at))
			return err_origin(-EUCLEAN);
		r = each(ctx, &e);
	}
	return r;
}

int memory_log_each(const struct memory *m, int (*each)(void *ctx, const struct memory_entry *e), void *ctx)
{
	const struct slot *s = now(m);
	int r = s ? each_of_part(part_of(m, s->older), s->older_len, each, ctx) : 0;

	return r || !s ? r : each_of_part(part_of(m, s->part), s->log_len, each, ctx);
}
