/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_order.h"

void pgb_perfdata_order_release(struct pgb_perfdata_order *order)
{
	pgb_array_release(&order->pending);
	pgb_array_release(&order->ready);
	pgb_array_release(&order->scratch);
}

void pgb_perfdata_order_add(struct pgb_perfdata_order *order,
			    const struct pgb_perfdata_entry *entry)
{
	if (entry->time_ns < order->latest_ns && entry->time_ns > 0)
		order->any_disorder = true;
	if (entry->last_ns > order->latest_ns)
		order->latest_ns = entry->last_ns;
	if (entry->time_ns > 0 && entry->time_ns < order->released_ns)
		order->late++;
	if (order->pending.count > 0 &&
	    entry->time_ns < order->pending.items[order->pending.count - 1].last_ns)
		order->unsorted = true;
	order->matters += entry->matters;
	order->pending_records += entry->count;
	pgb_array_push(&order->pending, *entry);
}

/* The end of the ascending run that starts at `from`. */
static size_t run_end(const struct pgb_perfdata_entry *entries, size_t from, size_t count)
{
	size_t at = from + 1;

	while (at < count && entries[at - 1].time_ns <= entries[at].time_ns)
		at++;
	return at < count ? at : count;
}

static void swap_with_scratch(struct pgb_perfdata_order *order)
{
	struct pgb_perfdata_entry *items = order->scratch.items;
	size_t capacity = order->scratch.capacity;

	order->scratch.items = order->pending.items;
	order->scratch.capacity = order->pending.capacity;
	order->pending.items = items;
	order->pending.capacity = capacity;
}

static void merge(const struct pgb_perfdata_entry *from, size_t first, size_t second, size_t end,
		  struct pgb_perfdata_entry *to)
{
	size_t left = first, right = second;

	for (size_t at = first; at < end; at++) {
		if (right == end || (left < second && from[left].time_ns <= from[right].time_ns))
			to[at] = from[left++];
		else
			to[at] = from[right++];
	}
}

/* Among records that are out of order each has its own place. */
static void split_pending(struct pgb_perfdata_order *order)
{
	size_t count = 0;

	for (size_t i = 0; i < order->pending.count; i++)
		count += order->pending.items[i].count;
	if (count == order->pending.count)
		return;
	pgb_array_reserve(&order->scratch, count);
	order->scratch.count = 0;
	for (size_t i = 0; i < order->pending.count; i++) {
		struct pgb_perfdata_entry entry = order->pending.items[i];

		while (entry.count > 1)
			order->cut(order->context, &entry,
				   &order->scratch.items[order->scratch.count++]);
		order->scratch.items[order->scratch.count++] = entry;
	}
	pgb_assert(order->scratch.count == count);
	swap_with_scratch(order);
	order->pending.count = count;
}

/*
 * Merge neighbouring runs until there is one: what each CPU wrote is a run already. Stable, so
 * records of one time keep the file's order.
 */
static void sort_pending(struct pgb_perfdata_order *order)
{
	size_t count;

	if (!order->unsorted)
		return;
	order->unsorted = false;
	split_pending(order);
	count = order->pending.count;
	pgb_array_reserve(&order->scratch, count);
	while (run_end(order->pending.items, 0, count) < count) {
		const struct pgb_perfdata_entry *from = order->pending.items;

		for (size_t at = 0; at < count;) {
			size_t second = run_end(from, at, count);
			size_t end = second < count ? run_end(from, second, count) : count;

			merge(from, at, second, end, order->scratch.items);
			at = end;
		}
		swap_with_scratch(order);
	}
}

/* To `ready`; samples that stand together anyway in one entry. */
static void release(struct pgb_perfdata_order *order, struct pgb_perfdata_entry *entry)
{
	struct pgb_perfdata_entry *last =
		order->ready.count > 0 ? &order->ready.items[order->ready.count - 1] : entry;

	if (last != entry && entry->samples && last->samples &&
	    last->bytes + last->size_bytes == entry->bytes && last->chunk == entry->chunk &&
	    last->member == entry->member && last->event == entry->event) {
		last->size_bytes += entry->size_bytes;
		last->count += entry->count;
		last->last_ns = entry->last_ns;
		return;
	}
	order->ready.items[order->ready.count++] = *entry;
}

/* Move what is not younger than `limit_ns` to `ready`. */
static void flush(struct pgb_perfdata_order *order, uint64_t limit_ns)
{
	size_t kept = 0;

	pgb_assert(order->ready_at == order->ready.count);
	order->ready_at = order->ready.count = 0;
	if (order->matters > 0)
		sort_pending(order);
	pgb_array_reserve(&order->ready, order->pending.count);
	for (size_t i = 0; i < order->pending.count; i++) {
		struct pgb_perfdata_entry *entry = &order->pending.items[i];

		if (entry->last_ns <= limit_ns) {
			order->matters -= entry->matters;
			order->pending_records -= entry->count;
			release(order, entry);
		} else {
			order->pending.items[kept++] = *entry;
		}
	}
	order->pending.count = kept;
	if (kept == 0)
		order->unsorted = false;
	if (limit_ns > order->released_ns)
		order->released_ns = limit_ns;
}

void pgb_perfdata_order_round(struct pgb_perfdata_order *order)
{
	flush(order, order->round_ns);
	order->round_ns = order->latest_ns;
	order->rounds = true;
}

void pgb_perfdata_order_until(struct pgb_perfdata_order *order, uint64_t limit_ns)
{
	flush(order, limit_ns);
}

void pgb_perfdata_order_halve(struct pgb_perfdata_order *order)
{
	size_t middle;

	if (order->pending.count == 0)
		return;
	sort_pending(order);
	middle = order->pending.count / 2;
	/* At least the first entry. */
	flush(order,
	      middle > 0 ? order->pending.items[middle].time_ns : order->pending.items[0].last_ns);
}

void pgb_perfdata_order_finish(struct pgb_perfdata_order *order)
{
	flush(order, UINT64_MAX);
}

const struct pgb_perfdata_entry *pgb_perfdata_order_next(struct pgb_perfdata_order *order)
{
	if (order->ready_at == order->ready.count)
		return NULL;
	return &order->ready.items[order->ready_at++];
}
