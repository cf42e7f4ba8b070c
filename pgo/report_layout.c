/* SPDX-License-Identifier: MIT */
/* Pictures of the layout: heat maps of the code sections, and blocks of the hottest functions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/report_private.h"

enum {
	CELLS_IN_ROW = 64,
	CELL_HEIGHT = 16,
	LINKS_MOST = 24,
	PICTURE_WIDTH = 1000,
	STRIP_HEIGHT = 22,
	LINK_HEIGHT = 34,
};

/* ---- heat maps */

static double hottest_bucket(const json_t *layout)
{
	static const char *const sides[] = {"before", "after"};
	double hottest = 0;

	for (size_t s = 0; s < 2; s++) {
		const json_t *sections =
			json_object_get(json_object_get(layout, sides[s]), "sections");

		for (size_t i = 0; i < pgb_report_size(sections); i++) {
			const json_t *heat = json_object_get(json_array_get(sections, i), "heat");

			for (size_t k = 0; k < pgb_report_size(heat); k++)
				hottest = fmax(hottest, json_number_value(json_array_get(heat, k)));
		}
	}
	return hottest;
}

static double sum_of(const json_t *numbers)
{
	double sum = 0;

	for (size_t i = 0; i < pgb_report_size(numbers); i++)
		sum += json_number_value(json_array_get(numbers, i));
	return sum;
}

static void add_cells(struct pgb_page *page, const json_t *layout, const json_t *section,
		      double hottest)
{
	const json_t *heat = json_object_get(section, "heat");
	double bucket_bytes = pgb_report_number(layout, "bucket_bytes");
	double weight = pgb_report_number(layout, "weight");
	size_t count = pgb_report_size(heat);
	size_t rows = (count + CELLS_IN_ROW - 1) / CELLS_IN_ROW;

	pgb_page_add(page,
		     "<svg viewBox=\"0 0 %d %zu\" role=img aria-label=\"heat of %s: %.1f%% of all "
		     "weight in %zu buckets\">",
		     CELLS_IN_ROW * 10, rows * CELL_HEIGHT, pgb_report_text(section, "name"),
		     weight > 0 ? 100 * sum_of(heat) / weight : 0, count);
	for (size_t i = 0; i < count; i++) {
		double value = json_number_value(json_array_get(heat, i));
		int level = pgb_report_heat(hottest > 0 ? value / hottest : 0);

		pgb_page_add(page, "<rect class=h%d x=%zu y=%zu width=9.3 height=15.3>", level,
			     i % CELLS_IN_ROW * 10, i / CELLS_IN_ROW * CELL_HEIGHT);
		if (value > 0)
			pgb_page_add(page, "<title>+0x%lx: %.2f%%</title>",
				     pgb_report_whole((double)i * bucket_bytes),
				     weight > 0 ? 100 * value / weight : 0);
		pgb_page_add(page, "</rect>");
	}
	pgb_page_add(page, "</svg>\n");
}

/* Small sections without heat (.plt, .init) would only be in the way. */
static bool is_worth_a_picture(const json_t *section)
{
	const json_t *heat = json_object_get(section, "heat");

	return pgb_report_size(heat) > 2 || sum_of(heat) > 0;
}

static void add_side(struct pgb_page *page, const json_t *layout, const char *side, double hottest)
{
	const json_t *sections = json_object_get(json_object_get(layout, side), "sections");
	double weight = pgb_report_number(layout, "weight");

	for (size_t i = 0; i < pgb_report_size(sections); i++) {
		const json_t *section = json_array_get(sections, i);
		double share =
			weight > 0 ? 100 * sum_of(json_object_get(section, "heat")) / weight : 0;

		if (!is_worth_a_picture(section))
			continue;
		pgb_page_add(page,
			     "<figure><figcaption><span><code>%s</code>, %s at 0x%lx</span>"
			     "<span>%.1f%% of the weight</span></figcaption>\n",
			     pgb_report_text(section, "name"),
			     PGB_SIZE(pgb_report_count(section, "size_bytes")),
			     pgb_report_count(section, "address"), share);
		add_cells(page, layout, section, hottest);
		pgb_page_add(page, "</figure>\n");
	}
}

