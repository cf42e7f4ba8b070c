/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/collector/ring.h"

/* A kernel that grants at most `allowed_pages` data pages. */
struct fake {
	size_t allowed_pages;
	int refusal;
	size_t map_calls, unmap_calls;
	size_t mapped_bytes;
};

static int fake_map(void *context, int fd, size_t size_bytes, int protection, off_t offset,
		    void **address)
{
	struct fake *fake = context;
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	assert_int_equal(fd, 5);
	assert_int_equal(protection, PROT_READ | PROT_WRITE);
	assert_int_equal(offset, 0);
	fake->map_calls++;
	if (size_bytes / page_bytes - 1 > fake->allowed_pages)
		return fake->refusal;
	fake->mapped_bytes = size_bytes;
	*address = pgb_calloc(size_bytes, 1);
	return 0;
}

static int fake_unmap(void *context, void *address, size_t size_bytes)
{
	struct fake *fake = context;

	assert_int_equal(size_bytes, fake->mapped_bytes);
	fake->unmap_calls++;
	free(address);
	return 0;
}

static void open_ring(struct pgb_ring *ring, struct pgb_perf_sys *sys, struct fake *fake)
{
	*fake = (struct fake){.allowed_pages = 1};
	*sys = (struct pgb_perf_sys){.map = fake_map, .unmap = fake_unmap, .context = fake};
	assert_int_equal(pgb_ring_open(ring, sys, 5, 1, NULL), 0);
}

/* What the kernel does: bytes at `at`, wrapped around; then the head moves. */
static void write_at(struct pgb_ring *ring, uint64_t at, const void *bytes, size_t length)
{
	uint8_t *data = (uint8_t *)ring->page + (ring->data - (const uint8_t *)ring->page);

	for (size_t i = 0; i < length; i++)
		data[(at + i) % ring->size_bytes] = ((const uint8_t *)bytes)[i];
}

static void write_record(struct pgb_ring *ring, uint64_t at, size_t size, uint8_t fill)
{
	struct perf_event_header header = {.type = 9, .misc = fill, .size = (uint16_t)size};
	uint8_t *body = pgb_calloc(size, 1);

	memset(body, fill, size);
	memcpy(body, &header, sizeof(header));
	write_at(ring, at, body, size);
	free(body);
}

static void check_record(struct pgb_ring *ring, uint64_t at, size_t size, uint8_t fill)
{
	struct pgb_cursor bytes;

	assert_int_equal(pgb_ring_peek(ring, &bytes), 1);
	assert_int_equal(pgb_cursor_left(&bytes), size);
	assert_int_equal(bytes.offset, at);
	assert_int_equal(pgb_cursor_u32(&bytes), 9);
	assert_int_equal(pgb_cursor_u16(&bytes), fill);
	assert_int_equal(pgb_cursor_u16(&bytes), size);
	while (pgb_cursor_left(&bytes) > 0)
		assert_int_equal(pgb_cursor_u8(&bytes), fill);
	pgb_ring_advance(ring);
}

/* Three records that end at each offset of the ring, so that each wraps at each place. */
static void wrap_around_at_every_offset(void **state)
{
	struct pgb_perf_sys sys;
	struct pgb_ring ring;
	struct fake fake;

	(void)state;
	open_ring(&ring, &sys, &fake);
	/* every byte, though the kernel writes whole words: the reader must not care */
	for (uint64_t start = 0; start <= ring.size_bytes; start++) {
		uint64_t at = UINT64_MAX / 2 + 1 - ring.size_bytes + start;

		ring.tail = at;
		write_record(&ring, at, 24, 1);
		write_record(&ring, at + 24, 8, 2);
		write_record(&ring, at + 32, 40, 3);
		ring.page->data_head = at + 72;
		assert_int_equal(pgb_ring_acquire(&ring), 72);
		check_record(&ring, at, 24, 1);
		check_record(&ring, at + 24, 8, 2);
		check_record(&ring, at + 32, 40, 3);
		assert_int_equal(pgb_ring_peek(&ring, &(struct pgb_cursor){0}), 0);
	}
	pgb_ring_close(&ring);
	assert_int_equal(fake.unmap_calls, 1);
}

static void only_a_wrapped_record_is_copied(void **state)
{
	struct pgb_perf_sys sys;
	struct pgb_cursor bytes;
	struct pgb_ring ring;
	struct fake fake;

	(void)state;
	open_ring(&ring, &sys, &fake);
	ring.tail = ring.size_bytes - 16;
	write_record(&ring, ring.tail, 16, 1);
	write_record(&ring, ring.tail + 16, 16, 2);
	ring.page->data_head = ring.tail + 32;
	pgb_ring_acquire(&ring);
	assert_int_equal(pgb_ring_peek(&ring, &bytes), 1);
	assert_ptr_equal(bytes.at, ring.data + ring.size_bytes - 16);
	pgb_ring_advance(&ring);
	assert_int_equal(pgb_ring_peek(&ring, &bytes), 1);
	assert_ptr_equal(bytes.at, ring.data);
	ring.tail = ring.size_bytes - 8;
	write_record(&ring, ring.tail, 16, 3);
	ring.page->data_head = ring.tail + 16;
	pgb_ring_acquire(&ring);
	assert_int_equal(pgb_ring_peek(&ring, &bytes), 1);
	assert_ptr_equal(bytes.at, ring.scratch);
	pgb_ring_close(&ring);
}