static void add_legend(struct pgb_page *page, const json_t *layout)
{
	static const char *const texts[] = {"none", "under 0.1%", "0.1%",	 "1%",
					    "5%",   "20%",	  "50% and more"};

	pgb_page_add(page,
		     "<p class=legend><span>a cell is %s of code; against the hottest cell:</span>",
		     PGB_SIZE(pgb_report_count(layout, "bucket_bytes")));
	for (int level = 0; level <= 6; level++)
		pgb_page_add(page,
			     "<span><svg viewBox=\"0 0 10 10\" aria-hidden=true><rect class=h%d "
			     "width=10 height=10 /></svg>%s</span>",
			     level, texts[level]);
	pgb_page_add(page, "</p>\n");
}

static void add_spread(struct pgb_page *page, const json_t *layout)
{
	static const struct {
		const char *name, *key;
	} rows[] = {
		{"4 KiB pages that hold 99% of the weight", "pages_99"},
		{"4 KiB pages that hold all of it", "pages"},
		{"64-byte cache lines that hold 99%", "lines_99"},
		{"64-byte cache lines that hold all of it", "lines"},
	};
	const json_t *before = json_object_get(layout, "before");
	const json_t *after = json_object_get(layout, "after");

	pgb_page_add(page, "<div class=scroll><table><thead><tr><th>memory for the hot code"
			   "<th class=n>before<th class=n>after<th class=n>change<tbody>\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double was = pgb_report_number(before, rows[i].key);
		double is = pgb_report_number(after, rows[i].key);

		pgb_page_add(page, "<tr><td>%s<td class=n>%s<td class=n>%s<td class=\"n %s\">%s\n",
			     rows[i].name, pgb_report_grouped(pgb_report_whole(was)).text,
			     pgb_report_grouped(pgb_report_whole(is)).text,
			     is < was	? "better"
			     : is > was ? "worse"
					: "",
			     pgb_report_change(was, is, 0).text);
	}
	pgb_page_add(page, "</table></div>\n");
}

void pgb_report_add_heat_maps(struct pgb_page *page, const struct pgb_report *report)
{
	double hottest = hottest_bucket(report->layout);

	pgb_page_add(page, "<section><h2>Where the hot code is</h2>\n");
	if (report->layout == NULL) {
		pgb_page_add(page, "<p>%s</p></section>\n",
			     report->optimized
				     ? "This is not known: optimize leaves the second run of "
				       "llvm-bolt out that would tell, where the first took long "
				       "or is of a release before 19."
				     : "Nothing was optimized from this recording yet: pgobolt "
				       "optimize.");
		return;
	}
	pgb_page_add(page, "<p>%s</p>\n",
		     json_is_true(json_object_get(report->layout, "samples"))
			     ? "Weight is where the samples fell."
			     : "Weight is how often each block of code ran, by its size in bytes. "
			       "Code that runs together should lie together: fewer pages to look "
			       "up, fewer cache lines to fetch.");
	add_spread(page, report->layout);
	add_legend(page, report->layout);
	pgb_page_add(page, "<h3>Before</h3>\n");
	add_side(page, report->layout, "before", hottest);
	pgb_page_add(page, "<h3>After</h3>\n");
	add_side(page, report->layout, "after", hottest);
	pgb_page_add(page, "</section>\n");
}

/* ---- functions */

struct picture {
	const json_t *function, *blocks, *fragments;
	double unit;	       /* picture units for each byte */
	double gap;	       /* between fragments, in bytes */
	double total_after;    /* bytes, with gaps */
	double hottest;	       /* count */
	double starts[64];     /* of fragments in the picture, in bytes */
	size_t fragment_count; /* that are shown */
};