static void the_tail_is_published_by_release_only(void **state)
{
	struct pgb_perf_sys sys;
	struct pgb_ring ring;
	struct fake fake;

	(void)state;
	open_ring(&ring, &sys, &fake);
	write_record(&ring, 0, 16, 1);
	write_record(&ring, 16, 16, 2);
	ring.page->data_head = 16;
	pgb_ring_acquire(&ring);
	ring.page->data_head = 32; /* not ours to see before the next acquire */
	check_record(&ring, 0, 16, 1);
	assert_int_equal(pgb_ring_peek(&ring, &(struct pgb_cursor){0}), 0);
	assert_int_equal(ring.page->data_tail, 0);
	pgb_ring_release(&ring);
	assert_int_equal(ring.page->data_tail, 16);
	assert_int_equal(pgb_ring_acquire(&ring), 16);
	check_record(&ring, 16, 16, 2);
	pgb_ring_release(&ring);
	assert_int_equal(ring.page->data_tail, 32);
	pgb_ring_close(&ring);
}

static void a_record_as_large_as_the_ring(void **state)
{
	struct pgb_perf_sys sys;
	struct pgb_ring ring;
	struct fake fake;

	(void)state;
	open_ring(&ring, &sys, &fake);
	ring.tail = 8;
	write_record(&ring, 8, ring.size_bytes, 7);
	ring.page->data_head = 8 + ring.size_bytes;
	assert_int_equal(pgb_ring_acquire(&ring), ring.size_bytes);
	check_record(&ring, 8, ring.size_bytes, 7);
	pgb_ring_close(&ring);
}

/* size in the header, bytes up to the head */
static void sizes_that_cannot_be(void **state)
{
	static const struct {
		uint16_t size;
		uint64_t waiting;
	} rows[] = {
		{0, 64}, {7, 64}, {72, 64},	{65535, 64},
		{8, 1},	 {8, 7},  {8, 1 << 20}, {8, UINT64_MAX}, /* the head went backwards */
	};
	struct pgb_perf_sys sys;
	struct pgb_ring ring;
	struct fake fake;

	(void)state;
	open_ring(&ring, &sys, &fake);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct perf_event_header header = {.size = rows[i].size};
		struct pgb_cursor bytes;

		ring.tail = 4000;
		write_at(&ring, 4000, &header, sizeof(header));
		ring.page->data_head = 4000 + rows[i].waiting;
		pgb_ring_acquire(&ring);
		assert_int_equal(pgb_ring_peek(&ring, &bytes), PGB_E_CORRUPT);
		assert_int_equal(pgb_ring_peek(&ring, &bytes), 0);
		assert_true(ring.tail == ring.page->data_head);
	}
	pgb_ring_close(&ring);
}

static void the_ring_shrinks_when_locked_memory_is_short(void **state)
{
	static const struct {
		size_t wanted, allowed, got, calls;
		int refusal, code;
	} rows[] = {
		{64, 64, 64, 1, -EPERM, 0},
		{64, 16, 16, 3, -EPERM, 0},
		{100, 1000, 64, 1, -EPERM, 0},
		{64, 1, 1, 7, -EPERM, 0},
		{64, 0, 0, 7, -EPERM, PGB_E_RESOURCE},
		{64, 16, 0, 1, -ENOMEM, PGB_E_RESOURCE},
		{64, 16, 0, 1, -EINVAL, PGB_E_IO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake fake = {.allowed_pages = rows[i].allowed, .refusal = rows[i].refusal};
		struct pgb_perf_sys sys = {.map = fake_map, .unmap = fake_unmap, .context = &fake};
		struct pgb_error error = {0};
		struct pgb_ring ring = {0};

		assert_int_equal(pgb_ring_open(&ring, &sys, 5, rows[i].wanted, &error),
				 rows[i].code);
		assert_int_equal(fake.map_calls, rows[i].calls);
		assert_int_equal(error.code, rows[i].code);
		assert_int_equal(ring.size_bytes, rows[i].got * (size_t)sysconf(_SC_PAGESIZE));
		if (rows[i].code && rows[i].refusal == -EPERM)
			assert_non_null(strstr(error.remedy, "ulimit -l"));
		pgb_ring_close(&ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrap_around_at_every_offset),
		cmocka_unit_test(only_a_wrapped_record_is_copied),
		cmocka_unit_test(the_tail_is_published_by_release_only),
		cmocka_unit_test(a_record_as_large_as_the_ring),
		cmocka_unit_test(sizes_that_cannot_be),
		cmocka_unit_test(the_ring_shrinks_when_locked_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