static void plan_picture(struct picture *picture, const json_t *function)
{
	double size = pgb_report_number(function, "size_bytes"), sum = 0;

	*picture = (struct picture){.function = function,
				    .blocks = json_object_get(function, "blocks"),
				    .fragments = json_object_get(function, "fragments")};
	picture->fragment_count = pgb_report_size(picture->fragments);
	if (picture->fragment_count > 64)
		picture->fragment_count = 64;
	for (size_t i = 0; i < picture->fragment_count; i++)
		sum += pgb_report_number(json_array_get(picture->fragments, i), "size_bytes");
	picture->gap = 0.015 * fmax(size, sum);
	for (size_t i = 0; i < picture->fragment_count; i++) {
		picture->starts[i] = picture->total_after;
		picture->total_after +=
			pgb_report_number(json_array_get(picture->fragments, i), "size_bytes") +
			picture->gap;
	}
	picture->total_after -= picture->gap;
	picture->unit = PICTURE_WIDTH / fmax(1, fmax(size, picture->total_after));
	for (size_t i = 0; i < pgb_report_size(picture->blocks); i++)
		picture->hottest =
			fmax(picture->hottest,
			     pgb_report_number(json_array_get(picture->blocks, i), "count"));
}

/* Where a block went, in bytes from the picture's left; false: nowhere. */
static bool place_after(const struct picture *picture, const json_t *block, double *start,
			double *size)
{
	const json_t *fragment = json_object_get(block, "fragment");
	double index = json_number_value(fragment);

	if (fragment == NULL || index < 0 || index >= (double)picture->fragment_count)
		return false;
	*start = picture->starts[(size_t)index] + pgb_report_number(block, "offset_after");
	*size = pgb_report_number(block, "size_after_bytes");
	return true;
}

static void add_block(struct pgb_page *page, const struct picture *picture, const json_t *block,
		      double start, double size, double y)
{
	double count = pgb_report_number(block, "count");

	pgb_page_add(
		page,
		"<rect class=h%d x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=%d><title>+0x%lx, "
		"%.0f bytes, ran %.0f times</title></rect>",
		pgb_report_heat(picture->hottest > 0 ? count / picture->hottest : 0),
		start * picture->unit, y, fmax(1.2, size * picture->unit), STRIP_HEIGHT,
		pgb_report_count(block, "offset"), size, count);
}

static int by_weight(const void *a, const void *b)
{
	const json_t *left = *(const json_t *const *)a, *right = *(const json_t *const *)b;
	double difference = pgb_report_number(right, "weight") - pgb_report_number(left, "weight");

	if (difference != 0)
		return difference < 0 ? -1 : 1;
	return pgb_report_number(left, "offset") < pgb_report_number(right, "offset") ? -1 : 1;
}

/* Lines from the heaviest blocks' old places to their new ones. */
static void add_links(struct pgb_page *page, const struct picture *picture)
{
	size_t count = pgb_report_size(picture->blocks);
	const json_t **blocks = pgb_calloc(count, sizeof(const void *));
	double start, size;

	for (size_t i = 0; i < count; i++)
		blocks[i] = json_array_get(picture->blocks, i);
	if (count > 0)
		qsort(blocks, count, sizeof(*blocks), by_weight);
	for (size_t i = 0; i < count && i < LINKS_MOST; i++) {
		double from = pgb_report_number(blocks[i], "offset") +
			      pgb_report_number(blocks[i], "size_bytes") / 2;
		double share = pgb_report_number(blocks[i], "count") / fmax(1, picture->hottest);

		if (!place_after(picture, blocks[i], &start, &size))
			continue;
		from *= picture->unit;
		start = (start + size / 2) * picture->unit;
		pgb_page_add(page,
			     "<path class=\"l l%d\" d=\"M%.1f %d C%.1f %d %.1f %d %.1f %d\"/>",
			     pgb_report_heat(share), from, STRIP_HEIGHT, from,
			     STRIP_HEIGHT + LINK_HEIGHT / 2, start, STRIP_HEIGHT + LINK_HEIGHT / 2,
			     start, STRIP_HEIGHT + LINK_HEIGHT);
	}
	free(blocks);
}

static void add_picture(struct pgb_page *page, const json_t *function)
{
	double low = STRIP_HEIGHT + LINK_HEIGHT, start, size;
	struct picture picture;

	plan_picture(&picture, function);
	pgb_page_add(page,
		     "<svg viewBox=\"0 0 %d %d\" height=%d preserveAspectRatio=none role=img "
		     "aria-label=\"blocks of %s, above before and below after llvm-bolt; lines "
		     "show where the heaviest went\">",
		     PICTURE_WIDTH, 2 * STRIP_HEIGHT + LINK_HEIGHT, 2 * STRIP_HEIGHT + LINK_HEIGHT,
		     pgb_report_text(function, "name"));
	pgb_page_add(page, "<rect class=h0 width=\"%.2f\" height=%d />",
		     pgb_report_number(function, "size_bytes") * picture.unit, STRIP_HEIGHT);
	for (size_t i = 0; i < picture.fragment_count; i++)
		pgb_page_add(page,
			     "<rect class=h0 x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=%d />",
			     picture.starts[i] * picture.unit, low,
			     pgb_report_number(json_array_get(picture.fragments, i), "size_bytes") *
				     picture.unit,
			     STRIP_HEIGHT);
	add_links(page, &picture);
	for (size_t i = 0; i < pgb_report_size(picture.blocks); i++) {
		const json_t *block = json_array_get(picture.blocks, i);

		add_block(page, &picture, block, pgb_report_number(block, "offset"),
			  pgb_report_number(block, "size_bytes"), 0);
		if (place_after(&picture, block, &start, &size))
			add_block(page, &picture, block, start, size, low);
	}
	pgb_page_add(page, "</svg>\n");
}

static void add_function(struct pgb_page *page, const struct pgb_report *report,
			 const json_t *function)
{
	double weight = pgb_report_number(report->layout, "weight");
	const json_t *fragments = json_object_get(function, "fragments");
	double cold = 0;

	for (size_t i = 1; i < pgb_report_size(fragments); i++)
		cold += pgb_report_number(json_array_get(fragments, i), "size_bytes");
	pgb_page_add(page,
		     "<figure><figcaption><span><code>%s</code></span><span>%.1f%% of the weight; "
		     "%.0f of %.0f blocks ran</span></figcaption>\n",
		     pgb_report_text(function, "name"),
		     weight > 0 ? 100 * pgb_report_number(function, "weight") / weight : 0,
		     pgb_report_number(function, "blocks_run"),
		     pgb_report_number(function, "blocks_all"));
	add_picture(page, function);
	pgb_page_add(page,
		     "<figcaption><span>above: before, %s</span><span>below: after, %s%s%s%s</span>"
		     "</figcaption></figure>\n",
		     PGB_SIZE(pgb_report_count(function, "size_bytes")),
		     PGB_SIZE(pgb_report_count(json_array_get(fragments, 0), "size_bytes")),
		     cold > 0 ? " hot, " : "", cold > 0 ? PGB_SIZE(pgb_report_whole(cold)) : "",
		     cold > 0						 ? " split off"
		     : json_is_false(json_object_get(function, "moved")) ? ", not moved"
									 : "");
}

void pgb_report_add_functions(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *functions = json_object_get(report->layout, "functions");

	if (pgb_report_size(functions) == 0)
		return;
	pgb_page_add(page,
		     "<section><h2>The hottest functions</h2>\n<p>Each strip is a function's code "
		     "from its first byte to its last: above as the compiler laid it out, below as "
		     "llvm-bolt did. Coloured are the blocks that ran, at most the 64 heaviest, by "
		     "their counts; lines show where the heaviest went. What never runs is split "
		     "off to the right.</p>\n");
	for (size_t i = 0; i < pgb_report_size(functions); i++)
		add_function(page, report, json_array_get(functions, i));
	pgb_page_add(page, "</section>\n");
}
